"""Asks the sources of the inventory, beside everything else, and keeps what they answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from ondeck.bench import Bench
from ondeck.errors import OndeckError
from ondeck.inventory import discovering
from ondeck.inventory.discovering import Discovered, Entry
from ondeck.observe.ports import DiscoveryReader
from ondeck.registry import Registry

STALE = 600.0
"""Seconds after which a face that opens asks again."""


async def ask(registry: Registry, bench: Bench, entry: Entry) -> Discovered:
    """What one source knows; never raises for it."""
    try:
        reader: DiscoveryReader = registry.load(
            registry.serving("discover.from", entry.kind).name, "discovery"
        )
        return await reader.discover(entry, bench)
    except OndeckError as error:
        return Discovered(source=f"{entry.kind} ({entry.where})", error=error.message)


async def refresh(
    registry: Registry, bench: Bench, entries: Sequence[Entry], *, older: float = 0.0
) -> list[Discovered]:
    """Ask every source whose last answer is older than so many seconds; what is known of each now."""
    folder = bench.settings.cache

    async def one(entry: Entry) -> Discovered:
        known = discovering.kept(folder, entry)
        if known is not None and not known.error and time.time_ns() - known.asked < older * 1e9:
            return known
        answer = await ask(registry, bench, entry)
        return await asyncio.to_thread(discovering.keep, folder, entry, answer)

    return list(await asyncio.gather(*map(one, entries)))
