"""The smallest honest Link: child processes of this machine, and a way to lose it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from ondeck.errors import LinkLost, Unreachable
from ondeck.inventory.model import Host
from ondeck.reach.ports import Become, Chunk, Completed, Fd
from ondeck.settings import Settings


class ChildStream:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.lost = False

    async def __aiter__(self) -> AsyncIterator[Chunk]:
        assert self._process.stdout is not None
        while data := await self._process.stdout.read(65_536):
            yield Chunk(Fd.OUT, data)
        if self.lost:
            raise LinkLost("connection lost")
        assert self._process.stderr is not None
        if data := await self._process.stderr.read(65_536):
            yield Chunk(Fd.ERR, data)

    async def wait(self) -> Completed:
        return Completed(await self._process.wait(), b"", b"")

    def kill(self) -> None:
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return


class ChildLink:
    def __init__(self, host: str, reach: ChildReach) -> None:
        self.host = host
        self.closed = False
        self._reach = reach

    async def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        become: Become | None = None,
        timeout: float = 60.0,
        limit: int = 1 << 20,
    ) -> Completed:
        process = await asyncio.create_subprocess_exec(
            *argv, stdin=-1, stdout=-1, stderr=-1, env=self._reach.env
        )
        out, err = await process.communicate(stdin)
        return Completed(process.returncode, out[:limit], err[:limit])

    @asynccontextmanager
    async def stream(self, argv: Sequence[str], **_: Any) -> AsyncIterator[ChildStream]:
        process = await asyncio.create_subprocess_exec(
            *argv, stdin=-3, stdout=-1, stderr=-1, start_new_session=True, env=self._reach.env
        )
        stream = ChildStream(process)
        self._reach.streams.append(stream)
        try:
            yield stream
        finally:
            stream.kill()
            await process.wait()
            self._reach.streams.remove(stream)

    async def aclose(self) -> None:
        self.closed = True


class ChildReach:
    """Connects unless `down`; `lose` ends every stream as a lost connection does."""

    def __init__(self, programs: Path | None = None) -> None:
        self.streams: list[ChildStream] = []
        self.down = False
        path = os.environ["PATH"]
        self.env = {**os.environ, "PATH": f"{programs}:{path}" if programs else path}

    async def connect(self, host: Host) -> Any:
        if self.down:
            raise Unreachable("connection refused", where=host.name)
        return ChildLink(host.name, self)

    def lose(self) -> None:
        for stream in self.streams:
            stream.lost = True
            stream.kill()

    async def aclose(self) -> None:
        self.lose()


class ChildBench:
    def __init__(self, programs: Path | None = None, timescale: float = 0.05) -> None:
        nowhere = Path("/nowhere")
        self.settings = Settings(state=nowhere, cache=nowhere, config=nowhere, timescale=timescale)
        self.children = ChildReach(programs)

    def reach(self, transport: str) -> ChildReach:
        return self.children
