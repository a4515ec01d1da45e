"""Looking before a plan: what releases are on every host of a service, and whether they are healthy."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AsyncExitStack

from ondeck.bench import Bench
from ondeck.errors import BadInput, OndeckError
from ondeck.inventory.model import Host, Service
from ondeck.job.plan import Request
from ondeck.observe.health import Probe, ask, declared
from ondeck.operate.deploys import survey as asking
from ondeck.operate.deploys.state import why
from ondeck.operate.deploys.survey import Seen, Survey, service_of
from ondeck.reach.ports import Link
from providers.release.hoststate import look
from providers.release.options import ByCommand, Options, for_host, options_of


def from_bastion(options: Options) -> bool:
    """Whether the steps run on this machine instead of on the host."""
    return isinstance(options, ByCommand) and options.on == "bastion"


async def link_to(bench: Bench, host: Host, options: Options) -> Link:
    """The link that the steps of a host go over: to the host, or to this machine for `on: bastion`."""
    if from_bastion(options):
        return await bench.reach("local").connect(host)
    return await bench.reach(host.transport).connect(host)


async def survey(request: Request, bench: Bench) -> Survey:
    """Ask every target; see `ondeck.operate.deploys.survey.survey`.

    Raises:
        NoMatch: No such service or host.
        BadInput: The service's deploy section is wrong.
        Unreachable: No target at all could be asked.
    """
    service = service_of(bench, request.subject)
    deploy, options = options_of(service)
    return await asking.survey(
        request, bench, service, deploy, options, lambda host: _see(bench, service, options, host)
    )


async def look_at(bench: Bench, service: Service, options: Options, hosts: Iterable[Host]) -> dict[str, Seen]:
    """State and health of some hosts, a few at once.

    Raises:
        BadInput: The service's health section is wrong.
    """
    return await asking.look_at(hosts, lambda host: _see(bench, service, options, host))


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
