"""What a service says under `deploy:` for the kind `swarm`, checked."""

from __future__ import annotations

import msgspec

from ondeck.bench import Bench
from ondeck.errors import BadInput
from ondeck.inventory.members import cluster_of
from ondeck.inventory.model import Cluster, Deploy, Service
from ondeck.inventory.problems import Bad
from ondeck.inventory.values import duration
from providers.docker.deploys.options import Account
from providers.docker.registry import Repository, repository


class SwarmOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of `kind: swarm`.

    Attributes:
        image: Name without a version.
        service: Name of the service in the swarm, e.g. `shop_web`.
        registry: In place of what `docker login` stored.
        within: Seconds until the swarm has to have converged.
        lives: How long the new tasks have to run before it counts as done.
    """

    image: str
    service: str
    registry: Account | None = None
    within: float | str = 600.0
    lives: float | str = 15.0

    @property
    def repository(self) -> Repository:
        """Where its images lie."""
        return repository(self.image)

    def seconds(self) -> float:
        """Until it has to have converged, before timescale."""
        return _seconds("within", self.within)

    def must_live(self) -> float:
        """How long new tasks have to run, before timescale."""
        return _seconds("lives", self.lives)


def _seconds(name: str, value: float | str) -> float:
    if isinstance(value, (int, float)):
        return float(value)
    try:
        return duration(value)
    except Bad as error:
        raise BadInput(f"deploy.{name} {value!r}: {error}") from error


def options_of(service: Service) -> tuple[Deploy, SwarmOptions]:
    """The deploy section of a service with its options checked.

    Raises:
        BadInput: It has none, or an option is wrong.
    """
    if service.deploy is None:
        raise BadInput(f"service {service.name} declares no `deploy`")
    try:
        options = msgspec.convert(service.deploy.options, SwarmOptions, strict=False)
    except msgspec.ValidationError as error:
        raise BadInput(f"service {service.name}: deploy: {error}") from error
    _ = options.repository, options.seconds(), options.must_live()
    return service.deploy, options


def swarm_of(bench: Bench, service: Service, env: str) -> Cluster:
    """The swarm that a service runs on in an environment.

    Raises:
        BadInput: It runs on none.
    """
    cluster = cluster_of(bench.inventory, service, env)
    if cluster is None or cluster.kind != "swarm":
        raise BadInput(
            f"{service.name}@{env} is of kind swarm and stands on no swarm",
            hint=f"write services.{service.name}.on: {{{env}: cluster=NAME}}",
        )
    return cluster
