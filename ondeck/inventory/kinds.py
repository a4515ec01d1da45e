"""What `ondeck get KIND` shows: columns and rows as plain text, and the record behind each row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from ondeck.errors import BadInput, NoMatch
from ondeck.inventory import members, selector
from ondeck.inventory.model import (
    Account,
    Backup,
    Build,
    Cluster,
    Environment,
    Host,
    Inventory,
    Person,
    Record,
    Service,
    Stack,
)
from ondeck.inventory.problems import listed, nearest


class Row(msgspec.Struct, frozen=True):
    """One row: its name, its cells in the order of the columns, its record as plain data."""

    name: str
    cells: tuple[str, ...]
    data: dict[str, Any]


class Rows(msgspec.Struct, frozen=True):
    """A kind as a table."""

    kind: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


class _Kind(msgspec.Struct, frozen=True):
    columns: tuple[str, ...]
    records: Callable[[Inventory], Iterable[Any]]
    cells: Callable[[Inventory, Any], tuple[str, ...]]
    hosts: Callable[[Inventory, Any], Iterable[str]] | None = None


def _host(_: Inventory, host: Host) -> tuple[str, ...]:
    labels = ",".join(f"{key}={text}" for key, text in sorted(host.labels.items()))
    port = f":{host.port}" if host.port else ""
    return (
        host.name,
        host.env,
        ",".join(host.groups),
        host.address + port,
        str(host.nature),
        host.via,
        labels,
    )


def _service(inventory: Inventory, service: Service) -> tuple[str, ...]:
    where = " ".join(f"{env}:{len(members.hosts_of(inventory, service, env))}" for env in service.on)
    deploy = service.deploy.kind if service.deploy else ""
    health = ""
    if service.health:
        tests = {"http": service.health.http, "tcp": service.health.tcp, "run": service.health.run}
        health = next((kind for kind, test in tests.items() if test), "")
    logs = ",".join(source.name for source in service.logs)
    return (service.name, service.owner, where, deploy, health, logs, ",".join(service.needs))


def _service_hosts(inventory: Inventory, service: Service) -> Iterable[str]:
    return (host.name for env in service.on for host in members.hosts_of(inventory, service, env))


def _environment(inventory: Inventory, env: Environment) -> tuple[str, ...]:
    hosts = sum(host.env == env.name for host in inventory.hosts.values())
    services = sum(env.name in service.on for service in inventory.services.values())
    rules = ",".join(f"{verb}:{word}" for verb, word in env.protection.items())
    return (env.name, env.colour, str(hosts), str(services), rules, str(len(env.freeze)))


def _cluster(_: Inventory, record: Cluster | Account | Stack | Build) -> tuple[str, ...]:
    return (record.name, record.kind, record.env)


def _backup(inventory: Inventory, backup: Backup) -> tuple[str, ...]:
    services = ",".join(
        service.name for service in inventory.services.values() if service.backup == backup.name
    )
    return (backup.name, backup.engine, backup.host, backup.env, services)


def _person(_: Inventory, person: Person) -> tuple[str, ...]:
    nature = "machine" if person.headless else "person"
    return (person.name, person.login, nature, ",".join(person.teams), ",".join(person.may))


_OF_ENV = ("NAME", "KIND", "ENV")
_KINDS: dict[str, _Kind] = {
    "hosts": _Kind(
        ("NAME", "ENV", "GROUPS", "ADDRESS", "NATURE", "VIA", "LABELS"),
        lambda inventory: inventory.hosts.values(),
        _host,
        lambda _, host: (host.name,),
    ),
    "services": _Kind(
        ("NAME", "OWNER", "HOSTS", "DEPLOY", "HEALTH", "LOGS", "NEEDS"),
        lambda inventory: inventory.services.values(),
        _service,
        _service_hosts,
    ),
    "environments": _Kind(
        ("NAME", "COLOUR", "HOSTS", "SERVICES", "PROTECTION", "FREEZES"),
        lambda inventory: inventory.environments.values(),
        _environment,
        lambda inventory, env: (host.name for host in inventory.hosts.values() if host.env == env.name),
    ),
    "clusters": _Kind(_OF_ENV, lambda inventory: inventory.clusters.values(), _cluster),
    "accounts": _Kind(_OF_ENV, lambda inventory: inventory.accounts.values(), _cluster),
    "stacks": _Kind(_OF_ENV, lambda inventory: inventory.stacks.values(), _cluster),
    "builds": _Kind(_OF_ENV, lambda inventory: inventory.builds.values(), _cluster),
    "backups": _Kind(
        ("NAME", "ENGINE", "HOST", "ENV", "SERVICES"),
        lambda inventory: inventory.backups.values(),
        _backup,
        lambda _, backup: filter(None, (backup.host,)),
    ),
    "people": _Kind(
        ("NAME", "LOGIN", "NATURE", "TEAMS", "MAY"), lambda inventory: inventory.people.values(), _person
    ),
}
_ALSO = {
    "host": "hosts",
    "service": "services",
    "svc": "services",
    "environment": "environments",
    "env": "environments",
    "envs": "environments",
    "cluster": "clusters",
    "account": "accounts",
    "stack": "stacks",
    "backup": "backups",
    "build": "builds",
    "person": "people",
}
KINDS = tuple(_KINDS)


def plural(word: str) -> str | None:
    """The kind that a word names, also in the singular; None when it names none."""
    found = _ALSO.get(word, word)
    return found if found in _KINDS else None


def rows(inventory: Inventory, kind: str, names: Sequence[str] = (), selectors: Sequence[str] = ()) -> Rows:
    """A kind as a table, all of it or what is named or selected.

    Args:
        inventory: What exists.
        kind: One of `KINDS`, also in the singular.
        names: Exact names; `checkout@prod` names a service in an environment.
        selectors: Selectors over hosts; of another kind the records that touch a selected host.

    Raises:
        BadInput: No such kind, or a selector on a kind that has no hosts.
        NoMatch: A name or selector names nothing.
    """
    found = plural(kind)
    if found is None:
        raise BadInput(f"no kind {kind!r}", hint=nearest(kind, KINDS) or f"kinds: {', '.join(KINDS)}")
    shape = _KINDS[found]
    records = {record.name: record for record in shape.records(inventory)}
    chosen = [_named(found, name, records) for name in names] if names else list(records.values())
    if selectors:
        chosen = _selected(inventory, found, shape, chosen, selectors)
    return Rows(
        found,
        shape.columns,
        tuple(Row(record.name, shape.cells(inventory, record), plain(record)) for record in chosen),
    )


def counts(inventory: Inventory) -> dict[str, int]:
    """How many records there are of each kind."""
    return {kind: len(list(shape.records(inventory))) for kind, shape in _KINDS.items()}


def plain(record: Record) -> dict[str, Any]:
    """A record as plain data for JSON; fields that have their default are left out."""
    found: dict[str, Any] = msgspec.to_builtins(record)
    return found


def _named(kind: str, name: str, records: dict[str, Any]) -> Any:  # noqa: ANN401 - any record
    if name in records:
        return records[name]
    service, at, env = name.partition("@")
    if kind == "services" and at and service in records:
        if env in records[service].on:
            return msgspec.structs.replace(records[service], on={env: records[service].on[env]})
        raise NoMatch(
            f"service {service!r} is not in {env!r}", hint=f"environments: {listed(records[service].on)}"
        )
    raise NoMatch(f"no {kind} named {name!r}", hint=nearest(name, records) or listed(records))


def _selected(
    inventory: Inventory, kind: str, shape: _Kind, records: list[Any], selectors: Sequence[str]
) -> list[Any]:
    if shape.hosts is None:
        raise BadInput(f"{kind} have no hosts, so a selector cannot choose them", hint="name them instead")
    wanted = {host.name for host in selector.parse(selectors).select(inventory)}
    found = [record for record in records if not wanted.isdisjoint(shape.hosts(inventory, record))]
    if not found:
        raise NoMatch(f"no {kind} on the {len(wanted)} selected hosts")
    return found
