"""Losing connections on purpose: a switch that counts calls, and a socket whose requests are such calls."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from ondeck.errors import LinkLost

_CHUNK = 65_536


class Cuts:
    """Loses every link at the n-th call from now on, until it is healed."""

    def __init__(self) -> None:
        self.left: int | None = None
        self.calls = 0

    def after(self, calls: int) -> None:
        """Let so many calls through, then nothing."""
        self.left = calls

    def heal(self) -> None:
        """Let everything through again."""
        self.left = None

    def pass_one(self, host: str) -> None:
        """Count a call.

        Raises:
            LinkLost: The links are cut.
        """
        self.calls += 1
        if self.left is None:
            return
        if self.left <= 0:
            raise LinkLost("the connection ended", where=host)
        self.left -= 1


@asynccontextmanager
async def cut_socket(path: str, cuts: Cuts) -> AsyncIterator[str]:
    """A socket in front of another one: what a client sends in one go is a call that may be cut.

    A cut comes before or, every second time, after the request: the other side has it then, and its answer
    never comes back.
    """
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="ondeck-cut-"))
    carried: set[asyncio.Task[None]] = set()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError, LinkLost):
                await _carry(path, cuts, reader, writer)
        finally:
            writer.close()

    def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(carry(reader, writer))
        carried.add(task)
        task.add_done_callback(carried.discard)

    server = await asyncio.start_unix_server(accepted, folder / "s")
    try:
        yield str(folder / "s")
    finally:
        server.close()
        ending = list(carried)
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


async def _carry(path: str, cuts: Cuts, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    there, back = await asyncio.open_unix_connection(path)
    answers = asyncio.ensure_future(_answers(there, writer))
    try:
        while request := await reader.read(_CHUNK):
            late = cuts.left == 0 and cuts.calls % 2 == 1
            if late:
                answers.cancel()
                await asyncio.gather(answers, return_exceptions=True)
                back.write(request)
                await back.drain()
                await there.read(_CHUNK)
            cuts.pass_one("")
            back.write(request)
            await back.drain()
        if back.can_write_eof():
            back.write_eof()
        await answers
    finally:
        answers.cancel()
        await asyncio.gather(answers, return_exceptions=True)
        back.close()


async def _answers(there: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while answer := await there.read(_CHUNK):
        writer.write(answer)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()
