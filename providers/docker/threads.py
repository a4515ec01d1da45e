"""The threads in which the SDK waits: few, of this provider alone, made when first needed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

T = TypeVar("T")

_MOST = 12


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_MOST, thread_name_prefix="docker")


async def in_thread(work: Callable[[], T]) -> T:
    """Do a blocking call beside the loop. A cancel leaves the thread to its own time limit."""
    return await asyncio.get_running_loop().run_in_executor(_pool(), work)
