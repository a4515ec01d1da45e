"""One sync of the log for all who wait for the disk at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class SharedSync:
    """Turns many waits for the disk into few: on 200 hosts every attempt waits twice.

    Nobody is told that something is on disk by a sync that may have begun before it was written: who
    comes while one runs waits for the next.
    """

    def __init__(self, sync: Callable[[], None]) -> None:
        """Use what makes everything written so far durable; it runs in a thread, never twice at once."""
        self._sync = sync
        self._running: asyncio.Task[None] | None = None
        self._next: asyncio.Task[None] | None = None

    async def wait(self) -> None:
        """Return when a sync that began after this call has ended; raises what it raised."""
        if self._next is None:
            self._next = asyncio.ensure_future(self._after(self._running))
        # Shielded: who is cancelled must not take the sync from those who share it.
        await asyncio.shield(self._next)

    async def _after(self, running: asyncio.Task[None] | None) -> None:
        if running is not None:
            await asyncio.wait([running])
        self._running, self._next = self._next, None
        await asyncio.to_thread(self._sync)
