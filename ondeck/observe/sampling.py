"""One look at the figures of hosts, for those who ask once: `top`, `now`, and selectors such as `disk>90`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import aclosing

from ondeck.bench import Bench
from ondeck.inventory.live import HostFacts
from ondeck.inventory.model import Host
from ondeck.observe.fleet import Standing, judge
from ondeck.observe.ports import FactsReader
from ondeck.observe.records import Health, SourceState

AT_ONCE = 64
"""Hosts asked at the same time."""
_WAIT = 15.0  # seconds


async def sample(reader: FactsReader, host: Host, bench: Bench) -> HostFacts | SourceState:
    """Facts with a CPU figure (that takes two samples), else what is wrong with the source."""
    last: HostFacts | SourceState | None = None
    try:
        async with (
            asyncio.timeout(bench.settings.seconds(_WAIT)),
            aclosing(reader.watch(host, bench, every=1.0)) as batches,
        ):
            async for batch in batches:
                last = batch.facts or (batch.state if _is_lost(batch.state) else last)
                if isinstance(last, SourceState) or (last is not None and last.cpu is not None):
                    return last
    except TimeoutError:
        pass
    return last or SourceState(host.name, Health.LOST, time.time_ns(), error=f"no answer in {_WAIT:.0f} s")


def _is_lost(state: SourceState | None) -> bool:
    return state is not None and state.health is Health.LOST


async def sample_all(
    reader: FactsReader, hosts: Sequence[Host], bench: Bench
) -> dict[str, HostFacts | SourceState]:
    """One look at each host, by name; every host has an entry."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(host: Host) -> HostFacts | SourceState:
        async with gate:
            return await sample(reader, host, bench)

    found = await asyncio.gather(*(one(host) for host in hosts))
    return {host.name: answer for host, answer in zip(hosts, found, strict=True)}


def standings(
    hosts: Sequence[Host], found: Mapping[str, HostFacts | SourceState], now: int
) -> dict[str, Standing]:
    """How the hosts are that were looked at; `now` in ns."""
    return {host.name: standing(host, found[host.name], now) for host in hosts if host.name in found}


def standing(host: Host, found: HostFacts | SourceState, now: int) -> Standing:
    """How one host is by what a look at it gave; `now` in ns."""
    if isinstance(found, SourceState):
        return judge(host, None, found, now)
    return judge(host, found, SourceState(host.name, Health.OK, found.time), now)
