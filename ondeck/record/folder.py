"""The state folder: private, checked before it is used, and written so that half a file is never read."""

from __future__ import annotations

import fcntl
import os
import secrets
import stat
from pathlib import Path

from ondeck.errors import StateBroken
from ondeck.streams import beyond

PRIVATE_FOLDER = 0o700
PRIVATE_FILE = 0o600


def ensure(path: Path) -> Path:
    """Make a private folder, or check that the one that is there is ours alone.

    Raises:
        StateBroken: It cannot be made, is a link, belongs to somebody else or is open to others.
    """
    try:
        path.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        facts = path.lstat()
    except OSError as error:
        raise broken(path, error) from error
    if not stat.S_ISDIR(facts.st_mode):
        raise StateBroken(
            f"{path} is not a folder", hint=f"look at it, then move it away: mv {path} {path}.old"
        )
    if facts.st_uid != os.geteuid():
        raise StateBroken(
            f"{path} belongs to user {facts.st_uid}, not to you",
            hint=f"choose another folder with ONDECK_STATE, or: sudo chown -R $(id -u) {path}",
        )
    if facts.st_mode & 0o077:
        raise StateBroken(
            f"{path} is open to other users (mode {stat.S_IMODE(facts.st_mode):04o})",
            hint=f"close it: chmod 0700 {path}",
        )
    return path


_GOES_ON = "`now`, `get`, `logs` and `top` go on; `exec` needs this folder, also for a read"


def broken(path: Path, error: OSError) -> StateBroken:
    """The error for a file of ours that cannot be read or written: which, why, and what to do."""
    import errno

    hint = ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        hint = f"free some space there, or point ONDECK_STATE to a folder with room; nothing was lost\n{_GOES_ON}"
    elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        hint = f"see who owns it and whether it is mounted read-only\n{_GOES_ON}"
    return StateBroken(f"{path} cannot be used: {error.strerror or error}", hint=hint)


def open_private(path: Path, flags: int) -> int:
    """Open or make a file of ours: never through a link, never readable by others, never a standard stream.

    Raises:
        StateBroken: It cannot be opened.
    """
    try:
        return beyond(os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE_FILE))
    except OSError as error:
        raise broken(path, error) from error


def write_all(fd: int, data: bytes) -> None:
    """Write every byte, however often the kernel takes only a part; raises OSError."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def sync_folder(path: Path) -> None:
    """Make new names in a folder durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_new(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Write beside, sync, rename: a reader sees all of it or the file before.

    Raises:
        StateBroken: No room or no right; what was there is untouched.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.new")
    fd = open_private(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        try:
            write_all(fd, data)
            if durable:
                os.fsync(fd)
        finally:
            os.close(fd)
        beside.rename(path)
        if durable:
            sync_folder(path.parent)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise broken(path, error) from error


def claim(path: Path, data: bytes) -> bool:
    """Make a file, whole and at once, that nobody else made before; False when it is there.

    Raises:
        StateBroken: No room or no right.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    write_new(beside, data)
    try:
        os.link(beside, path, follow_symlinks=False)
        sync_folder(path.parent)
    except FileExistsError:
        return False
    except OSError as error:
        raise broken(path, error) from error
    finally:
        beside.unlink(missing_ok=True)
    return True


def read_private(path: Path, *, limit: int = 256 << 20) -> bytes:
    """Content of a file of ours, never through a link.

    Raises:
        StateBroken: It is not there, cannot be read or is absurdly large.
    """
    fd = open_private(path, os.O_RDONLY)
    with os.fdopen(fd, "rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise StateBroken(f"{path} is larger than {limit} bytes")
    return data


def is_held(file: Path) -> bool:
    """True while some living process holds a lock on the file; the kernel answers. Raises StateBroken."""
    try:
        fd = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise broken(file, error) from error
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False
