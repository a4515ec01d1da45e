"""One look at the figures of hosts, for those who ask once: `top`, and selectors such as `disk>90`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import aclosing

from ondeck.inventory import selector
from ondeck.inventory.model import Host, Inventory
from ondeck.inventory.selector import Selected, Selector
from ondeck.observe.ports import FactsReader
from ondeck.observe.records import Health, HostFacts, SourceState
from ondeck.operate.ports import Bench

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


def undecided(wanted: Selector, inventory: Inventory) -> tuple[Host, ...]:
    """Hosts that only a look at them can judge: `env=prod,disk>90` leaves those of prod."""
    if not selector.keys(wanted.tree) & {*selector.FIGURES, "state"}:
        return ()
    judge = selector.compiled(wanted.tree, inventory)
    return tuple(host for host in inventory.hosts.values() if judge(host) is None)


def judged(wanted: Selector, inventory: Inventory, found: Mapping[str, HostFacts | SourceState]) -> Selected:
    """The selector's answer with what was seen; a host that gave nothing stays unjudged."""
    live = {name: answer for name, answer in found.items() if isinstance(answer, HostFacts)}
    states = {name: "lost" if isinstance(answer, SourceState) else "ok" for name, answer in found.items()}
    return wanted.judge(inventory, live, states)
