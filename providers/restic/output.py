"""What restic prints, as records. Shapes: 0.14 as seen, later ones by its own documentation (scripting.rst)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from ondeck import text
from ondeck.errors import RemoteFailed
from ondeck.observe.backups import Differs, Entry, RepositoryLock, Snapshot
from ondeck.operate.backup.engine import Retention

_VERSION = re.compile(r"restic (\d+)\.(\d+)(?:\.(\d+))?")
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")
_PASSWORD = re.compile(r"//[^/@\s:]+:[^/@\s]+@")
_STATUSES = {
    3: "some files could not be read: what is there is not whole",
    10: "there is no repository",
    11: "the repository is locked",
    12: "wrong password",
    130: "interrupted",
}


class _Summary(msgspec.Struct):
    data_added: int | None = None
    total_bytes_processed: int | None = None
    total_files_processed: int | None = None


class _Snapshot(msgspec.Struct):
    time: str
    id: str
    short_id: str = ""
    hostname: str = ""
    original: str = ""
    paths: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    summary: _Summary | None = None


class _Reason(msgspec.Struct):
    snapshot: dict[str, Any]
    matches: tuple[str, ...] | None = ()


class _Group(msgspec.Struct):
    paths: tuple[str, ...] | None = ()
    keep: list[_Snapshot] | None = None
    remove: list[_Snapshot] | None = None
    reasons: list[_Reason] | None = None


class _Lock(msgspec.Struct):
    time: str
    hostname: str
    pid: int
    username: str = ""
    exclusive: bool = False


class _Node(msgspec.Struct):
    path: str
    type: str = ""
    size: int | None = None
    mtime: str = ""
    permissions: str = ""
    user: str = ""
    uid: int | None = None


class _Hits(msgspec.Struct):
    snapshot: str
    matches: list[_Node] | None = None


class _Stats(msgspec.Struct):
    total_size: int
    total_file_count: int = 0


class _Status(msgspec.Struct):
    message_type: str = ""
    total_bytes: int = 0
    bytes_done: int = 0


def version_of(printed: str) -> tuple[int, ...]:
    """The version that `restic version` prints; empty when it prints none."""
    found = _VERSION.search(printed)
    return tuple(int(part or 0) for part in found.groups()) if found else ()


def ns_of(stamp: str) -> int:
    """A time as restic writes it, to the nanosecond, in ns.

    Raises:
        RemoteFailed: It is no time.
    """
    found = _TIME.fullmatch(stamp)
    if found is None:
        raise RemoteFailed(f"restic answered with a time that is none: {text.safe_line(stamp)[:60]}")
    base = datetime.fromisoformat(found[1] + found[3].replace("Z", "+00:00")).astimezone(UTC)
    return int(base.timestamp()) * 10**9 + int((found[2] or "0").ljust(9, "0"))


def _read(data: bytes, kind: Any) -> Any:  # noqa: ANN401 - the type is what is asked for
    try:
        return msgspec.json.decode(data or b"null", type=kind)
    except msgspec.DecodeError as error:
        raise RemoteFailed(f"restic answered with what it never did before: {error}") from error


def _safe(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(text.safe_line(word) for word in words)


def snapshots(data: bytes, held: Sequence[str]) -> list[Snapshot]:
    """Of `snapshots --json`, newest first.

    Raises:
        RemoteFailed: It is not that.
    """
    found = [_snapshot(raw, held) for raw in _read(data, list[_Snapshot] | None) or []]
    return sorted(found, key=lambda s: -s.time)


def _snapshot(raw: _Snapshot, held: Sequence[str]) -> Snapshot:
    summary = raw.summary or _Summary()
    return Snapshot(
        id=text.safe_line(raw.id),
        short=text.safe_line(raw.short_id or raw.id[:8]),
        key=text.safe_line(raw.original or raw.id),
        time=ns_of(raw.time),
        host=text.safe_line(raw.hostname),
        paths=_safe(raw.paths),
        tags=_safe(raw.tags),
        held=bool(set(raw.tags) & set(held)),
        size=summary.total_bytes_processed,
        files=summary.total_files_processed,
        added=summary.data_added,
    )


def retention(data: bytes, dataset: tuple[str, ...]) -> Retention:
    """Of `forget --dry-run --json`, for the groups of one dataset.

    Raises:
        RemoteFailed: It is not that.
    """
    keep: dict[str, tuple[str, ...]] = {}
    remove: list[str] = []
    for group in _read(data, list[_Group] | None) or []:
        if tuple(sorted(group.paths or ())) != dataset:
            continue
        why = {r.snapshot.get("time"): _safe(r.matches or ()) for r in group.reasons or []}
        keep |= {s.id: why.get(s.time, ()) for s in group.keep or []}
        remove += [s.id for s in group.remove or []]
    return Retention(keep=keep, remove=tuple(remove))


def lock(identity: str, data: bytes) -> RepositoryLock:
    """Of `cat lock`.

    Raises:
        RemoteFailed: It is not that.
    """
    raw = _read(data, _Lock)
    return RepositoryLock(
        id=text.safe_line(identity),
        host=text.safe_line(raw.hostname),
        pid=raw.pid,
        since=ns_of(raw.time),
        who=text.safe_line(raw.username),
        exclusive=raw.exclusive,
    )


def repository(data: bytes) -> str:
    """The repository's id, of `cat config`.

    Raises:
        RemoteFailed: It is not that.
    """
    return text.safe_line(str(_read(data, dict[str, Any]).get("id", "")))


def stats(data: bytes) -> tuple[int, int]:
    """Bytes and files, of `stats --json`.

    Raises:
        RemoteFailed: It is not that.
    """
    raw = _read(data, _Stats)
    return raw.total_size, raw.total_file_count


def _lines(data: bytes) -> Iterator[bytes]:
    return (line for line in data.splitlines() if line.startswith(b"{"))


def _entry(raw: _Node) -> Entry:
    return Entry(
        path=text.safe_line(raw.path),
        kind=text.safe_line(raw.type),
        size=raw.size if raw.type == "file" else None,
        mtime=ns_of(raw.mtime) if raw.mtime else 0,
        mode=text.safe_line(raw.permissions),
        owner=text.safe_line(raw.user or str(raw.uid if raw.uid is not None else "")),
    )


def nodes(data: bytes) -> list[Entry]:
    """Of `ls --json`; its first line is the snapshot.

    Raises:
        RemoteFailed: It is not that.
    """
    return [_entry(_read(line, _Node)) for line in _lines(data) if b'"path"' in line]


def hits(data: bytes) -> list[tuple[str, list[Entry]]]:
    """Of `find --json`: ids of snapshots, and what was found in each.

    Raises:
        RemoteFailed: It is not that.
    """
    return [
        (one.snapshot, [_entry(m) for m in one.matches or []])
        for one in _read(data, list[_Hits] | None) or []
    ]


def differences(data: bytes) -> list[Differs]:
    """Of `diff --json`; without JSON (before 0.13) nothing.

    Raises:
        RemoteFailed: It is not that.
    """
    rows = (_read(line, dict[str, Any]) for line in _lines(data))
    return [
        Differs(text.safe_line(str(row.get("modifier", "?"))), text.safe_line(str(row.get("path", ""))))
        for row in rows
        if row.get("message_type") == "change"
    ]


def moved(line: bytes) -> tuple[int, int] | None:
    """Bytes done and in all, of a status line of `backup --json` or `restore --json`."""
    if not line.startswith(b'{"message_type":"status"'):
        return None
    try:
        raw = msgspec.json.decode(line, type=_Status)
    except msgspec.DecodeError:
        return None
    return raw.bytes_done, raw.total_bytes


def said(status: int | None, err: bytes) -> str:
    """Why it failed: its own last words, or what the status means."""
    shown = _PASSWORD.sub("//***@", text.decode(err))
    lines = [text.safe_line(line).strip() for line in shown.splitlines() if line.strip()]
    if status == 127:
        return "restic is not there: apt-get install restic"
    locked = next((line for line in lines if "already locked" in line), "")
    fatal = next((line for line in lines if line.startswith("Fatal:")), "")
    words = locked or fatal.removeprefix("Fatal: ") or (lines[-1] if lines else "")
    meant = _STATUSES.get(status or 0, "")
    return ": ".join(part for part in (meant, words[:300]) if part) or f"exit {status}"


def damage(out: bytes, err: bytes) -> str:
    """What `check` found; empty when it did not come so far."""
    lines = [text.safe_line(line).strip() for line in text.decode(err + b"\n" + out).splitlines()]
    if not any("contains errors" in line for line in lines):
        return ""
    signs = ("error", "pack", "blob", "tree", "hash")
    named = (
        line
        for line in lines
        if any(sign in line.lower() for sign in signs) and "contains errors" not in line
    )
    return next(named, "the repository contains errors")[:300]
