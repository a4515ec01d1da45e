"""Who holds the lock of a state, and whether that process lives: found out on this machine, or not known.

The `local` backend holds a POSIX lock on the state's file while it works, so the kernel names the process. Of
any other backend the program tells `Who` as `user@host`: on another machine nobody here can know; on this one
a program of that user that was started before the lock was taken is its holder.

A holder is only called dead where every process that could be it would be seen: not from a pid namespace of our
own, not where /proc hides what belongs to others, not on a file system that other machines work on too.
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

from ondeck.text import decode, safe_line
from providers.terraform.stream import LockInfo

_FLOCK = "hhqqi4x"
_ATTEMPT = re.compile(rb"ONDECK_ATTEMPT=<([A-Za-z0-9._-]+)>")
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.\d+)?(?:Z| \+0000 UTC)\Z")
_SLACK = 2.0
_OCTAL = re.compile(r"\\([0-7]{3})")
_NETWORK = frozenset(
    ("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "virtiofs", "ceph", "afs", "lustre", "gfs2", "ocfs2")
)
_FIRST_NAMESPACE = "pid:[4026531836]"  # PROC_PID_INIT_INO of include/linux/proc_ns.h
_WORDS = frozenset((b"apply", b"destroy", b"plan", b"import", b"refresh", b"state", b"workspace", b"taint"))
"""Subcommands that take a lock: what stands in the argv of its holder, whatever its binary is called."""


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


def local_holder(state: Path) -> int | None:
    """The process that holds a local state now; None when none does.

    0 when it is locked and the kernel does not name the process: it is in another pid namespace, or, on a
    network file system, on another machine.

    Raises:
        OSError: The file cannot be asked.
    """
    try:
        fd = os.open(state, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        kind, _, _, _, pid = struct.unpack(_FLOCK, fcntl.fcntl(fd, fcntl.F_GETLK, asked))
    finally:
        os.close(fd)
    return None if kind == fcntl.F_UNLCK else max(0, pid)


def is_shared(state: Path) -> bool:
    """A file lies where other machines may work on it too: what the kernel says of its lock may be ours alone."""
    return _is_network(_type_of(os.path.realpath(state), Path("/proc/self/mountinfo").read_text()))


def _type_of(path: str, mounts: str) -> str:
    """The type of the file system of a path, out of proc_pid_mountinfo(5)."""
    found, longest = "", -1
    for line in mounts.splitlines():
        left, _, right = line.partition(" - ")
        point = _OCTAL.sub(lambda match: chr(int(match[1], 8)), left.split()[4])
        inside = point == "/" or path == point or path.startswith(f"{point}/")
        # Of two mounts on one point the later one is seen.
        if inside and len(point) >= longest:
            found, longest = right.split()[0], len(point)
    return found


def _is_network(kind: str) -> bool:
    return kind in _NETWORK or kind == "fuse" or kind.startswith("fuse.")


def process(pid: int) -> Process | None:
    """What is known of a process; None when it is gone or not ours to see."""
    folder = Path("/proc") / str(pid)
    try:
        fields = (folder / "stat").read_bytes().rpartition(b")")[2].split()
        uid = folder.stat().st_uid
    except OSError:
        return None
    if fields[0] in (b"Z", b"X"):
        return None
    started = _boot() + int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return Process(pid=pid, user=_user(uid), started=started, attempt=_attempt(folder))


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


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


def _pids() -> Iterator[int]:
    for entry in os.listdir("/proc"):  # noqa: PTH208 - one scan of many
        if entry.isdecimal():
            yield int(entry)


def running(names: tuple[str, ...]) -> Iterator[Process]:
    """Processes of the program that run on this machine now."""
    for pid in _pids():
        try:
            exe = Path(f"/proc/{pid}/exe").readlink().name.removesuffix(" (deleted)")
        except OSError:
            exe = _name(pid)
        if exe in names and (found := process(pid)) is not None:
            yield found


def _name(pid: int) -> str:
    """Of a process of another user: its name, which everybody may read."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def hidden(proc: Path = Path("/proc")) -> str:
    """Why a process of this machine may not be seen from here; empty when every one is."""
    try:
        if str((proc / "self/ns/pid").readlink()) != _FIRST_NAMESPACE:
            return "processes outside of this container are not seen from here"
        (proc / "1/stat").read_bytes()
    except OSError:
        return "processes of other users are not seen here (hidepid)"
    return ""


def is_here(info: LockInfo) -> bool:
    """The lock was taken on this machine, by the name that it says."""
    return info.who.rpartition("@")[2] in (socket.gethostname(), socket.gethostname().partition(".")[0])


def holder_here(info: LockInfo, names: tuple[str, ...]) -> Process | None:
    """The process on this machine that may hold the lock: of that user, and older than the lock."""
    return next((found for found in running(names) if _may_hold(found, info)), None)


def _may_hold(found: Process, info: LockInfo) -> bool:
    user, taken = info.who.rpartition("@")[0], created(info) / 1e9
    same = not user or found.user == user
    return same and (not taken or found.started <= taken + _SLACK)


def doubt(info: LockInfo) -> str:
    """Why a lock that was taken here may have a living holder though none was found; empty when it has none."""
    if why := hidden():
        return why
    for pid in _pids():
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if pid == os.getpid() or _WORDS.isdisjoint(words[1:]):
            continue
        if (found := process(pid)) is not None and _may_hold(found, info):
            return f"pid {pid} of {found.user} may be it: {safe_line(decode(b' '.join(words[:3])))}"
    return ""


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


def attempt_in(folder: Path) -> Process | None:
    """What an ondeck job started and what runs below a folder now, whatever its program is called."""
    top = folder.resolve()
    for pid in _pids():
        try:
            ours = Path(f"/proc/{pid}/cwd").readlink().is_relative_to(top)
        except OSError:
            continue
        if ours and (found := process(pid)) is not None and found.attempt:
            return found
    return None
