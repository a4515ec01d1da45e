"""What an inventory names and no installed provider serves: written down, and reached by nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from ondeck.inventory import places
from ondeck.inventory.findings import Finding, note, warning
from ondeck.inventory.model import Inventory
from ondeck.inventory.problems import nearest

WORDS = frozenset({"*", "destroy", "mark", "trust"})
"""Words of protection and `may` that are no operation's verb: the rest, every destroying one, two of the faces."""

_NEAR = 0.75  # of 1: a slip of the keys, and no other word


class Serves(msgspec.Struct, frozen=True, kw_only=True):
    """What the installed providers serve.

    Attributes:
        verbs: Of their operations.
        kinds: By field of the inventory: `{"deploy.kind": {"release-dir", "command"}}`.
    """

    verbs: frozenset[str]
    kinds: Mapping[str, frozenset[str]]

    def serves(self, field: str, kind: str) -> bool:
        """Whether some provider does."""
        return kind in self.kinds.get(field, ())


def unserved(inventory: Inventory, serves: Serves) -> Iterator[Finding]:
    """Every such thing. One that would protect or carry something is a warning."""
    yield from _protection(inventory, serves.verbs | WORDS)
    yield from _transports(inventory, serves.kinds.get("host.transport", frozenset()))
    for where, field, kind in _kinds(inventory):
        if serves.serves(field, kind):
            continue
        if near := nearest(kind, serves.kinds.get(field, ()), cutoff=_NEAR):
            yield warning(where, f"nothing here works with {kind!r}", near)
        else:
            yield note(where, f"nothing here works with {kind} yet: it is only written down")


def _protection(inventory: Inventory, known: frozenset[str]) -> Iterator[Finding]:
    for name, env in inventory.environments.items():
        for verb in env.protection:
            if verb not in known:
                said = "no operation here has this name, so it protects nothing"
                yield warning(f"environments.{name}.protection.{verb}", said, nearest(verb, known))


def _transports(inventory: Inventory, known: frozenset[str]) -> Iterator[Finding]:
    first: dict[str, str] = {}
    for host in inventory.hosts.values():
        first.setdefault(host.transport, host.name)
    for transport, host_name in first.items():
        if transport not in known:
            said = f"no provider carries {transport!r}, so nothing reaches this host"
            yield warning(f"hosts.{host_name}.transport", said, nearest(transport, known))


def _kinds(inventory: Inventory) -> Iterator[tuple[str, str, str]]:
    """Where, field of the manifests, kind."""
    for name, service in inventory.services.items():
        if service.deploy is not None:
            yield f"services.{name}.deploy", "deploy.kind", service.deploy.kind
    for section, field in places.FIELDS.items():
        if section != "hosts":
            for name, place in places.places(inventory, section).items():
                yield f"{section}.{name}", field, places.kind_of(place)
    for name in inventory.secrets:
        yield f"secrets.{name}", "secret.scheme", name
    for name, metrics in inventory.metrics.items():
        yield f"metrics.{name}", "metrics.kind", str(metrics.get("kind", ""))
    for number, found in enumerate(inventory.discover, 1):
        yield f"discover.{number}", "discover.from", str(found.get("from", ""))
