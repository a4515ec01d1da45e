"""Who we are for the registry of a service: as its inventory says, else as `docker login` stored it."""

from __future__ import annotations

from ondeck.bench import Bench
from providers.docker.auth import Login, login_of
from providers.docker.deploys.options import DockerOptions


async def login_for(options: DockerOptions, bench: Bench) -> Login | None:
    """The login; None when there is none.

    Raises:
        Missing: The inventory names a secret that is not to be had, or a credential helper cannot be asked.
    """
    if options.registry is not None:
        return Login(options.registry.user, await bench.secret(options.registry.password))
    return await login_of(options.repository.registry)
