"""Who holds the lock of a state, and whether that process lives: found out on this machine, or not known.

The `local` backend holds a POSIX lock on the state's file while it works, so the kernel names the process. Of
any other backend the program tells `Who` as `user@host`: on another machine nobody here can know; on this one
a program of that user that was started before the lock was taken is its holder.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import re
import socket
import struct
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec

from ondeck.text import safe_line
from providers.terraform.stream import LockInfo

_FLOCK = "hhqqi4x"
_ATTEMPT = re.compile(rb"ONDECK_ATTEMPT=<([A-Za-z0-9._-]+)>")
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.\d+)?(?:Z| \+0000 UTC)\Z")
_SLACK = 2.0


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """A process of the program: started is in seconds since 1970, attempt that of an ondeck job."""

    pid: int
    user: str
    started: float
    attempt: str = ""


def created(info: LockInfo) -> int:
    """When the lock was taken, ns; 0 when that is not said."""
    match = _TIME.match(info.created)
    if match is None:
        return 0
    try:
        return int(datetime.fromisoformat(f"{match[1]}T{match[2]}+00:00").timestamp()) * 10**9
    except ValueError:
        return 0


def local_info(state: Path) -> LockInfo | None:
    """What stands in the lock file beside a local state; None when there is none."""
    try:
        raw = (state.parent / f".{state.name}.lock.info").read_bytes()
        found = msgspec.json.decode(raw, type=dict[str, str])
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError):
        return LockInfo(id="")
    taken = {key: safe_line(found.get(name, "")) for key, name in _FIELDS.items()}
    return LockInfo(**taken)


_FIELDS = {"id": "ID", "who": "Who", "operation": "Operation", "created": "Created", "version": "Version"}


def local_holder(state: Path) -> int:
    """The process that holds a local state now; 0 when none does.

    Raises:
        OSError: The file cannot be asked.
    """
    try:
        fd = os.open(state, os.O_RDWR)
    except FileNotFoundError:
        return 0
    try:
        asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        kind, _, _, _, pid = struct.unpack(_FLOCK, fcntl.fcntl(fd, fcntl.F_GETLK, asked))
    finally:
        os.close(fd)
    return 0 if kind == fcntl.F_UNLCK else pid


def process(pid: int) -> Process | None:
    """What is known of a process; None when it is gone or not ours to see."""
    folder = Path("/proc") / str(pid)
    try:
        fields = (folder / "stat").read_bytes().rpartition(b")")[2].split()
        user = pwd.getpwuid(folder.stat().st_uid).pw_name
    except (OSError, KeyError):
        return None
    if fields[0] in (b"Z", b"X"):
        return None
    started = _boot() + int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return Process(pid=pid, user=user, started=started, attempt=_attempt(folder))


def _attempt(folder: Path) -> str:
    try:
        found = _ATTEMPT.search((folder / "environ").read_bytes())
    except OSError:
        return ""
    return found[1].decode() if found else ""


def _boot() -> float:
    for line in Path("/proc/stat").read_text().splitlines():
        if line.startswith("btime "):
            return float(line.split()[1])
    return 0.0


def running(names: tuple[str, ...]) -> Iterator[Process]:
    """Processes of the program that run on this machine now."""
    for entry in os.listdir("/proc"):  # noqa: PTH208 - one scan of many
        if not entry.isdecimal():
            continue
        try:
            exe = Path(f"/proc/{entry}/exe").readlink().name
        except OSError:
            exe = _name(entry)
        if exe in names and (found := process(int(entry))) is not None:
            yield found


def _name(pid: str) -> str:
    """Of a process of another user: its name, which everybody may read."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def is_here(info: LockInfo) -> bool:
    """The lock was taken on this machine, by the name that it says."""
    return info.who.rpartition("@")[2] in (socket.gethostname(), socket.gethostname().partition(".")[0])


def holder_here(info: LockInfo, names: tuple[str, ...]) -> Process | None:
    """The process on this machine that may hold the lock: of that user, and older than the lock."""
    user, taken = info.who.rpartition("@")[0], created(info) / 1e9
    for found in running(names):
        same = not user or found.user == user
        if same and (not taken or found.started <= taken + _SLACK):
            return found
    return None


def working_in(folder: Path, names: tuple[str, ...]) -> Process | None:
    """A process of the program that works below a folder: one of ours, whatever the lock tells of itself."""
    for found in running(names):
        try:
            at = Path(f"/proc/{found.pid}/cwd").readlink()
        except OSError:
            continue
        if at.is_relative_to(folder.resolve()):
            return found
    return None
