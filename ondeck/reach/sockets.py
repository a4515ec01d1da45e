"""Sockets of a host as local paths: what every transport does the same way."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
import tempfile
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

from ondeck.errors import BadInput, Missing, RemoteFailed, StateBroken
from ondeck.reach.ports import Completed

_LONGEST = 100
"""A unix socket's path has at most 107 bytes on Linux; ssh adds some of its own while it makes one."""

_FOLDER = "ondeck-"
_ROOT = 107 - 17 - len("/") - len(_FOLDER) - 8 - len("/s")
"""Bytes that the root of our own sockets may have: ssh adds 17 while it makes one, `mkdtemp` 8 to the folder's name."""

_ABSENT, _FORBIDDEN = 44, 45
_LOOK = """[ -e "$1" ] || exit 44
[ -S "$1" ] || exit 44
[ -r "$1" ] && [ -w "$1" ] || exit 45"""


class _Run(Protocol):
    def __call__(self, argv: list[str], /) -> Awaitable[Completed]: ...


async def usable(run: _Run, path: str, host: str) -> None:
    """Say why a socket of a host cannot be used before anything is forwarded to it.

    Raises:
        BadInput: No forward can name it.
        Missing: It is not there, or is no socket.
        RemoteFailed: The login may not use it.
    """
    if not path.startswith("/") or set(path) & set(":\n\r\0") or len(path.encode()) > _LONGEST:
        raise BadInput(f"{path!r} is not a socket that can be forwarded: absolute, short, without a colon")
    done = await run(["sh", "-c", _LOOK, "sh", path])
    if done.status == _ABSENT:
        raise Missing(f"there is no socket {path}", where=host)
    if done.status == _FORBIDDEN:
        raise RemoteFailed(
            f"the login may not use the socket {path}",
            hint="put it into the group that owns the socket",
            where=host,
        )
    if not done.ok:
        raise RemoteFailed(f"cannot look at {path}: exit {done.status}", where=host)


def folder_in(state: Path) -> Path:
    """A new 0700 folder for sockets, below a folder of the user alone: they lead to what is as good as root there.

    Never below the temporary folder that all share. The user's runtime folder is taken where it is ours alone,
    else the state folder.

    Args:
        state: The state folder.

    Raises:
        BadInput: A socket in it would have too long a path.
        StateBroken: It cannot be made.
    """
    for root in (_runtime(), state.absolute() / "run"):
        if root is None or len(os.fsencode(root)) > _ROOT:
            continue
        try:
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
            return Path(tempfile.mkdtemp(prefix=_FOLDER, dir=root))
        except OSError as error:
            raise StateBroken(f"cannot make a folder for sockets in {root}: {error.strerror}") from error
    raise BadInput(
        f"{state} is too long for the path of a socket, and there is no XDG_RUNTIME_DIR of yours alone",
        hint="log in so that there is one, or set ONDECK_STATE to a shorter folder",
    )


def _runtime() -> Path | None:
    """The folder that the login made for what lives as long as it; None when it is not there or not ours alone."""
    named = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    try:
        facts = Path(named).lstat()
    except OSError:
        return None
    ours = stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.getuid() and not facts.st_mode & 0o077
    return Path(named) if ours and Path(named).is_absolute() and os.access(named, os.W_OK) else None


@asynccontextmanager
async def private_path(state: Path) -> AsyncIterator[str]:
    """A path for a socket in a 0700 folder of its own; both are gone afterwards.

    Raises:
        BadInput, StateBroken: As `folder_in`.
    """
    folder = await asyncio.to_thread(folder_in, state)
    try:
        yield str(folder / "s")
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
