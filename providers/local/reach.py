"""Links to this machine: the promises of `ondeck.reach.ports` over local child processes."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from ondeck.errors import LinkLost, Reason, Unreachable
from ondeck.inventory.model import Host, Inventory
from ondeck.reach import files, sockets
from ondeck.reach.command import with_env
from ondeck.reach.ports import Become, Chunk, Completed, Fd, FileFacts, Link, Reach, Stream
from ondeck.settings import Settings
from providers.local.process import GRACE, NotStarted, Running

_PIPES_STAY = 1.0
_CHUNK = 65536
_QUEUE = 16


class LocalTransport:
    """Capability `reach` for `transport: local`."""

    def open(self, inventory: Inventory, settings: Settings) -> Reach:
        """A reach that needs nothing of the inventory."""
        return LocalReach(settings)


class LocalReach:
    """Makes links to this machine."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._links: list[LocalLink] = []

    async def connect(self, host: Host) -> Link:
        """A link to this machine under the name of `host`; never fails."""
        link = LocalLink(host.name, self._settings)
        self._links = [known for known in self._links if not known.closed]
        self._links.append(link)
        return link

    async def aclose(self) -> None:
        """Close every link."""
        for link in self._links:
            await link.aclose()
        self._links.clear()


class LocalLink:
    """One host's worth of child processes."""

    def __init__(self, host: str, settings: Settings) -> None:
        self._host = host
        self._settings = settings
        self._running: set[Running] = set()
        self._closed = False

    @property
    def host(self) -> str:
        """The host's name in the inventory."""
        return self._host

    @property
    def closed(self) -> bool:
        """True after `aclose`."""
        return self._closed

    async def aclose(self) -> None:
        """Stop what runs over this link and refuse more."""
        self._closed = True
        for running in tuple(self._running):
            await running.stop()

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
        """Run to the end and capture; see `ondeck.reach.ports.Link.run`."""
        started = time.monotonic()
        try:
            running = await self._start(argv, env, become)
        except NotStarted as error:
            return Completed(error.status, b"", error.text.encode()[:limit])
        try:
            async with asyncio.timeout(self._settings.seconds(timeout)):
                done = await _capture(running, stdin, limit, self._settings.seconds(_PIPES_STAY))
        except BaseException:
            await running.stop()
            raise
        finally:
            self._running.discard(running)
        running.release()
        if self._closed:
            raise LinkLost("the link was closed while a command ran", where=self._host)
        if become is not None:
            self._check_sudo(done[1])
        status, sign = _status(running.returncode)
        return Completed(
            status, done[0], done[1], signal=sign, dropped=done[2], seconds=time.monotonic() - started
        )

    @asynccontextmanager
    async def stream(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        become: Become | None = None,
        relay: bool = False,
    ) -> AsyncIterator[Stream]:
        """Follow a command; see `ondeck.reach.ports.Link.stream`."""
        if become is not None:
            await self.run(["true"], become=become)
        started = time.monotonic()
        try:
            running = await self._start(argv, env, become)
        except NotStarted as error:
            yield _NeverStarted(error)
            return
        if not relay:
            await running.feed(b"", close=True)
        stream = LocalStream(running, self, started, self._settings.seconds(_PIPES_STAY))
        try:
            yield stream
        finally:
            await stream.close()
            self._running.discard(running)

    async def read_file(self, path: str, *, limit: int = 8 << 20, become: Become | None = None) -> bytes:
        """Content of a file; see `ondeck.reach.ports.Link.read_file`."""
        return await files.read_file(self.run, path, limit=limit, become=become)

    async def write_file(
        self, path: str, data: bytes, *, mode: int = 0o644, owner: str = "", become: Become | None = None
    ) -> None:
        """Write beside, sync, rename over; see `ondeck.reach.ports.Link.write_file`."""
        await files.write_file(self.run, path, data, mode=mode, owner=owner, become=become)

    async def stat(
        self, path: str, *, digest: bool = False, become: Become | None = None
    ) -> FileFacts | None:
        """Facts of a file, None when it is not there."""
        return await files.stat(self.run, path, digest=digest, become=become)

    @asynccontextmanager
    async def forward_socket(self, path: str) -> AsyncIterator[str]:
        """The path itself: it is on this machine already; see `ondeck.reach.ports.Link`."""
        await sockets.usable(self.run, path, self._host)
        yield path

    async def _start(
        self, argv: Sequence[str], env: Mapping[str, str] | None, become: Become | None
    ) -> Running:
        if self._closed:
            raise Unreachable("the link is closed", where=self._host)
        with_env(argv, env)  # what no command line can carry is refused here as over any other transport
        grace = self._settings.seconds(GRACE)
        running = await Running.start(argv, env=env, become=become, grace=grace)
        if self._closed:
            await running.stop()
            raise LinkLost("the link was closed while a command was starting", where=self._host)
        self._running.add(running)
        return running

    def _check_sudo(self, stderr: bytes) -> None:
        first = stderr.partition(b"\n")[0]
        asks = b"password is required" in first or b"terminal is required" in first
        if first.startswith(b"sudo: ") and asks:
            raise Unreachable(
                "sudo asks for a password",
                reason=Reason.BECOME,
                where=self._host,
                hint="allow it without one (NOPASSWD) for the commands that ondeck runs",
            )


