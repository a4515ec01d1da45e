"""Short attached commands whose half would be known to nobody: a cancel waits for their end."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def uncut(work: Coroutine[Any, Any, T]) -> T:
    """Do it to its end whatever comes.

    Raises:
        CancelledError: It was cancelled meanwhile; the work has ended.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        if not task.done():
            await asyncio.wait([task])
        # What it came to counts: a failure is told, a cancel goes on only after a success.
        task.result()
        raise


async def last(work: Coroutine[Any, Any, T]) -> T:
    """Do it to its end; a cancel meanwhile comes too late."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        return await task
