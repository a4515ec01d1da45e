"""What runs where, and what could run, for services of `kind: docker`."""

from __future__ import annotations

from collections.abc import Sequence

from ondeck.bench import Bench
from ondeck.inventory.model import Host, Service
from ondeck.observe.records import ReleaseFacts
from ondeck.operate.deploys.survey import Seen
from providers.docker.deploys.options import options_of
from providers.docker.deploys.survey import look_at
from providers.docker.logins import login_for
from providers.docker.registry import Registry


async def running(service: Service, hosts: Sequence[Host], bench: Bench) -> list[ReleaseFacts]:
    """One entry a host, in the order asked; errors are entries.

    Raises:
        BadInput: The service's deploy or health section is wrong.
    """
    _, options = options_of(service)
    seen = await look_at(bench, service, options, hosts)
    return [_facts(service, seen[host.name]) for host in hosts]


async def available(service: Service, bench: Bench) -> list[str]:
    """Tags of the registry, newest first.

    Raises:
        Missing: The registry has no such repository.
        Unreachable, AuthFailed, RemoteFailed: It cannot be asked.
    """
    _, options = options_of(service)
    where = options.repository
    async with Registry(where.registry, await login_for(options, bench), bench.settings).asked() as registry:
        return await registry.newest(where.path)


def _facts(service: Service, seen: Seen) -> ReleaseFacts:
    state = seen.state
    if state is None:
        return ReleaseFacts(host=seen.host, service=service.name, error=seen.error)
    return ReleaseFacts(
        host=seen.host,
        service=service.name,
        version=state.version,
        digest=state.digest,
        since=state.since,
        healthy=seen.probe.ok,
        health_text=seen.probe.text,
        kept=tuple(kept.version for kept in state.kept),
        kept_at=tuple(kept.when for kept in state.kept),
    )
