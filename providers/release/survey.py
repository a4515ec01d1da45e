"""Looking before a plan: every host of a service asked at once, nothing changed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import AsyncExitStack

import msgspec

from ondeck.bench import Bench
from ondeck.errors import BadInput, NoMatch, OndeckError, Unreachable
from ondeck.inventory.members import hosts_of
from ondeck.inventory.model import Deploy, Host, Service
from ondeck.job.plan import Preflight, Request
from ondeck.observe.health import Probe, ask, declared
from ondeck.reach.ports import Link
from providers.release.hoststate import HostState, look, why
from providers.release.options import ByCommand, Options, for_host, options_of

DRAIN = "service.drain"
_AT_ONCE = 16
_CLOCK = 5.0


class Seen(msgspec.Struct, frozen=True):
    """What one host answered; `error` set means that nothing else is known."""

    host: str
    state: HostState | None = None
    probe: Probe = Probe(None, "not asked")
    error: str = ""


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """A service's targets as they are now, in the order of the request.

    Attributes:
        beside: Its other hosts, where the operation depends on them too.
    """

    service: Service
    env: str
    deploy: Deploy
    options: Options
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


def from_bastion(options: Options) -> bool:
    """Whether the steps run on this machine instead of on the host."""
    return isinstance(options, ByCommand) and options.on == "bastion"


async def link_to(bench: Bench, host: Host, options: Options) -> Link:
    """The link that the steps of a host go over: to the host, or to this machine for `on: bastion`."""
    if from_bastion(options):
        return await bench.reach("local").connect(host)
    return await bench.reach(host.transport).connect(host)


async def survey(request: Request, bench: Bench) -> Survey:
    """Ask every target; one that cannot be asked is in `lost`, never silently gone.

    Raises:
        NoMatch: No such service or host.
        BadInput: The service's deploy section is wrong.
        Unreachable: No target at all could be asked.
    """
    service = service_of(bench, request.subject)
    deploy, options = options_of(service)
    hosts = tuple(_host(bench, name) for name in request.targets)
    members = tuple(host.name for host in hosts_of(bench.inventory, service, request.env))
    strangers = [host.name for host in hosts if host.name not in members]
    if strangers:
        raise BadInput(f"{', '.join(strangers[:5])}: not a host of {service.name}@{request.env}")
    seen = await look_at(bench, service, options, hosts)
    beside: dict[str, Seen] = {}
    if request.operation == DRAIN:
        others = [bench.inventory.hosts[name] for name in members if name not in seen]
        beside = await look_at(bench, service, options, others)
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


async def look_at(bench: Bench, service: Service, options: Options, hosts: Iterable[Host]) -> dict[str, Seen]:
    """State and health of some hosts, a few at once.

    Raises:
        BadInput: The service's health section is wrong.
    """
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(host: Host) -> Seen:
        async with gate:
            return await _see(bench, service, options, host)

    return {seen.host: seen for seen in await asyncio.gather(*(one(host) for host in hosts))}


async def _see(bench: Bench, service: Service, options: Options, host: Host) -> Seen:
    async with AsyncExitStack() as links:
        try:
            link = await link_to(bench, host, options)
            links.push_async_callback(link.aclose)
            state = await look(link, service, host, for_host(options, host))
        except (OndeckError, TimeoutError, OSError) as error:
            return Seen(host.name, error=why(error))
        if service.health is None or not declared(service.health):
            return Seen(host.name, state, Probe(None, "no health check is declared"))
        try:
            direct = link
            if from_bastion(options):
                direct = await bench.reach(host.transport).connect(host)
                links.push_async_callback(direct.aclose)
            return Seen(host.name, state, await ask(direct, service.health, host, bench.settings))
        except BadInput:
            raise  # the health section is wrong for every host: no plan may be made over that
        except (OndeckError, TimeoutError, OSError) as error:
            return Seen(host.name, state, Probe(None, why(error)))


def preflight(found: Survey, need: int) -> list[Preflight]:
    """The checklist that does not depend on the operation; `need` is bytes per host, 0 for none."""
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
    if not isinstance(found.options, ByCommand):
        clock = {s.host: None if s.offset is None else abs(s.offset) <= _CLOCK for s in states}
        rows.append(counted("clock within 5 s", clock | _unknown(found), "clock is off"))
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
