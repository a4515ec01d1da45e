"""What selectors ask that no file says: `disk>90`, `state=lost`, `version!=2.14.0`. One look for both faces."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from ondeck.bench import Bench
from ondeck.capabilities import Capabilities
from ondeck.errors import OndeckError
from ondeck.inventory import members, selector
from ondeck.inventory.live import HostFacts, Live
from ondeck.inventory.model import Host, Inventory, Service
from ondeck.inventory.selector import Selector
from ondeck.observe import firing
from ondeck.observe.fleet import Standing
from ondeck.observe.ports import FactsReader
from ondeck.observe.records import ReleaseFacts
from ondeck.observe.sampling import sample_all, standings

AT_ONCE = 8
"""Services that are asked at the same time."""


def undecided(wanted: Selector, inventory: Inventory) -> tuple[Host, ...]:
    """Hosts that only a look at them can judge: `env=prod,disk>90` leaves those of prod."""
    if not selector.keys(wanted.tree) & set(selector.LIVE_KEYS):
        return ()
    judge = selector.compiled(wanted.tree, inventory)
    return tuple(host for host in inventory.hosts.values() if judge(host) is None)


async def look(wanted: Selector, able: Capabilities, bench: Bench) -> Live:
    """Look at the hosts that only a look can judge; asks for nothing that the selector does not test.

    What could not be asked is not known in the answer; the selector counts such hosts as unjudged.
    """
    inventory = bench.inventory
    hosts = undecided(wanted, inventory)
    asked = selector.keys(wanted.tree)
    figures: dict[str, HostFacts] = {}
    standing: dict[str, Standing] = {}
    if hosts and asked & {*selector.FIGURES, "state"}:
        found = await sample_all(cast(FactsReader, able.host("facts")), hosts, bench)
        figures = {name: one for name, one in found.items() if isinstance(one, HostFacts)}
        standing = standings(hosts, found, time.time_ns())
    versions: Mapping[str, Mapping[str, str]] = {}
    if hosts and "version" in asked:
        versions = await _versions(wanted, able, hosts, bench)
    return live(figures, standing, versions)


def live(
    facts: Mapping[str, HostFacts],
    standing: Mapping[str, Standing],
    versions: Mapping[str, Mapping[str, str]],
) -> Live:
    """The record from figures of now, standings and versions."""
    states = {name: one.severity.word for name, one in standing.items()}
    return Live(facts=facts, states=states, versions=versions)


def versions_of(
    answers: Iterable[tuple[str, Sequence[str], Sequence[ReleaseFacts]]],
) -> dict[str, dict[str, str]]:
    """What runs by host and service, from `(service, its hosts, what they said)`."""
    found: dict[str, dict[str, str]] = {}
    for service, hosts, said in answers:
        by_host = {facts.host: facts for facts in said if not facts.error}
        for name in hosts:
            version = (by_host[name].version or "none") if name in by_host else ""
            found.setdefault(name, {})[service] = version
    return found


async def _versions(
    wanted: Selector, able: Capabilities, hosts: Sequence[Host], bench: Bench
) -> dict[str, dict[str, str]]:
    named = selector.services_named(wanted.tree, bench.inventory)
    names = {host.name for host in hosts}
    gate = asyncio.Semaphore(AT_ONCE)

    async def ask(
        service: Service, chosen: Sequence[Host]
    ) -> tuple[str, Sequence[str], Sequence[ReleaseFacts]]:
        said: Sequence[ReleaseFacts] = ()
        async with gate:
            try:
                async with asyncio.timeout(bench.settings.seconds(firing.LONGEST)):
                    said = await firing.running(bench, able.releases, service, chosen)
            except (OndeckError, TimeoutError):
                pass  # their versions are not known, which the selector counts
        return service.name, [host.name for host in chosen], said

    questions = []
    for service in bench.inventory.services.values():
        if service.deploy is None or (named is not None and service.name not in named):
            continue
        for env in service.on:
            chosen = [h for h in members.hosts_of(bench.inventory, service, env) if h.name in names]
            if chosen:
                questions.append(ask(service, chosen))
    return versions_of(await asyncio.gather(*questions))
