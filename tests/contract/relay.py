"""Connections to an engine that can be cut off whenever a test wants: a relay in front of its socket."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from ondeck.errors import Unreachable
from ondeck.inventory.model import Host
from ondeck.reach.ports import Link


class RelayLink:
    """A link whose forwarded sockets are relayed."""

    def __init__(self, link: Link, relays: Relays) -> None:
        self._link = link
        self._relays = relays

    def __getattr__(self, name: str) -> Any:
        return getattr(self._link, name)

    @asynccontextmanager
    async def forward_socket(self, path: str) -> AsyncIterator[str]:
        async with self._link.forward_socket(path) as local, self._relays.relayed(local) as relayed:
            yield relayed


class Relays:
    """A reach over another one; `lose` cuts every connection, and `down` refuses new ones."""

    def __init__(self, reach: Any) -> None:
        self._reach = reach
        self._writers: set[asyncio.StreamWriter] = set()
        self.down = False

    async def connect(self, host: Host) -> Any:
        if self.down:
            raise Unreachable("connection refused", where=host.name)
        return RelayLink(await self._reach.connect(host), self)

    async def aclose(self) -> None:
        await self._reach.aclose()

    def lose(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()

    @asynccontextmanager
    async def relayed(self, path: str) -> AsyncIterator[str]:
        folder = Path(tempfile.mkdtemp(prefix="ondeck-relay-"))
        tasks: set[asyncio.Task[None]] = set()

        def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.ensure_future(self._carry(path, reader, writer))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        server = await asyncio.start_unix_server(accepted, folder / "s")
        try:
            yield str(folder / "s")
        finally:
            server.close()
            ending = list(tasks)
            for task in ending:
                task.cancel()
            await asyncio.gather(*ending, return_exceptions=True)
            shutil.rmtree(folder, ignore_errors=True)

    async def _carry(self, path: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_unix_connection(path)
        self._writers |= {writer, back}
        try:
            with suppress(OSError):
                await asyncio.gather(_pump(reader, back), _pump(there, writer))
        finally:
            self._writers -= {writer, back}
            writer.close()
            back.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()