class LocalStream:
    """A child that is being followed; at most a few chunks wait in it, then the child has to wait."""

    def __init__(self, running: Running, link: LocalLink, started: float, stay: float) -> None:
        self._running = running
        self._link = link
        self._started = started
        self._chunks: asyncio.Queue[Chunk | None] = asyncio.Queue(_QUEUE)
        self._pump = asyncio.create_task(self._read(stay))

    async def _read(self, stay: float) -> None:
        readers = {
            asyncio.create_task(self._forward(self._running.stdout, Fd.OUT)),
            asyncio.create_task(self._forward(self._running.stderr, Fd.ERR)),
        }
        try:
            await self._running.exited()
            await self._until_quiet(readers, stay)
        finally:
            for reader in readers:
                reader.cancel()
        await self._chunks.put(None)

    async def _until_quiet(self, readers: set[asyncio.Task[None]], stay: float) -> None:
        """What was written before the end still comes, however slowly it is taken."""
        while readers:
            _, readers = await asyncio.wait(readers, timeout=stay)
            if self._chunks.empty():
                return

    async def _forward(self, reader: asyncio.StreamReader, fd: Fd) -> None:
        while data := await reader.read(_CHUNK):
            await self._chunks.put(Chunk(fd, data))

    async def __aiter__(self) -> AsyncIterator[Chunk]:
        while (chunk := await self._chunks.get()) is not None:
            yield chunk
        self._chunks.put_nowait(None)

    async def wait(self) -> Completed:
        """Status after the last chunk.

        Raises:
            LinkLost: The link was closed first.
        """
        code = await self._running.exited()
        if self._link.closed:
            raise LinkLost("the link was closed while a command ran", where=self._link.host)
        status, sign = _status(code)
        return Completed(status, b"", b"", signal=sign, seconds=time.monotonic() - self._started)

    async def send(self, data: bytes) -> None:
        """Write to the child's standard input."""
        await self._running.feed(data, close=False)

    async def close(self) -> None:
        """Stop the child's whole group and the reading."""
        self._pump.cancel()
        await self._running.stop()


class _NeverStarted:
    """A stream of a program that could not be executed: its message, then its status."""

    def __init__(self, error: NotStarted) -> None:
        self._error = error

    async def __aiter__(self) -> AsyncIterator[Chunk]:
        yield Chunk(Fd.ERR, self._error.text.encode())

    async def wait(self) -> Completed:
        return Completed(self._error.status, b"", b"")

    async def send(self, data: bytes) -> None:
        return None


async def _capture(running: Running, stdin: bytes, limit: int, stay: float) -> tuple[bytes, bytes, int]:
    """Feed and read at the same time; what is beyond the limit is read, counted and thrown away."""
    out, err = bytearray(), bytearray()
    dropped = 0

    async def gather(reader: asyncio.StreamReader, into: bytearray) -> None:
        nonlocal dropped
        while data := await reader.read(_CHUNK):
            room = max(0, limit - len(into))
            into += data[:room]
            dropped += max(0, len(data) - room)

    readers = [
        asyncio.create_task(gather(running.stdout, out)),
        asyncio.create_task(gather(running.stderr, err)),
    ]
    feeding = asyncio.create_task(running.feed(stdin, close=True))
    try:
        await running.exited()
        await asyncio.wait(readers, timeout=stay)
    finally:
        for task in (*readers, feeding):
            task.cancel()
        await asyncio.gather(*readers, feeding, return_exceptions=True)
    return bytes(out), bytes(err), dropped


def _status(code: int | None) -> tuple[int | None, str]:
    """Exit status and signal name from a returncode of `subprocess`."""
    if code is None or code >= 0:
        return code, ""
    try:
        return None, signal.Signals(-code).name[3:]
    except ValueError:
        return None, str(-code)
