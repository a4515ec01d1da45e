"""How this provider asks a host: open, follow with silences noticed, wait before asking again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

from ondeck.bench import Bench
from ondeck.inventory.model import Host
from ondeck.reach.ports import Become, Chunk, Completed, Fd, Link, Stream
from ondeck.text import decode, safe_line

ERRORS = 4096


@asynccontextmanager
async def linked(host: Host, bench: Bench) -> AsyncIterator[Link]:
    """A link to a host, let go at the end.

    Raises:
        Unreachable: It could not be opened.
        Missing: No provider carries the host's transport.
    """
    link = await bench.reach(host.transport).connect(host)
    try:
        yield link
    finally:
        await link.aclose()


def become_root(wanted: bool) -> Become | None:
    """Root through sudo, when a source wants it."""
    return Become() if wanted else None


def why(done: Completed) -> str:
    """One line that says how a command failed."""
    lines = [line for line in decode(done.stderr).splitlines() if line.strip()]
    said = safe_line(lines[-1].strip()) if lines else ""
    if done.status is None:
        return said or "its exit status was not seen"
    return said or f"it ended with status {done.status}"


class Following:
    """Standard output of a followed command, with silences and the last words of its standard error."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._errors = b""

    @property
    def errors(self) -> str:
        """The last line of standard error; empty when there is none."""
        lines = [line.strip() for line in decode(self._errors).splitlines() if line.strip()]
        return safe_line(lines[-1]) if lines else ""

    async def chunks(self, silence: float) -> AsyncGenerator[bytes | None, None]:
        """Chunks as they come, and None after so many seconds without any. Use `aclosing`."""
        chunks = aiter(self._stream)
        coming = asyncio.ensure_future(_next(chunks))
        try:
            while True:
                done, _ = await asyncio.wait({coming}, timeout=silence)
                if not done:
                    yield None
                    continue
                chunk = coming.result()
                if chunk is None:
                    return
                coming = asyncio.ensure_future(_next(chunks))
                if chunk[0] is Fd.OUT:
                    yield chunk[1]
                else:
                    self._errors = (self._errors + chunk[1])[-ERRORS:]
        finally:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)


async def _next(chunks: AsyncIterator[Chunk]) -> tuple[Fd, bytes] | None:
    async for chunk in chunks:
        return chunk.fd, chunk.data
    return None
