"""Sockets of a host as local paths: what every transport does the same way."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

from ondeck.errors import BadInput, Missing, RemoteFailed
from ondeck.reach.ports import Completed

_LONGEST = 100
"""A unix socket's path has at most 107 bytes on Linux; ssh adds some of its own while it makes one."""

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


@asynccontextmanager
async def private_path() -> AsyncIterator[str]:
    """A path for a socket in a 0700 folder of its own; both are gone afterwards."""
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="ondeck-socket-"))
    try:
        yield str(folder / "s")
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
