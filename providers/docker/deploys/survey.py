"""Looking before a plan: every host's engine asked at once, nothing changed."""

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
from providers.docker.deploys.options import DockerOptions, options_of
from providers.docker.deploys.state import DockerState, look
from providers.docker.engine import engine_of


def state_of(found: Survey, host: str) -> DockerState:
    """State of a host that answered."""
    state = found.state(host)
    assert isinstance(state, DockerState)
    return state


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


async def look_at(
    bench: Bench, service: Service, options: DockerOptions, hosts: Iterable[Host]
) -> dict[str, Seen]:
    """State and health of some hosts, a few at once.

    Raises:
        BadInput: The service's health section is wrong.
    """
    return await asking.look_at(hosts, lambda host: _see(bench, service, options, host))


async def _see(bench: Bench, service: Service, options: DockerOptions, host: Host) -> Seen:
    async with AsyncExitStack() as stack:
        try:
            link = await bench.reach(host.transport).connect(host)
            stack.push_async_callback(link.aclose)
            engine = await stack.enter_async_context(engine_of(host, bench, options.socket))
            state = await look(link, engine, service, host, options)
        except (OndeckError, TimeoutError, OSError) as error:
            return Seen(host.name, error=why(error))
        try:
            return Seen(host.name, state, await probe(link, service, host, state, bench))
        except BadInput:
            raise  # the health section is wrong for every host: no plan may be made over that
        except (OndeckError, TimeoutError, OSError) as error:
            return Seen(host.name, state, Probe(None, why(error)))


async def probe(link: Link, service: Service, host: Host, state: DockerState, bench: Bench) -> Probe:
    """Is it healthy now: what the engine says of its container, and what the service's own check says.

    Raises:
        LinkLost: The connection ended.
        BadInput: The service's health section is wrong.
    """
    said = by_engine(state)
    if said.ok is False or service.health is None or not declared(service.health):
        return said
    asked = await ask(link, service.health, host, bench.settings)
    return asked if asked.ok is not True or said.ok is None else Probe(True, asked.text, asked.seconds)


def by_engine(state: DockerState) -> Probe:
    """What the engine knows: a dead or sick container; None where it has no check of its own."""
    live = state.live
    if not live:
        newest = next((one for one in state.containers if one.begun), None)
        if newest is None:
            return Probe(None, "no container of it was ever started")
        return Probe(False, f"its container ended: {newest.ended()}")
    first = live[0]
    if first.status != "running":
        return Probe(False, f"its container is {first.status}, restarted {first.restarts} times")
    if first.health == "unhealthy":
        return Probe(False, "the container's own check says unhealthy")
    if first.health == "healthy":
        return Probe(True, "the container's own check says healthy")
    return Probe(
        None, "the container's own check is starting" if first.health else "no health check is declared"
    )
