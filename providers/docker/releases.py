"""Capability `releases`: what runs where, and what could run."""

from __future__ import annotations

from collections.abc import Sequence

from ondeck.bench import Bench
from ondeck.inventory.model import Host, Service
from ondeck.observe.records import ReleaseFacts
from providers.docker.deploys import reader
from providers.docker.registry import Registry
from providers.docker.swarm.options import options_of as swarm_options
from providers.docker.swarm.planning import login_for as swarm_login


class DockerReleases:
    """Reads labels of containers and tags of registries; changes nothing."""

    async def running(self, service: Service, hosts: Sequence[Host], bench: Bench) -> Sequence[ReleaseFacts]:
        """One entry a host, in the order asked; see `ondeck.observe.ports.ReleaseReader`.

        Raises:
            BadInput: The service's deploy or health section is wrong.
        """
        return await reader.running(service, hosts, bench)

    async def available(self, service: Service, env: str, bench: Bench) -> Sequence[str]:
        """Tags of the registry, newest first.

        Raises:
            Missing: The registry has no such repository.
            Unreachable, AuthFailed, RemoteFailed: It cannot be asked.
        """
        if service.deploy is not None and service.deploy.kind == "swarm":
            _, options = swarm_options(service)
            where = options.repository
            login = await swarm_login(options, bench)
            async with Registry(where.registry, login, bench.settings).asked() as registry:
                return await registry.newest(where.path)
        return await reader.available(service, bench)
