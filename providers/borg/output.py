"""What borg 1.2 prints, as records. It writes times without a zone: `TZ=UTC` makes them UTC."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec

from ondeck import text
from ondeck.errors import RemoteFailed
from ondeck.observe.backups import Differs, Entry, RepositoryLock, Snapshot
from ondeck.operate.backup.engine import Retention

HELD = "hold-"
"""What a held archive's name begins with: no rule of a prune for the backup's own names matches it."""
_VERSION = re.compile(r"borg (\d+)\.(\d+)(?:\.(\d+))?")
_RULE = re.compile(r"(Keeping archive|Would prune)(?: \(rule: (.+?)\))?: +(\S+) ")
_DAMAGED = ("repository check, errors found", "consistency check complete, problems found", "integrity error")
_KINDS = {"-": "file", "d": "dir", "l": "symlink"}
_SIGNS = {"added": "+", "added directory": "+", "added link": "+", "removed": "-", "removed directory": "-"}
_SIGNS["removed link"] = "-"


class _Archive(msgspec.Struct):
    name: str
    id: str
    start: str
    hostname: str = ""
    comment: str = ""


class _Repository(msgspec.Struct):
    id: str


class _List(msgspec.Struct):
    archives: list[_Archive]
    repository: _Repository


class _Stats(msgspec.Struct):
    original_size: int
    nfiles: int


class _Info(msgspec.Struct):
    stats: _Stats


class _Infos(msgspec.Struct):
    archives: list[_Info]


class _Item(msgspec.Struct):
    path: str
    type: str = "-"
    size: int | None = None
    mtime: str = ""
    mode: str = ""
    user: str = ""


class _Line(msgspec.Struct):
    type: str = ""
    message: str = ""
    levelname: str = ""
    name: str = ""
    msgid: str | None = ""
    operation: int = 0
    current: float = 0
    total: float = 0
    original_size: int = 0
    finished: bool = False


def version_of(printed: str) -> tuple[int, ...]:
    """The version that `borg --version` prints; empty when it prints none."""
    found = _VERSION.search(printed)
    return tuple(int(part or 0) for part in found.groups()) if found else ()


def ns_of(stamp: str) -> int:
    """A time as borg writes it under TZ=UTC, in ns.

    Raises:
        RemoteFailed: It is no time.
    """
    try:
        when = datetime.fromisoformat(stamp)
    except ValueError:
        said = text.safe_line(stamp)[:60]
        raise RemoteFailed(f"borg answered with a time that is none: {said}") from None
    whole = when.replace(tzinfo=when.tzinfo or UTC)
    return int(whole.replace(microsecond=0).timestamp()) * 10**9 + whole.microsecond * 1000


def _read(data: bytes, kind: Any) -> Any:  # noqa: ANN401 - the type is what is asked for
    try:
        return msgspec.json.decode(data or b"null", type=kind)
    except msgspec.DecodeError as error:
        raise RemoteFailed(f"borg answered with what it never did before: {error}") from error


def plain(name: str) -> str:
    """The name of an archive without the mark of a hold."""
    return name.removeprefix(HELD)


def archives(data: bytes, prefix: str) -> tuple[str, list[Snapshot], int]:
    """Of `list --json`: id of the repository, archives of one backup newest first, and how many others there are.

    Raises:
        RemoteFailed: It is not that.
    """
    raw: _List = _read(data, _List)
    mine = [one for one in raw.archives if plain(one.name).startswith(prefix)]
    # Archives of one second stand in the order in which they were made.
    ordered = sorted(enumerate(mine), key=lambda pair: (ns_of(pair[1].start), pair[0]), reverse=True)
    found = [_archive(one) for _, one in ordered]
    return text.safe_line(raw.repository.id), found, len(raw.archives) - len(mine)


def _archive(one: _Archive) -> Snapshot:
    name = text.safe_line(one.name)
    return Snapshot(
        id=name,
        short=name,
        key=hashlib.sha256(f"{plain(name)}@{one.start}".encode()).hexdigest(),
        time=ns_of(one.start),
        host=text.safe_line(one.hostname),
        tags=tuple(text.safe_line(word) for word in one.comment.split()),
        held=one.name.startswith(HELD),
    )


def stats(data: bytes) -> tuple[int, int]:
    """Bytes and files, of `info --json`.

    Raises:
        RemoteFailed: It is not that.
    """
    raw: _Infos = _read(data, _Infos)
    if len(raw.archives) != 1:
        raise RemoteFailed("borg answered about another archive")
    return raw.archives[0].stats.original_size, raw.archives[0].stats.nfiles


def items(data: bytes) -> list[Entry]:
    """Of `list --json-lines ::ARCHIVE`.

    Raises:
        RemoteFailed: It is not that.
    """
    return [_entry(_read(line, _Item)) for line in data.splitlines() if line.startswith(b"{")]


def _entry(raw: _Item) -> Entry:
    return Entry(
        path="/" + text.safe_line(raw.path).lstrip("/"),
        kind=_KINDS.get(raw.type, text.safe_line(raw.type)),
        size=raw.size if raw.type == "-" else None,
        mtime=ns_of(raw.mtime) if raw.mtime else 0,
        mode=text.safe_line(raw.mode),
        owner=text.safe_line(raw.user),
    )


def differences(data: bytes) -> list[Differs]:
    """Of `diff --json-lines`.

    Raises:
        RemoteFailed: It is not that.
    """
    found = []
    for line in data.splitlines():
        raw = _read(line, dict[str, Any])
        types = [change.get("type", "") for change in raw.get("changes", [])]
        sign = next((_SIGNS[kind] for kind in types if kind in _SIGNS), "M")
        found.append(Differs(sign, "/" + text.safe_line(str(raw.get("path", ""))).lstrip("/")))
    return found


def _lines(err: bytes) -> Iterator[_Line]:
    for line in err.splitlines():
        if line.startswith(b"{"):
            try:
                yield msgspec.json.decode(line, type=_Line)
            except msgspec.DecodeError:
                continue


def retention(err: bytes) -> Retention:
    """Of `prune --list --dry-run --log-json`: names with the rule that keeps them, and names that would go."""
    keep: dict[str, tuple[str, ...]] = {}
    remove = []
    for line in _lines(err):
        found = _RULE.match(line.message + " ")
        if found is None:
            continue
        if found[1] == "Would prune":
            remove.append(found[3])
        else:
            keep[found[3]] = (text.safe_line(found[2] or ""),)
    return Retention(keep=keep, remove=tuple(remove))


def locks(listed: bytes) -> list[RepositoryLock]:
    """Of the files of locks, as `HOST@NODE.PID-THREAD SECONDS KIND` lines."""
    found = []
    for line in text.decode(listed).splitlines():
        name, _, rest = line.partition(" ")
        since, _, kind = rest.partition(" ")
        host, _, numbers = name.rpartition(".")
        pid = numbers.partition("-")[0]
        if host and pid.isdigit() and since.isdigit():
            found.append(
                RepositoryLock(
                    id=text.safe_line(name),
                    host=text.safe_line(host.partition("@")[0]),
                    pid=int(pid),
                    since=int(since) * 10**9,
                    exclusive=kind == "exclusive",
                )
            )
    return found


def moved(line: bytes) -> tuple[int, int] | None:
    """Bytes done and in all, 0 when that is not known, of a line of `--log-json --progress`."""
    if not line.startswith(b"{"):
        return None
    found = next(_lines(line), None)
    if found is None:
        return None
    if found.type == "archive_progress":
        return found.original_size, 0
    if found.type == "progress_percent" and found.msgid == "extract":
        return int(found.current), int(found.total)
    return (0, 0) if found.type.startswith("progress_") else None


def said(status: int | None, err: bytes) -> str:
    """Why it failed: its own errors, else its warnings, else its last words."""
    if status == 127:
        return "borg is not there: apt-get install borgbackup"
    found = [line for line in _lines(err) if line.type == "log_message"]
    errors = [line.message for line in found if line.levelname in ("ERROR", "CRITICAL")]
    warnings = [line.message for line in found if line.levelname == "WARNING"]
    rest = [line for line in text.decode(err).splitlines() if line.strip() and not line.startswith("{")]
    chosen = errors[:2] or rest[-1:] or warnings[:2]
    words = text.safe_line("; ".join(chosen)).strip()[:300]
    return f"with warnings: {words}" if status == 1 and not errors else words or f"exit {status}"


def damage(err: bytes) -> str:
    """What `check` found; empty when it did not come so far."""
    found = [line for line in _lines(err) if line.type == "log_message"]
    if not any(sign in line.message for line in found for sign in _DAMAGED):
        return ""
    errors = (line.message for line in found if line.levelname in ("ERROR", "CRITICAL"))
    return text.safe_line(next(errors, "the repository has errors"))[:300]
