"""What fails right now, and what changed before it: asked of the services' own hosts, within bounded time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence

import msgspec

from ondeck.bench import Bench
from ondeck.errors import OndeckError
from ondeck.inventory.members import hosts_of
from ondeck.inventory.model import Host, Service
from ondeck.observe import health, now
from ondeck.observe.ports import ReleaseReader
from ondeck.observe.records import Change, ReleaseFacts
from ondeck.text import safe_line

AT_ONCE = 8
"""Services that are asked at the same time."""
HOSTS_AT_ONCE = 16
"""Hosts that are asked for nothing but health at the same time."""
LONGEST = 15.0
"""Seconds that asking one host of a service may take."""
WITHIN = 30.0
"""Seconds after which no more services are asked."""
ABOUT_A_SERVICE = ("deploy", "rollback", "restart", "mark")
"""Kinds of changes that may be why a service fails, beside every job of our own on it."""

Releases = Callable[[Service], ReleaseReader]
"""The reader for a service's kind of deploy; raises OndeckError when nobody serves it."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """A service in one environment as its hosts said just now.

    Attributes:
        subject: `checkout@prod`.
        hosts: Its hosts, in the order of the inventory.
        facts: One entry a host; a host that could not be asked has its error set.
        error: Why nothing could be asked; then `facts` is empty and nothing is known.
        checked: False where the inventory declares nothing that could be asked.
        asked: False when time was up before its turn: nothing is known of it.
    """

    subject: str
    env: str
    hosts: tuple[str, ...]
    facts: tuple[ReleaseFacts, ...] = ()
    error: str = ""
    checked: bool = True
    asked: bool = True

    @property
    def failing(self) -> tuple[ReleaseFacts, ...]:
        """Hosts whose health check was asked and said no."""
        return now.failing(self.facts)

    @property
    def unknown(self) -> tuple[str, ...]:
        """Hosts of which nothing is known: never to be counted as healthy."""
        return now.not_known(self.hosts, self.facts) if self.checked else ()

    @property
    def versions(self) -> dict[str, int]:
        """Hosts by running version; only those that said one."""
        found: dict[str, int] = {}
        for fact in self.facts:
            if fact.version and not fact.error:
                found[fact.version] = found.get(fact.version, 0) + 1
        return found


async def standings(
    bench: Bench,
    releases: Releases,
    *,
    first: Callable[[Service, str], bool] | None = None,
    within: float = WITHIN,
) -> list[Standing]:
    """Ask every service in every environment, a few at once; never raises for one that cannot be asked.

    Args:
        bench: What readers work with.
        releases: Gives the reader of releases for a service that declares `deploy`.
        first: Which services are asked first and for everything; of the others only the health is asked, from
            here where the check allows it, which logs in nowhere. None asks all for everything.
        within: Seconds, timescale applied, until no more are asked: the rest is `asked=False`.
    """
    services, hosts = asyncio.Semaphore(AT_ONCE), asyncio.Semaphore(HOSTS_AT_ONCE)
    inventory = bench.inventory
    begun: set[str] = set()

    async def one(service: Service, env: str, light: asyncio.Semaphore | None) -> Standing:
        async with services:
            begun.add(f"{service.name}@{env}")
            return await _standing(bench, releases, service, env, light)

    every = {f"{s.name}@{env}": (s, env) for s in inventory.services.values() for env in s.on}
    full = {subject for subject, pair in every.items() if first is None or first(*pair)}
    tasks = {
        subject: asyncio.create_task(one(*every[subject], None if subject in full else hosts))
        for subject in sorted(every, key=lambda subject: subject not in full)
    }
    if tasks:
        await asyncio.wait(tasks.values(), timeout=bench.settings.seconds(within))
    late = [subject for subject, task in tasks.items() if not task.done()]
    for subject in late:
        tasks[subject].cancel()
    await asyncio.gather(*tasks.values(), return_exceptions=True)
    return [
        _too_late(bench, *pair, begun=subject in begun) if subject in late else tasks[subject].result()
        for subject, pair in every.items()
    ]


def _too_late(bench: Bench, service: Service, env: str, *, begun: bool) -> Standing:
    error = "no answer before time was up" if begun else "not asked: time was up before its turn"
    try:
        names = _names(hosts_of(bench.inventory, service, env))
    except OndeckError as failed:
        names, error = (), safe_line(failed.message)
    return Standing(subject=f"{service.name}@{env}", env=env, hosts=names, error=error, asked=begun)


async def _standing(
    bench: Bench, releases: Releases, service: Service, env: str, light: asyncio.Semaphore | None
) -> Standing:
    subject = f"{service.name}@{env}"
    hosts: tuple[Host, ...] = ()
    error = ""
    try:
        hosts = hosts_of(bench.inventory, service, env)
        if not hosts:
            error = "the inventory names no host for it"
        elif (service.deploy is None or light) and not health.declared(service.health):
            return Standing(subject=subject, env=env, hosts=_names(hosts), checked=False)
        else:
            asking = (
                _healths(bench, service, hosts, light) if light else running(bench, releases, service, hosts)
            )
            facts = await asking
            checked = health.declared(service.health)
            return Standing(subject=subject, env=env, hosts=_names(hosts), facts=facts, checked=checked)
    except OndeckError as failed:
        error = safe_line(failed.message)
    except Exception as failed:  # noqa: BLE001 - a provider's mistake becomes the recorded answer of its service
        error = safe_line(f"{type(failed).__name__}: {failed}")
    return Standing(subject=subject, env=env, hosts=_names(hosts), error=error)


async def running(
    bench: Bench, releases: Releases, service: Service, hosts: Sequence[Host]
) -> tuple[ReleaseFacts, ...]:
    """What a service runs and how it is, one entry a host; only health where ondeck does not deploy it.

    Each host is asked by itself: one that hangs hides nothing of the others.

    Raises:
        OndeckError: Nobody serves its kind of deploy, or its options are wrong.
    """
    reader = releases(service) if service.deploy is not None else None
    gate = asyncio.Semaphore(HOSTS_AT_ONCE)

    async def one(host: Host) -> ReleaseFacts:
        async with gate:
            if reader is None:
                return await _in_time(bench, service, host, _probe(bench, service, host))
            return await _in_time(bench, service, host, _first(reader.running(service, (host,), bench)))

    return tuple(await asyncio.gather(*(one(host) for host in hosts)))


async def _first(answer: Awaitable[Sequence[ReleaseFacts]]) -> ReleaseFacts:
    return (await answer)[0]


async def _in_time(
    bench: Bench, service: Service, host: Host, answer: Awaitable[ReleaseFacts]
) -> ReleaseFacts:
    try:
        async with asyncio.timeout(bench.settings.seconds(LONGEST)):
            return await answer
    except TimeoutError:
        return ReleaseFacts(host=host.name, service=service.name, error=f"no answer within {LONGEST:.0f} s")


async def _healths(
    bench: Bench, service: Service, hosts: Sequence[Host], gate: asyncio.Semaphore
) -> tuple[ReleaseFacts, ...]:
    """Health alone: from here where that asks the same, and of the host itself only where it is not fine so."""

    async def one(host: Host) -> ReleaseFacts:
        async with gate:
            return await _in_time(bench, service, host, _health(bench, service, host))

    return tuple(await asyncio.gather(*(one(host) for host in hosts)))


async def _health(bench: Bench, service: Service, host: Host) -> ReleaseFacts:
    return await _from_here(bench, service, host) or await _probe(bench, service, host)


async def _from_here(bench: Bench, service: Service, host: Host) -> ReleaseFacts | None:
    """A healthy answer over the network; None when there was none, which is no word on the host's health."""
    assert service.health is not None
    if not health.from_outside(service.health, host):
        return None
    try:
        link = await bench.reach("local").connect(host)
        try:
            probe = await health.ask(link, service.health, host, bench.settings, outside=True)
        finally:
            await link.aclose()
    except OndeckError:
        return None
    text = f"{probe.text}, asked from here"
    return (
        ReleaseFacts(host=host.name, service=service.name, healthy=True, health_text=text)
        if probe.ok
        else None
    )


