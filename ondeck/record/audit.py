"""The audit: who changed what, when and why. A chain of hashes in one file, one line of JSON each.

Each line carries its number and the sha256 of the line before. `head` beside the file remembers the
newest line and is there before the first one, so that a cut-off end is seen as well, also when `head` went
with it; the next line would hide that, so a line `gap` comes before it and stays. It is evidence, not a
wall: who owns the files can write a new chain; send `ondeck audit export` elsewhere for more.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from ondeck.errors import StateBroken
from ondeck.record import folder
from ondeck.record.claim import PATIENCE, claim

_FIRST = "0" * 64


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One line.

    Attributes:
        seq: Counts from 1 without a gap.
        prev: sha256 of the line before.
        at: Nanoseconds since 1970, UTC.
        phase: `intent`, `outcome`, `refused`, `settle`, `lock-break`, `with-lock`,
            `planned` (planning it leaves something behind), `trust`, `shell`, `mended` or `gap`.
        decision: How it was allowed: `free`, `confirmed`, `typed`, `break-glass`.
        plan: sha256 of the plan's bytes.
        records: How many records the job's log held on disk by then; absent where there is no log.
    """

    seq: int
    prev: str
    at: int
    phase: str
    actor: str = ""
    uid: int = -1
    ssh: str = ""
    tty: str = ""
    job: str = ""
    operation: str = ""
    subject: str = ""
    env: str = ""
    plan: str = ""
    decision: str = ""
    reason: str = ""
    text: str = ""
    records: int | msgspec.UnsetType = msgspec.UNSET


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What a check of the chain found.

    Attributes:
        bad: Number of the first line that is not as it was written; 0 when all are.
        open: Jobs with an intent and no outcome.
    """

    entries: int
    bad: int = 0
    why: str = ""
    open: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Every line is as it was written."""
        return self.bad == 0


