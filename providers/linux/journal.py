"""The systemd journal of a unit, resumed by cursor. Fields: systemd.journal-fields(7)."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import msgspec

from ondeck.errors import RemoteFailed
from ondeck.inventory.model import Host, LogSource
from ondeck.observe.parse import LATE, level_in, level_of_priority
from ondeck.observe.ports import LAST
from ondeck.observe.records import Health, HistoryCut, Level, LogBatch, LogLine
from ondeck.observe.sources import States
from ondeck.reach.ports import Completed, Link
from ondeck.settings import Settings
from ondeck.text import decode, styled
from providers.linux.asking import Following, become_root, why

HISTORY = LAST
FIELDS = "MESSAGE,PRIORITY,SYSLOG_IDENTIFIER,_PID"
# Bytes of history that are taken at most, and of one entry.
FURTHEST = 16 << 20
LONGEST = 1 << 20
BATCH = 2_000
_DECODER = msgspec.json.Decoder(dict[str, Any])


class JournalTail:
    """One unit's journal on one host: keeps its cursor between connections."""

    def __init__(self, host: Host, source: LogSource, settings: Settings, states: States, since: int) -> None:
        self._host = host
        self._source = source
        self._settings = settings
        self._states = states
        self._since = since
        self._name = f"{host.name}/{source.name}"
        self._become = become_root(source.become)
        self._cursor = ""
        self._last = 0
        self._told = False
        self._begun = False

    async def read(self, link: Link, follow: bool) -> AsyncGenerator[LogBatch, None]:
        """History the first time, then what comes after the cursor.

        Raises:
            LinkLost: The connection ended.
            RemoteFailed: journalctl says no.
        """
        if not self._begun:
            async with aclosing(self._history(link)) as batches:
                async for batch in batches:
                    yield batch
            self._begun = True
            yield LogBatch(caught_up=True)
        if not follow:
            return
        try:
            async with aclosing(self._follow(link)) as batches:
                async for batch in batches:
                    yield batch
        except RemoteFailed as error:
            if "cursor" not in error.message or not self._cursor:
                raise
            # The journal was rotated away below the cursor: go on by time, without what we have.
            self._cursor = ""
            gone = HistoryCut(self._last, "entries before this may be missing: rotated away below the cursor")
            yield LogBatch(state=self._states.begun(gone))
            async with aclosing(self._follow(link)) as batches:
                async for batch in batches:
                    yield batch

    def _argv(self, *more: str) -> list[str]:
        return [
            *("env", "LC_ALL=C", "journalctl", "--no-pager", "--output=json"),
            *(f"--output-fields={FIELDS}", *self._which(), *more),
        ]

    def _which(self) -> list[str]:
        """`*` is the whole journal: with `--unit=*` what no unit said would be missing, as the kernel's."""
        return [] if self._source.unit == "*" else [f"--unit={self._source.unit}"]

    async def _history(self, link: Link) -> AsyncGenerator[LogBatch, None]:
        """The wanted end, page by page where it is more than one answer may hold."""
        place = f"--since=@{self._since // 1_000_000_000}" if self._since else f"--lines={HISTORY}"
        if self._told:  # a connection was lost between two pages
            place = f"--after-cursor={self._cursor}"
        while place:
            done = await link.run(self._argv(place), become=self._become, limit=FURTHEST)
            if not done.ok:
                raise RemoteFailed(why(done), where=self._host.name)
            if closed := no_journal(done):
                raise RemoteFailed(closed, where=self._host.name)
            entries = done.stdout.splitlines()
            before = self._cursor
            lines = [line for entry in entries for line in self._entry(entry, backlog=True)]
            self._states.saw()
            if not self._told:
                enough = not self._since and len(entries) >= HISTORY
                cut = None if enough else await self._cut(link)
                self._told = True
                yield LogBatch(state=self._states.begun(cut))
            lines = [line for line in lines if line.time >= self._since]
            for at in range(0, len(lines), BATCH):
                yield LogBatch(tuple(lines[at : at + BATCH]))
            more = len(done.stdout) >= FURTHEST
            if more and self._cursor == before:
                raise RemoteFailed(f"an entry of more than {FURTHEST >> 20} MiB", where=self._host.name)
            place = f"--after-cursor={self._cursor}" if more else ""

    async def _cut(self, link: Link) -> HistoryCut | None:
        """Where the whole journal begins, when that is after what was asked for."""
        argv = [
            "env",
            "LC_ALL=C",
            "journalctl",
            "--no-pager",
            "--quiet",
            "--output=json",
            "--output-fields=_PID",
        ]
        done = await link.run(["sh", "-c", '"$@" | head -n 1', "sh", *argv], become=self._become)
        try:
            begins = int(_DECODER.decode(done.stdout)["__REALTIME_TIMESTAMP"]) * 1000
        except (msgspec.DecodeError, RecursionError, KeyError, ValueError, TypeError):
            return HistoryCut(0, "how far back the journal reaches could not be read")
        if self._since and begins <= self._since:
            return None
        return HistoryCut(begins, "the journal has nothing older")

    async def _follow(self, link: Link) -> AsyncGenerator[LogBatch, None]:
        since = self._last or time.time_ns()
        place = f"--after-cursor={self._cursor}" if self._cursor else f"--since=@{since / 1e9:.6f}"
        known = 0 if self._cursor else self._last
        pending = b""
        async with link.stream(
            self._argv("--quiet", "--follow", "--no-tail", place), become=self._become
        ) as stream:
            following = Following(stream)
            # A journal is silent for as long as its unit is: only the connection says that it is lost.
            async with aclosing(following.chunks(self._settings.seconds(3600.0))) as chunks:
                yield LogBatch(state=self._states.to(Health.OK))
                async for chunk in chunks:
                    *entries, pending = (pending + (chunk or b"")).split(b"\n")
                    pending = pending[-LONGEST:]
                    lines = [line for entry in entries for line in self._entry(entry) if line.time > known]
                    if lines:
                        self._states.saw()
                        yield LogBatch(tuple(lines), self._states.to(Health.OK))
            done = await stream.wait()
        if not done.ok:
            raise RemoteFailed(following.errors or why(done), where=self._host.name)

    def _entry(self, raw: bytes, *, backlog: bool = False) -> list[LogLine]:
        try:
            fields = _DECODER.decode(raw)
            at = int(fields["__REALTIME_TIMESTAMP"]) * 1000
        except (msgspec.DecodeError, RecursionError, KeyError, ValueError, TypeError):
            return []
        self._cursor = str(fields.get("__CURSOR", self._cursor))
        self._last = max(self._last, at)
        text = field(fields.get("MESSAGE"))
        priority = field(fields.get("PRIORITY"))
        level = level_of_priority(int(priority)) if priority.isdigit() else Level.NONE
        # A service that writes to its standard output logs everything at INFO: its text knows better.
        level = max(level, level_in(text)) if level in (Level.NONE, Level.INFO) else level
        who = field(fields.get("SYSLOG_IDENTIFIER"))
        pid = field(fields.get("_PID"))
        head = f"{who}[{pid}]: " if who and pid else f"{who}: " if who else ""
        late = time.time_ns() - at
        late = 0 if backlog or late < LATE else late
        made = []
        for number, part in enumerate(text.split("\n")):
            message, runs = styled(part if number else head + part)
            made.append(LogLine(at, self._name, level, message, late, runs))
        return made


def no_journal(done: Completed) -> str:
    """Why an answer of journalctl with status 0 says nothing; empty when it does say something.

    Without `--quiet` it tells on standard error that there is no journal, or none that we may read.
    """
    said = decode(done.stderr)
    for sign in ("No journal files were", "not seeing messages from"):
        if sign in said:
            return "no journal that we may read" if sign.startswith("not") else "there is no journal"
    return ""


def field(value: object) -> str:
    """A field's text: journalctl gives bytes as an array of numbers, and a repeated field as an array."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value:
        if all(isinstance(item, int) and 0 <= item <= 255 for item in value):
            return bytes(value).decode("utf-8", "backslashreplace")
        return field(value[0])
    return ""