async def _probe(bench: Bench, service: Service, host: Host) -> ReleaseFacts:
    """Health of a service that ondeck does not deploy."""
    assert service.health is not None
    try:
        link = await bench.reach(host.transport).connect(host)
        try:
            probe = await health.ask(link, service.health, host, bench.settings)
        finally:
            await link.aclose()
    except OndeckError as error:
        return ReleaseFacts(host=host.name, service=service.name, error=safe_line(error.message))
    return ReleaseFacts(host=host.name, service=service.name, healthy=probe.ok, health_text=probe.text)


def _names(hosts: Iterable[Host]) -> tuple[str, ...]:
    return tuple(host.name for host in hosts)


def change_before(changes: Iterable[Change], subject: str, time: int = 0) -> Change | None:
    """The latest change of a service, before a time (ns) when one is given; None when none is known.

    Args:
        changes: In any order.
        subject: `checkout@prod`; a change of `checkout` that names no other environment counts too.
        time: 0 means up to now.
    """
    name, _, env = subject.partition("@")
    about = (
        change
        for change in changes
        if change.subject in (subject, name)
        and change.env in (env, "")
        and (change.job or change.kind in ABOUT_A_SERVICE)
        and (not time or change.time <= time)
    )
    return max(about, key=lambda change: change.time, default=None)
