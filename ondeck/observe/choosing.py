"""Which log sources a person means: of a service, of hosts, by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import get_close_matches

from ondeck.errors import BadInput, NoMatch
from ondeck.inventory import members
from ondeck.inventory.model import Host, Inventory, LogSource
from ondeck.inventory.problems import listed, nearest
from ondeck.observe.logs import Tail
from ondeck.observe.ports import LogReader

JOURNAL = LogSource(name="journal", unit="*")
"""What a host is asked for when nothing better is known: its whole journal."""


def subject_of(inventory: Inventory, named: str) -> tuple[str, str]:
    """Service and environment of `checkout@prod`, or of `checkout` where it runs in one environment only.

    Raises:
        NoMatch: It names nothing; the hint has services and hosts.
        BadInput: It runs in several environments.
    """
    name, at, env = named.partition("@")
    service = inventory.services.get(name)
    if service is not None and not at:
        if len(service.on) == 1:
            return name, next(iter(service.on))
        raise BadInput(
            f"{name!r} runs in several environments: say which",
            hint=", ".join(f"{name}@{one}" for one in service.on),
        )
    if service is None:
        subjects = [f"{one.name}@{on}" for one in inventory.services.values() for on in one.on]
        near = nearest(named, [*subjects, *inventory.hosts])
        if not near and (of_near := get_close_matches(name, inventory.services, n=1)):
            near = f"did you mean {' or '.join(s for s in subjects if s.startswith(of_near[0] + '@'))}?"
        known = f"services: {listed(subjects)}\nhosts: {listed(inventory.hosts)}".replace("there are: ", "")
        raise NoMatch(f"no service or host {named!r}", hint=f"{near}\n{known}".strip())
    return name, env


def of_service(
    inventory: Inventory, name: str, env: str, reader: Callable[[Host], LogReader], *, only: str = ""
) -> tuple[Tail, ...]:
    """Every log source of a service in an environment, host by host.

    Args:
        inventory: What exists.
        name: The service's name.
        env: The environment's name.
        reader: Gives the reader of a host.
        only: Name of one source; empty means all.

    Raises:
        NoMatch: No such service, source or host.
        BadInput: The service declares no logs.
    """
    service = inventory.services.get(name)
    if service is None:
        raise NoMatch(
            f"no service {name!r}", hint=f"there are: {', '.join(sorted(inventory.services)) or 'none'}"
        )
    if not service.logs:
        raise BadInput(
            f"service {name!r} declares no logs",
            hint=f"write `logs:` into services.{name}, or read hosts: ondeck logs -l name=HOST --source /var/log/FILE",
        )
    hosts = members.logs_on(inventory, service, env)
    sources = [source for source in service.logs if only in ("", source.name)]
    if not sources:
        raise NoMatch(
            f"{name} has no log source {only!r}", hint=f"there are: {', '.join(s.name for s in service.logs)}"
        )
    return tuple(Tail(reader(host), host, source) for source in sources for host in hosts[source.name])


def of_hosts(
    inventory: Inventory, hosts: Sequence[Host], reader: Callable[[Host], LogReader], *, source: str = ""
) -> tuple[Tail, ...]:
    """Log sources of hosts: a file, a unit, or the declared sources of the services on them.

    Args:
        inventory: What exists.
        hosts: Which hosts.
        reader: Gives the reader of a host.
        source: `/path` is a file, `unit:NAME` a unit, else the name of a declared source; empty means every
            declared source of each host, or its journal where none is declared.

    Raises:
        NoMatch: No host has a source of that name.
    """
    if source.startswith("/"):
        named = LogSource(name=source.rpartition("/")[2], file=source)
        return tuple(Tail(reader(host), host, named) for host in hosts)
    if source.startswith("unit:"):
        unit = source.removeprefix("unit:")
        # A login without rights sees its own part of the journal and journalctl calls that a success.
        return tuple(
            Tail(reader(host), host, LogSource(name=unit, unit=unit, become=bool(host.become)))
            for host in hosts
        )
    wanted = {host.name: host for host in hosts}
    tails = [tail for tail in _declared(inventory, reader, source) if tail.host.name in wanted]
    if source and not tails:
        raise NoMatch(
            f"no host there has a log source {source!r}",
            hint="a file: --source /var/log/x; a unit: unit:nginx",
        )
    with_some = {tail.host.name for tail in tails}
    if not source:
        tails += [Tail(reader(host), host, JOURNAL) for host in hosts if host.name not in with_some]
    return tuple(tails)


def _declared(inventory: Inventory, reader: Callable[[Host], LogReader], only: str) -> list[Tail]:
    found = []
    for service in inventory.services.values():
        for env in service.on:
            hosts = members.logs_on(inventory, service, env)
            for source in service.logs:
                if only in ("", source.name):
                    found += [Tail(reader(host), host, source) for host in hosts[source.name]]
    return found
