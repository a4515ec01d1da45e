"""Looking before a plan: every host of a service asked at once, nothing changed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import msgspec

from ondeck.bench import Bench
from ondeck.errors import BadInput, NoMatch, Unreachable
from ondeck.inventory.members import hosts_of
from ondeck.inventory.model import Deploy, Host, Service
from ondeck.job.plan import Preflight, Request
from ondeck.observe.health import Probe
from ondeck.operate.deploys.state import HostState

DRAIN = "service.drain"
_AT_ONCE = 16
_CLOCK = 5.0


class Seen(msgspec.Struct, frozen=True):
    """What one host answered; `error` set means that nothing else is known."""

    host: str
    state: HostState | None = None
    probe: Probe = Probe(None, "not asked")
    error: str = ""


See = Callable[[Host], Awaitable[Seen]]
"""Looks at one host: whatever keeps it from being asked is in the answer."""


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """A service's targets as they are now, in the order of the request.

    Attributes:
        options: What the service says under `deploy:`, as its provider understands it.
        beside: Its other hosts, where the operation depends on them too.
    """

    service: Service
    env: str
    deploy: Deploy
    options: Any
    hosts: tuple[Host, ...]
    members: tuple[str, ...]
    seen: dict[str, Seen]
    beside: dict[str, Seen] = {}

    @property
    def name(self) -> str:
        """`checkout@prod`."""
        return f"{self.service.name}@{self.env}"

    def answered(self) -> list[Host]:
        """Hosts that could be looked at."""
        return [host for host in self.hosts if self.seen[host.name].state is not None]

    def lost(self) -> dict[str, str]:
        """Hosts that could not, with why."""
        return {name: seen.error for name, seen in self.seen.items() if seen.state is None}

    def state(self, host: str) -> HostState:
        """State of a host that answered."""
        state = self.seen[host].state
        assert state is not None
        return state

    def out(self) -> tuple[str, ...]:
        """Hosts of the service that take no traffic: drained, or not to be asked."""
        everywhere = {**self.beside, **self.seen}
        return tuple(name for name, one in everywhere.items() if one.state is None or one.state.drained)

    def sick(self) -> list[str]:
        """Hosts that answered and are not healthy now."""
        return [name for name, seen in self.seen.items() if seen.state is not None and seen.probe.ok is False]


def service_of(bench: Bench, subject: str) -> Service:
    """The service that a subject like `checkout@prod` names.

    Raises:
        NoMatch: There is none.
    """
    name = subject.partition("@")[0]
    service = bench.inventory.services.get(name)
    if service is None:
        raise NoMatch(f"there is no service {name!r}", hint="`ondeck get services` lists them")
    return service


def unread_signals(service: Service) -> str:
    """Names the signals that a service declares: nothing reads them yet. Empty when it declares none."""
    names = [signal.name for signal in service.signals]
    if not names:
        return ""
    several = len(names) > 1
    said = "are declared and cannot" if several else "is declared and cannot"
    return f"signal{'s' if several else ''} {', '.join(names)} {said} be read yet"


async def survey(
    request: Request,
    bench: Bench,
    service: Service,
    deploy: Deploy,
    options: Any,  # noqa: ANN401 - each kind of deploy has its own
    see: See,
) -> Survey:
    """Ask every target; one that cannot be asked is in `lost`, never silently gone.

    Raises:
        NoMatch: No such host.
        BadInput: A target is no host of the service, or the service's sections are wrong.
        Unreachable: No target at all could be asked.
    """
    hosts = tuple(_host(bench, name) for name in request.targets)
    members = tuple(host.name for host in hosts_of(bench.inventory, service, request.env))
    strangers = [host.name for host in hosts if host.name not in members]
    if strangers:
        raise BadInput(f"{', '.join(strangers[:5])}: not a host of {service.name}@{request.env}")
    seen = await look_at(hosts, see)
    beside: dict[str, Seen] = {}
    if request.operation == DRAIN:
        others = [bench.inventory.hosts[name] for name in members if name not in seen]
        beside = await look_at(others, see)
    result = Survey(
        service=service,
        env=request.env,
        deploy=deploy,
        options=options,
        hosts=hosts,
        members=members,
        seen=seen,
        beside=beside,
    )
    if not result.answered():
        first = next(iter(result.lost().items()))
        raise Unreachable(f"no host of {result.name} could be asked", hint=f"{first[0]}: {first[1]}")
    return result


def _host(bench: Bench, name: str) -> Host:
    if name not in bench.inventory.hosts:
        raise NoMatch(f"there is no host {name!r} in the inventory")
    return bench.inventory.hosts[name]


async def look_at(hosts: Iterable[Host], see: See) -> dict[str, Seen]:
    """State and health of some hosts, a few at once.

    Raises:
        BadInput: The service's health section is wrong.
    """
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(host: Host) -> Seen:
        async with gate:
            return await see(host)

    return {seen.host: seen for seen in await asyncio.gather(*(one(host) for host in hosts))}


def preflight(found: Survey, need: int, *, clock: bool = True) -> list[Preflight]:
    """The checklist that does not depend on the operation.

    Args:
        found: What was seen.
        need: Bytes per host, 0 for none.
        clock: Whether hosts tell their time.
    """
    states = [found.state(host.name) for host in found.answered()]
    lost = len(found.lost())
    rows = [
        Preflight(
            name="reachable", ok=len(states), unknown=lost, note=_names("could not be asked", found.lost())
        ),
        counted("healthy now", {h: s.probe.ok for h, s in found.seen.items()}, "not healthy: these first"),
    ]
    if need:
        free = {s.host: None if s.free is None else s.free >= need for s in states} | _unknown(found)
        rows.append(counted(f"disk for it ({need / 1e6:.1f} MB)", free, "too little room"))
    if clock:
        offsets = {s.host: None if s.offset is None else abs(s.offset) <= _CLOCK for s in states}
        rows.append(counted("clock within 5 s", offsets | _unknown(found), "clock is off"))
    return rows


def _unknown(found: Survey) -> dict[str, bool | None]:
    return dict.fromkeys(found.lost(), None)


def counted(name: str, answers: dict[str, bool | None], note: str) -> Preflight:
    """One line of the checklist from an answer for each host."""
    bad = [host for host, answer in answers.items() if answer is False]
    values = list(answers.values())
    return Preflight(
        name=name, ok=values.count(True), bad=len(bad), unknown=values.count(None), note=_names(note, bad)
    )


def _names(what: str, hosts: Iterable[str]) -> str:
    names = list(hosts)
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"{what}: {', '.join(names[:5])}{more}" if names else ""