class Audit:
    """The audit of one state folder."""

    def __init__(self, root: Path, patience: float = PATIENCE) -> None:
        """Of a folder; patience is how many seconds a line waits for another process that writes one."""
        self.root = root
        self._patience = patience
        self.path = root / "log.jsonl"
        self._head = root / "head"

    def append(self, phase: str, *, at: int = 0, **fields: str | int) -> Entry:
        """Add a line and sync it to disk; waits, so it is not for a loop.

        Args:
            phase: See `Entry.phase`.
            at: When; 0 means now.
            fields: Other fields of `Entry`.

        Raises:
            StateBroken: It cannot be written: the change it speaks of must not happen.
        """
        folder.ensure(self.root)
        with self._locked():
            fd = folder.open_private(self.path, os.O_RDWR | os.O_CREAT)
            try:
                head = self._read_head()
                seq, prev = self._mend(fd)
                if head is None and seq == 0:
                    self._remember(0, _FIRST)
                elif gap := _gap(head, seq, prev):
                    added = self._add(fd, self._entry(seq + 1, prev, "gap", time.time_ns(), {"text": gap}))
                    seq, prev = added.seq, _sha(msgspec.json.encode(added) + b"\n")
                entry = self._entry(seq + 1, prev, phase, at or time.time_ns(), fields)
                return self._add(fd, entry)
            except OSError as error:
                raise folder.broken(self.path, error) from error
            finally:
                os.close(fd)

    def _entry(self, seq: int, prev: str, phase: str, at: int, fields: dict[str, str | int]) -> Entry:
        raw = {"seq": seq, "prev": prev, "phase": phase, "at": at, **fields}
        return msgspec.convert(raw, Entry)

    def _add(self, fd: int, entry: Entry) -> Entry:
        end = os.lseek(fd, 0, os.SEEK_END)
        line = msgspec.json.encode(entry) + b"\n"
        try:
            folder.write_all(fd, line)
            os.fsync(fd)
        except OSError:
            os.ftruncate(fd, end)
            raise
        self._remember(entry.seq, _sha(line))
        return entry

    def _remember(self, seq: int, digest: str) -> None:
        folder.write_new(self._head, b"%d %s\n" % (seq, digest.encode()))

    def _mend(self, fd: int) -> tuple[int, str]:
        """Number and hash of the last line; a half-written end, never acknowledged, is cut and told."""
        end = os.lseek(fd, 0, os.SEEK_END)
        line, start = _last_line(fd, end)
        if not line.endswith(b"\n") and line:
            os.ftruncate(fd, start)
            os.lseek(fd, 0, os.SEEK_END)
            seq, prev = self._mend(fd)
            text = f"{len(line)} bytes of a half-written line were cut"
            added = self._add(fd, self._entry(seq + 1, prev, "mended", time.time_ns(), {"text": text}))
            return added.seq, _sha(msgspec.json.encode(added) + b"\n")
        if not line:
            return 0, _FIRST
        try:
            return msgspec.json.decode(line, type=Entry).seq, _sha(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise StateBroken(
                f"the last line of {self.path} is not an audit line",
                hint="see `ondeck audit verify`; move the folder away to begin a new chain, and keep the old one",
            ) from error

    @contextmanager
    def _locked(self) -> Iterator[None]:
        fd = folder.open_private(self.root / "lock", os.O_RDWR | os.O_CREAT)
        try:
            claim(fd, self.root / "lock", self._patience)
            yield
        finally:
            os.close(fd)

    def writable(self) -> None:
        """Check that a line could be added now.

        Raises:
            StateBroken: It could not.
        """
        folder.ensure(self.root)
        os.close(folder.open_private(self.path, os.O_RDWR | os.O_CREAT))

    def entries(self) -> Iterator[Entry]:
        """Every line that can be read, oldest first."""
        for line in self._lines():
            try:
                yield msgspec.json.decode(line, type=Entry)
            except (msgspec.DecodeError, UnicodeDecodeError):
                return

    def _lines(self) -> Iterator[bytes]:
        try:
            with self.path.open("rb") as file:
                yield from file
        except FileNotFoundError:
            return
        except OSError as error:
            raise folder.broken(self.path, error) from error

    def verify(self) -> Verified:
        """Walk the chain; names the first line that is not as it was written."""
        seq, prev = 0, _FIRST
        intents: dict[str, None] = {}
        hashes = {0: _FIRST}
        head = self._read_head()
        for line in self._lines():
            fault = _fault(line, seq + 1, prev)
            if isinstance(fault, str):
                return Verified(entries=seq, bad=seq + 1, why=fault)
            seq, prev = fault.seq, _sha(line)
            if fault.phase == "gap":
                return Verified(entries=seq, bad=seq, why=fault.text)
            hashes = {seq: prev} if head is not None and seq == head[0] else hashes
            if fault.phase == "intent":
                intents[fault.job] = None
            elif fault.phase == "outcome":
                intents.pop(fault.job, None)
        if head is None and seq:
            return Verified(entries=seq, bad=seq + 1, why=_gap(head, seq, prev))
        if head is not None and hashes.get(head[0]) != head[1]:
            why = "lines at the end are missing" if head[0] > seq else "it is not the line that was written"
            return Verified(entries=seq, bad=max(1, min(head[0], seq + 1)), why=why)
        return Verified(entries=seq, open=tuple(intents))

    def _read_head(self) -> tuple[int, str] | None:
        try:
            number, _, digest = self._head.read_text("ascii", errors="replace").strip().partition(" ")
            return int(number), digest
        except FileNotFoundError:
            return None
        except ValueError:
            return 1, "unreadable"


def _gap(head: tuple[int, str] | None, seq: int, prev: str) -> str:
    """What is wrong between what `head` remembers and the last line; empty when nothing is."""
    if head is None:
        return f"head was taken away: whatever stood behind line {seq} is missing"
    if head[1] == "unreadable":
        return f"head cannot be read: whether anything stood behind line {seq} is not known"
    if head[0] > seq:
        return f"lines behind line {seq} are missing: head remembers line {head[0]}"
    return f"line {seq} is not the one that was written" if head[0] == seq and head[1] != prev else ""


def _sha(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()


def _last_line(fd: int, end: int) -> tuple[bytes, int]:
    data, start = b"", end
    while start > 0 and b"\n" not in data[:-1]:
        step = min(start, 4096)
        start -= step
        data = os.pread(fd, step, start) + data
    cut = data.rfind(b"\n", 0, max(0, len(data) - 1)) + 1
    return data[cut:], start + cut


def _fault(line: bytes, seq: int, prev: str) -> Entry | str:
    if not line.endswith(b"\n"):
        return "it is only half there"
    try:
        entry = msgspec.json.decode(line, type=Entry)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return "it is not an audit line"
    if msgspec.json.encode(entry) + b"\n" != line:
        return "its bytes were changed"
    if entry.seq != seq:
        return f"it has number {entry.seq}"
    return entry if entry.prev == prev else "the line before it was changed"
