"""Which hosts a service runs on, and which services run on a host."""

from __future__ import annotations

from ondeck.errors import BadInput, NoMatch
from ondeck.inventory import expression, selector
from ondeck.inventory.model import Cluster, Host, Inventory, Place, Service
from ondeck.inventory.problems import listed


def judge_of(service: Service, env: str) -> selector.Judge:
    """Judges whether a host belongs to a service in an environment; `env=` is implied.

    Raises:
        BadInput: The service's selector is malformed or asks for another service.
    """
    tree = expression.parse(service.on[env])
    if "service" in selector.keys(tree):
        raise BadInput(f"services.{service.name}.on.{env}: a service is not defined by other services")
    judge = selector.compiled(tree)
    return lambda host: host.env == env and judge(host)


def hosts_of(inventory: Inventory, service: Service, env: str) -> tuple[Host, ...]:
    """The hosts of a service in one environment, in the order of the inventory; may be empty.

    Raises:
        NoMatch: The service is not in that environment.
    """
    if env not in service.on:
        raise NoMatch(
            f"service {service.name!r} is not in {env!r}", hint=f"environments: {listed(service.on)}"
        )
    judge = judge_of(service, env)
    return tuple(host for host in inventory.hosts.values() if judge(host))


def cluster_of(inventory: Inventory, service: Service, env: str) -> Cluster | None:
    """The cluster that a service runs on in an environment; None where it runs on hosts."""
    key, _, name = service.on.get(env, "").partition("=")
    cluster = inventory.clusters.get(name.strip()) if key.strip() == "cluster" else None
    return cluster if cluster is not None and cluster.env == env else None


def services_on(inventory: Inventory, host: Host) -> tuple[Service, ...]:
    """The services that run on a host, in the order of the inventory."""
    return tuple(
        service
        for service in inventory.services.values()
        if host.env in service.on and judge_of(service, host.env)(host)
    )


def logs_on(inventory: Inventory, service: Service, env: str) -> dict[str, tuple[Place, ...]]:
    """Where each log source of a service is: its `on`, inside the environment, else the service's hosts or cluster.

    A source may stand on hosts outside the service, such as the access log on the load balancers.
    """
    cluster = cluster_of(inventory, service, env)
    mine: tuple[Place, ...] = (cluster,) if cluster else hosts_of(inventory, service, env)
    found: dict[str, tuple[Place, ...]] = {}
    for source in service.logs:
        if not source.on:
            found[source.name] = mine
            continue
        judge = selector.compiled(expression.parse(source.on), inventory)
        found[source.name] = tuple(
            host for host in inventory.hosts.values() if host.env == env and judge(host)
        )
    return found
