"""`ondeck backup list`, `ls`, `find` and `diff`: what repositories hold, asked now; nothing is changed or locked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, cast

import click
import msgspec

from ondeck import times
from ondeck.bench import Bench
from ondeck.capabilities import Capabilities
from ondeck.errors import ExitCode, NoMatch
from ondeck.inventory.model import Backup
from ondeck.inventory.problems import listed, nearest
from ondeck.observe.backup_judging import in_bytes, judge
from ondeck.observe.backups import NS, BackupLook, Entry, Snapshot
from ondeck.observe.fleet import Severity
from ondeck.observe.ports import BackupReader
from ondeck.operate.bench import FaceBench
from tui.cli import out
from tui.cli.face import Face, form_option, pass_face
from tui.cli.out import At, Format, Rows

_T = TypeVar("_T")
_TITLES = ("backup", "env", "state", "age", "proof", "size", "last restore", "says", "newest")
_SNAPSHOT = ("snapshot", "began", "loss", "proof", "proved", "size", "host", "tags", "held")


def _backup(face: Face, name: str) -> Backup:
    known = face.deck.inventory.backups
    if name not in known:
        raise NoMatch(
            f"no backup {name!r}", hint=nearest(name, known) or f"{listed(known)}; see: ondeck backup list"
        )
    return known[name]


def _asked(face: Face, work: Callable[[Capabilities, Bench], Awaitable[_T]]) -> _T:
    async def run() -> _T:
        bench = FaceBench(face.deck)
        try:
            return await work(Capabilities(face.deck.registry), bench)
        finally:
            await bench.aclose()

    return asyncio.run(run())


def _reader(able: Capabilities, backup: Backup) -> BackupReader:
    return cast(BackupReader, able.place(backup, "backups"))


async def _looks(able: Capabilities, bench: Bench, backups: list[Backup]) -> list[BackupLook]:
    gate = asyncio.Semaphore(4)

    async def one(backup: Backup) -> BackupLook:
        async with gate:
            return await _reader(able, backup).look(backup, bench)

    return list(await asyncio.gather(*(one(backup) for backup in backups)))


@click.command("list")
@click.argument("name", default="")
@click.option(
    "--before", default="", metavar="TIME", help="Only snapshots that began before: 03:01 (UTC), 2h (ago)."
)
@form_option
@pass_face
def list_(face: Face, name: str, before: str, form: str) -> int:
    """Every backup with its judgement, or the snapshots of one, newest first.

    LOSS is what is lost when that snapshot is taken: what was written after it began. A backup that could not be
    asked is `?`; the exit code is 3 then, and 1 when one is bad.
    """
    since = times.moment(before, what="--before") if before else 0
    known = face.deck.inventory.backups
    wanted = [_backup(face, name)] if name else list(known.values())
    looks = _asked(face, lambda able, bench: _looks(able, bench, wanted))
    now = time.time_ns()
    if name:
        return _of_one(face, looks[0], since, now, form)
    if form in (Format.JSON, Format.JSONL):
        _as_data(face, [_data(look, now) for look in looks], form)
    else:
        rows = tuple(_row(look, since, now) for look in looks)
        face.rows(Rows(_TITLES, rows, spare=("says",), drop=("newest", "env"), below=("says",)), form)
    return _code(looks, now)


def _as_data(face: Face, records: list[dict[str, object]], form: str) -> None:
    if form == Format.JSON:
        face.data(out.dumps(records) + "\n")
    else:
        face.data("".join(out.compact(record) + "\n" for record in records))


def _data(look: BackupLook, now: int) -> dict[str, object]:
    verdict = judge(look, now)
    plain = cast(dict[str, object], msgspec.to_builtins(look))
    return {**plain, "state": verdict.word, "says": list(verdict.reasons)}


def _code(looks: list[BackupLook], now: int) -> int:
    found = [judge(look, now).severity for look in looks]
    if Severity.BAD in found:
        return int(ExitCode.FAILED)
    return int(ExitCode.SOME_FAILED if Severity.UNKNOWN in found else ExitCode.OK)


def _row(look: BackupLook, since: int, now: int) -> tuple[object, ...]:
    verdict = judge(look, now)
    newest = look.newest(now, since)
    if look.error or newest is None:
        age = None if look.error else "never"
        return (look.name, look.env, verdict.word, age, None, None, _restored(look), verdict.text, None)
    return (
        look.name, look.env, verdict.word, times.ago(newest.time, now), newest.proof.word, in_bytes(newest.size),
        _restored(look), verdict.text, newest.short,
    )  # fmt: skip


def _restored(look: BackupLook) -> str:
    last = look.last_restore
    return "never" if last is None else f"{times.length(last.seconds)} on {times.iso(last.time)[:10]}"


def _of_one(face: Face, look: BackupLook, since: int, now: int, form: str) -> int:
    shown = [s for s in look.snapshots if not since or s.time < since]
    if form in (Format.JSON, Format.JSONL):
        _as_data(face, [{**_data(look, now), "snapshots": msgspec.to_builtins(shown)}], form)
    else:
        rows = tuple(_snapshot(s, now) for s in shown)
        face.rows(Rows(_SNAPSHOT, rows, right=("size",), drop=("proved", "host", "tags")), form)
    verdict = judge(look, now)
    face.say(f"{look.name}: {verdict.word}{f': {verdict.text}' if verdict.text else ''}")
    if look.others:
        face.say(f"{look.others} more in the same repository are of something else")
    for lock in look.locks:
        face.say(f"LOCK  {lock.text(now)}")
    return _code([look], now)


def _snapshot(one: Snapshot, now: int) -> tuple[object, ...]:
    loss = times.length((now - one.time) / NS) if one.time <= now else None
    proved = At(one.proved) if one.proved else "-"
    return (
        one.short, At(one.time), loss, one.proof.word, proved, in_bytes(one.size), one.host, one.tags or "-", one.held,
    )  # fmt: skip


@click.command("ls")
@click.argument("name")
@click.argument("path", default="/")
@click.option("--snapshot", default="", metavar="ID", help="The newest when not given.")
@form_option
@pass_face
def ls(face: Face, name: str, path: str, snapshot: str, form: str) -> int:
    """What a folder of a snapshot holds."""
    backup = _backup(face, name)
    found = _asked(face, lambda able, bench: _reader(able, backup).entries(backup, snapshot, path, bench))
    rows = tuple((e.path, *_entry(e)) for e in found.entries)
    face.rows(Rows(("path", "kind", "size", "modified", "mode", "owner"), rows, drop=("owner", "mode")), form)
    return _more(face, found.more)


def _entry(entry: Entry) -> tuple[object, ...]:
    size = in_bytes(entry.size) if entry.size is not None else "-"
    return entry.kind, size, At(entry.mtime), entry.mode, entry.owner


def _more(face: Face, more: int) -> int:
    if more:
        face.say(f"{more} more are left out")
    return int(ExitCode.OK)


@click.command("find")
@click.argument("name")
@click.argument("pattern")
@form_option
@pass_face
def find(face: Face, name: str, pattern: str, form: str) -> int:
    """Where a file of that name (`*` allowed) is, newest snapshot first."""
    backup = _backup(face, name)
    found = _asked(face, lambda able, bench: _reader(able, backup).find(backup, pattern, bench))
    rows = tuple(
        (f.entry.path, f.snapshot.short, At(f.snapshot.time), *_entry(f.entry)[1:3]) for f in found.found
    )
    face.rows(Rows(("path", "snapshot", "began", "size", "modified"), rows), form)
    return _more(face, found.more)


@click.command("diff")
@click.argument("name")
@click.argument("one")
@click.argument("other")
@form_option
@pass_face
def diff(face: Face, name: str, one: str, other: str, form: str) -> int:
    """What differs from one snapshot to the other: + only in the later, - only in the earlier, M in both."""
    backup = _backup(face, name)
    found = _asked(face, lambda able, bench: _reader(able, backup).differences(backup, one, other, bench))
    face.rows(Rows(("path", "sign"), tuple((d.path, d.sign) for d in found.differences)), form)
    return _more(face, found.more)


COMMANDS = (list_, ls, find, diff)
