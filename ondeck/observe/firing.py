"""What fails right now, and what changed before it: asked of the services' own hosts, within bounded time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

import msgspec

from ondeck.errors import OndeckError
from ondeck.inventory.members import hosts_of
from ondeck.inventory.model import Host, Service
from ondeck.observe import now
from ondeck.observe.ports import ReleaseReader
from ondeck.observe.records import Change, ReleaseFacts
from ondeck.operate import health
from ondeck.operate.ports import Bench
from ondeck.text import safe_line

AT_ONCE = 8
"""Services that are asked at the same time."""
LONGEST = 15.0
"""Seconds that asking one service may take."""
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
    """

    subject: str
    env: str
    hosts: tuple[str, ...]
    facts: tuple[ReleaseFacts, ...] = ()
    error: str = ""
    checked: bool = True

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
    bench: Bench, releases: Releases, *, only: Callable[[Service, str], bool] | None = None
) -> list[Standing]:
    """Ask every service in every environment; never raises for one that cannot be asked.

    Args:
        bench: What readers work with.
        releases: Gives the reader of releases for a service that declares `deploy`.
        only: Which services to ask; all when None.
    """
    gate = asyncio.Semaphore(AT_ONCE)
    inventory = bench.inventory

    async def one(service: Service, env: str) -> Standing:
        async with gate:
            return await _standing(bench, releases, service, env)

    wanted = [
        (service, env)
        for service in inventory.services.values()
        for env in service.on
        if only is None or only(service, env)
    ]
    return list(await asyncio.gather(*(one(service, env) for service, env in wanted)))


async def _standing(bench: Bench, releases: Releases, service: Service, env: str) -> Standing:
    subject = f"{service.name}@{env}"
    hosts: tuple[Host, ...] = ()
    error = ""
    try:
        hosts = hosts_of(bench.inventory, service, env)
        if not hosts:
            error = "the inventory names no host for it"
        elif service.deploy is None and not health.declared(service.health):
            return Standing(subject=subject, env=env, hosts=_names(hosts), checked=False)
        else:
            async with asyncio.timeout(bench.settings.seconds(LONGEST)):
                facts = await running(bench, releases, service, hosts)
            checked = health.declared(service.health)
            return Standing(subject=subject, env=env, hosts=_names(hosts), facts=facts, checked=checked)
    except TimeoutError:
        error = f"no answer within {LONGEST:.0f} s"
    except OndeckError as failed:
        error = safe_line(failed.message)
    except Exception as failed:  # noqa: BLE001 - a provider's mistake becomes the recorded answer of its service
        error = safe_line(f"{type(failed).__name__}: {failed}")
    return Standing(subject=subject, env=env, hosts=_names(hosts), error=error)


async def running(
    bench: Bench, releases: Releases, service: Service, hosts: Sequence[Host]
) -> tuple[ReleaseFacts, ...]:
    """What a service runs and how it is, one entry a host; only health where ondeck does not deploy it.

    Raises:
        OndeckError: Nobody serves its kind of deploy, or its options are wrong.
    """
    if service.deploy is not None:
        return tuple(await releases(service).running(service, hosts, bench))
    return tuple(await asyncio.gather(*(_probe(bench, service, host) for host in hosts)))


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
