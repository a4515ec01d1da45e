"""Which log sources a person means: of a service, of hosts, by name."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from difflib import get_close_matches

from ondeck.bench import Bench
from ondeck.errors import BadInput, Missing, NoMatch
from ondeck.inventory import members
from ondeck.inventory.model import Host, Inventory, LogSource, Place
from ondeck.inventory.problems import listed, nearest
from ondeck.observe.logs import Tail
from ondeck.observe.ports import LogReader
from ondeck.observe.records import LogBatch

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
    inventory: Inventory, name: str, env: str, reader: Callable[[LogSource], LogReader], *, only: str = ""
) -> tuple[Tail, ...]:
    """Every log source of a service in an environment, host by host.

    Args:
        inventory: What exists.
        name: The service's name.
        env: The environment's name.
        reader: Gives the reader of a source.
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
    found = members.logs_on(inventory, service, env)
    sources = [source for source in service.logs if only in ("", source.name)]
    if not sources:
        raise NoMatch(
            f"{name} has no log source {only!r}", hint=f"there are: {', '.join(s.name for s in service.logs)}"
        )
    return tuple(_tail(reader, place, source) for source in sources for place in found[source.name])


def of_hosts(
    inventory: Inventory, hosts: Sequence[Host], reader: Callable[[LogSource], LogReader], *, source: str = ""
) -> tuple[Tail, ...]:
    """Log sources of hosts: a file, a unit, or the declared sources of the services on them.

    Args:
        inventory: What exists.
        hosts: Which hosts.
        reader: Gives the reader of a source.
        source: `/path` is a file, `unit:NAME` a unit, else the name of a declared source; empty means every
            declared source of each host, or its journal where none is declared.

    Raises:
        NoMatch: No host has a source of that name.
    """
    if source.startswith("/"):
        named = LogSource(name=source.rpartition("/")[2], file=source)
        return tuple(_tail(reader, host, named) for host in hosts)
    if source.startswith("unit:"):
        return tuple(_unit(host, source.removeprefix("unit:"), reader) for host in hosts)
    wanted = {host.name: host for host in hosts}
    tails = [tail for tail in _declared(inventory, reader, source) if tail.place.name in wanted]
    if source and not tails:
        raise NoMatch(
            f"no host there has a log source {source!r}",
            hint="a file: --source /var/log/x; a unit: unit:nginx",
        )
    with_some = {tail.place.name for tail in tails}
    if not source:
        tails += [_tail(reader, host, JOURNAL) for host in hosts if host.name not in with_some]
    return tuple(tails)


def _unit(host: Host, unit: str, reader: Callable[[LogSource], LogReader]) -> Tail:
    # A login without rights sees its own part of the journal and journalctl calls that a success.
    source = LogSource(name=unit, unit=unit, become=bool(host.become))
    return _tail(reader, host, source)


def _declared(inventory: Inventory, reader: Callable[[LogSource], LogReader], only: str) -> list[Tail]:
    found = []
    for service in inventory.services.values():
        for env in service.on:
            places = members.logs_on(inventory, service, env)
            for source in service.logs:
                if only in ("", source.name):
                    found += [_tail(reader, place, source) for place in places[source.name]]
    return found


class _Unread:
    """Stands where nobody can read a source: its state says why, and the other sources are read."""

    def __init__(self, why: Missing) -> None:
        self._why = why

    async def follow(
        self, place: Place, source: LogSource, bench: Bench, *, since: int = 0, follow: bool = True
    ) -> AsyncGenerator[LogBatch, None]:
        """Nothing.

        Raises:
            Missing: Always.
        """
        raise self._why
        yield LogBatch()


def _tail(reader: Callable[[LogSource], LogReader], place: Place, source: LogSource) -> Tail:
    try:
        return Tail(reader(source), place, source)
    except Missing as missing:
        return Tail(_Unread(missing), place, source)
