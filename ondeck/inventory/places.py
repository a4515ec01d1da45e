"""Places: the records of the inventory that a provider works in, by section, kind and name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ondeck.errors import NoMatch
from ondeck.inventory.model import Account, Backup, Build, Cluster, Host, Inventory, Place, Stack
from ondeck.inventory.problems import listed, nearest

FIELDS: Mapping[str, str] = {
    "hosts": "host.transport",
    "clusters": "cluster.kind",
    "accounts": "account.kind",
    "stacks": "stack.kind",
    "backups": "backup.engine",
    "builds": "build.kind",
}
"""Section of the inventory -> the field by which manifests say what they serve of it."""

_SECTIONS: Mapping[type, str] = {
    Host: "hosts",
    Cluster: "clusters",
    Account: "accounts",
    Stack: "stacks",
    Backup: "backups",
    Build: "builds",
}


def section_of(place: Place) -> str:
    """The section that a place stands in."""
    return _SECTIONS[type(place)]


def kind_of(place: Place) -> str:
    """What serves a place: its transport, its engine or its kind."""
    match place:
        case Host():
            return place.transport
        case Backup():
            return place.engine
        case _:
            return place.kind


def places(inventory: Inventory, section: str) -> Mapping[str, Place]:
    """Every place of a section, by name."""
    found: Mapping[str, Place] = getattr(inventory, section)
    return found


def find(inventory: Inventory, section: str, name: str) -> Place:
    """The place of a name.

    Raises:
        NoMatch: The section has none of that name.
    """
    known = places(inventory, section)
    if name not in known:
        hint = nearest(name, known) or f"{listed(known)}; see: ondeck get {section}"
        raise NoMatch(f"no {section.removesuffix('s')} {name!r}", hint=hint)
    return known[name]


def serving(inventory: Inventory, section: str, kinds: tuple[str, ...]) -> Iterator[Place]:
    """The places of a section that are of one of these kinds, in the order of the inventory."""
    return (place for place in places(inventory, section).values() if kind_of(place) in kinds)
