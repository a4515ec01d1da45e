"""What a plan on a backup depends on, read the same way when it is planned and when it starts.

A fact is named by words: `repository`, `snapshot KEY`, `mark KEY`, `kept`, `locks`, `source HOST PATH`,
`folder HOST PATH`.
What a plan does not depend on may change: a snapshot that came meanwhile refuses no restore.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from ondeck.bench import Bench
from ondeck.errors import RemoteFailed
from ondeck.observe.backups import RepositoryLock, Snapshot
from ondeck.operate.backup.engine import Repository, Seat
from ondeck.operate.backup.places import link_to

THERE, GONE, FREE = "there", "not there", "free"
_TEST = 'for p; do if [ -e "$p" ] || [ -L "$p" ]; then echo there; else echo gone; fi; done'


def digest(words: Iterable[str]) -> str:
    """A short name of a set of words."""
    return hashlib.sha256("\n".join(sorted(words)).encode()).hexdigest()[:16]


def dead(locks: Iterable[RepositoryLock]) -> tuple[str, ...]:
    """Ids of locks whose holder was seen to be dead."""
    return tuple(sorted(lock.id for lock in locks if lock.alive is False))


async def values(
    names: Iterable[str], found: Repository, seat: Seat, bench: Bench, stay: tuple[str, ...] = ()
) -> dict[str, str]:
    """The facts of these names as they are now.

    Args:
        names: Which.
        found: A look at the repository just now.
        seat: Where the tool of the data's own host runs, for `source`.
        bench: To reach other hosts.
        stay: Keys that `kept` is about.

    Raises:
        Unreachable, LinkLost, RemoteFailed: One could not be read.
    """
    by_key = {snapshot.key: snapshot for snapshot in found.snapshots}
    answers = {}
    for name in names:
        kind, _, rest = name.partition(" ")
        if kind in ("source", "folder"):
            host, _, path = rest.partition(" ")
            is_there = await _is_there(seat if kind == "source" else None, bench, host, path)
            answers[name] = THERE if is_there else GONE if kind == "source" else FREE
        else:
            answers[name] = _of_repository(kind, rest, found, by_key, stay)
    return answers


def _of_repository(
    kind: str, rest: str, found: Repository, by_key: Mapping[str, Snapshot], stay: tuple[str, ...]
) -> str:
    match kind:
        case "repository":
            return found.id
        case "snapshot":
            return THERE if rest in by_key else GONE
        case "mark":
            return ("held" if by_key[rest].held else "not held") if rest in by_key else GONE
        case "kept":
            return digest(f"{k} {by_key[k].held}" for k in stay if k in by_key)
        case "locks":
            return digest(dead(found.locks))
    raise AssertionError(kind)


async def _is_there(seat: Seat | None, bench: Bench, host: str, path: str) -> bool:
    link = seat.link if seat is not None and seat.link.host == host else await link_to(bench, host)
    become = seat.setting.become if seat is not None else None
    done = await link.run(["sh", "-c", _TEST, "sh", path], become=become)
    if not done.ok:
        raise RemoteFailed(f"cannot look for {path}", where=host)
    return done.stdout.strip() == b"there"
