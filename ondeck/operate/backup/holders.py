"""Whether who holds a repository's lock lives: asked of the host that the tool runs on, for locks that name it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from ondeck.observe.backups import NS, RepositoryLock

if TYPE_CHECKING:
    from ondeck.operate.backup.engine import Seat

# Who sees the first process sees all of them; where /proc hides those of others (hidepid), one that is not
# seen may live. A process that began after the lock was renewed last is another one under the same number.
_ASK = """read -r h </proc/sys/kernel/hostname; echo "host $h"
date +now\\ %s
k=$(getconf CLK_TCK 2>/dev/null) || k=100
b=$(sed -n 's/^btime //p' /proc/stat)
v=; cat /proc/1/stat >/dev/null 2>&1 && v=1
for p; do
if x=$(cat "/proc/$p/stat" 2>/dev/null); then
x=${x##*) }
case $x in [ZX]*) echo "pid $p 0"; continue;; esac
set -- $x; shift 19; echo "pid $p $((b+$1/k))"
elif [ "$v" ]; then echo "pid $p 0"; fi
done
"""
_GRACE = 5


class Holders(msgspec.Struct, frozen=True):
    """The locks with what is known of their holders; `host` is what the asked one calls itself."""

    locks: tuple[RepositoryLock, ...] = ()
    host: str = ""
    skew: float | None = None


async def holders(seat: Seat, locks: Sequence[RepositoryLock]) -> Holders:
    """Ask the host of the seat; a lock of another host stays not known.

    Raises:
        Unreachable, LinkLost, TimeoutError: It could not be asked.
    """
    before = time.time()
    done = await seat.plain(["sh", "-c", _ASK, "sh", *(str(lock.pid) for lock in locks)])
    middle = (before + time.time()) / 2
    host, skew, began = "", None, dict[int, int]()
    for line in done.stdout.decode("utf-8", "replace").splitlines():
        match line.split(" "):
            case ["host", name]:
                host = name
            case ["now", seconds] if seconds.isdigit():
                skew = int(seconds) + 0.5 - middle
            case ["pid", pid, since] if pid.isdigit() and since.isdigit():
                began[int(pid)] = int(since)
    known = tuple(msgspec.structs.replace(lock, alive=_alive(lock, host, began)) for lock in locks)
    return Holders(known, host, skew)


def _alive(lock: RepositoryLock, host: str, began: dict[int, int]) -> bool | None:
    if lock.host != host or lock.pid not in began:
        return None
    since = began[lock.pid]
    return bool(since) and since <= lock.since // NS + _GRACE
