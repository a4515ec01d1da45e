"""Waiting for a file that another process has locked: never for ever, and who holds it is named."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from ondeck.errors import StateBroken

PATIENCE = 10.0
"""Seconds that a writer waits for another one of the same file; each holds it for milliseconds."""
_PAUSE = 0.02


def claim(fd: int, path: Path, seconds: float = PATIENCE) -> None:
    """Lock an open file for ourselves, as long as it stays open.

    Args:
        fd: The open file.
        path: Its name, for the message.
        seconds: How long to wait for who holds it.

    Raises:
        StateBroken: Somebody held it all the time: who, as far as that can be known, and what to do.
    """
    until = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= until:
                raise _held(fd, path) from None
        time.sleep(_PAUSE)


def _held(fd: int, path: Path) -> StateBroken:
    holders = holders_of(fd)
    if not holders:
        return StateBroken(
            f"{path} is locked by a process that cannot be seen from here",
            hint=f"find it: sudo lsof {path}",
        )
    names = " and ".join(f"process {pid} ({_name(pid)})" for pid in holders)
    pid = holders[0]
    return StateBroken(
        f"{path} is locked by {names}",
        hint=f"look at it: ps -fp {pid}; if it is stopped: kill -CONT {pid}; if nobody needs it: kill -9 {pid}",
    )


def holders_of(fd: int) -> tuple[int, ...]:
    """Process ids that hold a flock on this open file, as far as the kernel shows them to us."""
    facts = os.fstat(fd)
    inode = str(facts.st_ino)
    device = f"{os.major(facts.st_dev):02x}:{os.minor(facts.st_dev):02x}"
    try:
        lines = Path("/proc/locks").read_text("ascii").splitlines()
    except OSError:
        return ()
    rows = [line.split() for line in lines if " -> " not in line]
    found = [row for row in rows if len(row) > 5 and row[1] == "FLOCK" and row[5].endswith(f":{inode}")]
    # A file system over others may show another device than the file itself does.
    same = [row for row in found if row[5] == f"{device}:{inode}"] or found
    return tuple(int(row[4]) for row in same if int(row[4]) > 0)


def _name(pid: int) -> str:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        name, _, rest = stat.partition("(")[2].rpartition(")")
    except OSError:
        return "of another user"
    return f"{name}, stopped" if rest.split()[:1] in (["T"], ["t"]) else name
