"""Sessions on a connection: bytes in, with a bound, and the one truth about how it ended."""

from __future__ import annotations

import asyncio
from collections import deque

from ondeck.reach.ports import Chunk, Fd
from providers.ssh.library import asyncssh

HIGH = 256 << 10
LOW = 64 << 10


class _Ended:
    """How a channel ended: an exit status, a signal, or neither, which means it was lost."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.signal = ""
        self.loss: Exception | None = None

    @property
    def known(self) -> bool:
        return self.status is not None or bool(self.signal)


class Session(asyncssh.SSHClientSession[bytes]):
    """What all our sessions share: status, end, and keeping our side open after the other's EOF."""

    def __init__(self) -> None:
        self.end = _Ended()
        self.started = False
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.chan: asyncssh.SSHClientChannel[bytes] | None = None
        self.heard = 0.0

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        """The channel is open."""
        self.chan = chan

    def session_started(self) -> None:
        """The command was accepted."""
        self.started = True

    def exit_status_received(self, status: int) -> None:
        """The status that the remote shell ended with."""
        self.end.status = status
        self._ended()

    def exit_signal_received(self, signal: str, core_dumped: bool, msg: str, lang: str) -> None:
        """The remote shell itself was killed."""
        self.end.signal = signal
        self._ended()

    def eof_received(self) -> bool:
        """Keep our side open: closing it would tell the remote script to stop the command."""
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """The channel is closed."""
        self.end.loss = exc
        if not self.done.done():
            self.done.set_result(None)

    def drop(self) -> None:
        """Close the channel whatever the other end says."""
        if self.chan is not None and not self.done.done():
            self.chan.abort()

    def _ended(self) -> None:
        """A daemon that kept our pipes holds the channel open for ever: stop waiting for it in time."""
        loop = asyncio.get_running_loop()
        self.heard = loop.time()
        loop.call_later(1.0, self._leave)

    def _leave(self) -> None:
        if self.done.done() or self.chan is None:
            return
        loop = asyncio.get_running_loop()
        quiet = loop.time() - self.heard
        if quiet >= 1.0 and self.idle():
            self.chan.close()
        else:
            loop.call_later(1.0, self._leave)

    def idle(self) -> bool:
        """True when nothing that arrived is still waiting for its reader."""
        return True


class Capture(Session):
    """Keeps the first `limit` bytes of each stream and counts the rest."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit
        self.out = bytearray()
        self.err = bytearray()
        self.dropped = 0

    def data_received(self, data: bytes, datatype: int | None) -> None:
        """Some bytes came."""
        if self.end.known:
            self.heard = asyncio.get_running_loop().time()
        kept = self.out if datatype is None else self.err
        room = self._limit - len(kept)
        if room >= len(data):
            kept += data
            return
        kept += data[: max(room, 0)]
        self.dropped += len(data) - max(room, 0)


class Follow(Session):
    """Hands chunks to one reader; when it does not keep up, the other end is held back."""

    def __init__(self) -> None:
        super().__init__()
        self._chunks: deque[Chunk] = deque()
        self._size = 0
        self._held = False
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    def data_received(self, data: bytes, datatype: int | None) -> None:
        """Some bytes came."""
        if self.end.known:
            self.heard = asyncio.get_running_loop().time()
        self._chunks.append(Chunk(Fd.OUT if datatype is None else Fd.ERR, data))
        self._size += len(data)
        if self._size > HIGH and not self._held and self.chan is not None:
            self._held = True
            self.chan.pause_reading()
        self._news.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """The channel is closed: nothing more will come."""
        super().connection_lost(exc)
        self._news.set()
        self._room.set()

    def idle(self) -> bool:
        """True when the reader has everything."""
        return not self._chunks

    def pause_writing(self) -> None:
        """The other end does not read what we send."""
        self._room.clear()

    def resume_writing(self) -> None:
        """It does again."""
        self._room.set()

    async def room(self) -> None:
        """Wait until the other end takes more input."""
        await self._room.wait()

    async def chunk(self) -> Chunk | None:
        """The next chunk; None after the last one."""
        while not self._chunks:
            if self.done.done():
                return None
            self._news.clear()
            await self._news.wait()
        chunk = self._chunks.popleft()
        self._size -= len(chunk.data)
        if self._held and self._size < LOW and self.chan is not None:
            self._held = False
            self.chan.resume_reading()
        return chunk
