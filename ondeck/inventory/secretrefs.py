"""References to secrets as the files write them: `vault:kv/orders#password`, `env:NAME`, `secret://vault/kv/orders#password`.

A reference stands where a value would; the value never stands in the inventory. Which provider knows a
scheme is said by its manifest (`secret.scheme`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any

import msgspec

from ondeck.errors import BadInput
from ondeck.inventory.model import Inventory
from ondeck.inventory.problems import Path, dotted, nearest
from ondeck.text import is_safe

SCHEMES = ("env", "file", "command", "keyring", "vault")
"""What ondeck itself brings; a provider of others may add more."""

BOOTSTRAP = ("env", "file", "command", "keyring")
"""What may stand in the section `secrets:` itself: none of them needs another secret first."""

_WHOLE = ("env", "file", "command")
"""Schemes whose rest is a name as it is: a path may hold `#`."""

_LONG = "secret://"
_SHAPE = re.compile(r"([a-z][a-z0-9-]{0,31}):(?!//)(.+)\Z", re.DOTALL)
_LONG_SHAPE = re.compile(r"secret://([a-z][a-z0-9-]{0,31})/(.+)\Z", re.DOTALL)
_FREE = ("clusters", "accounts", "stacks", "backups", "builds", "notify", "secrets")
"""Sections whose records carry options."""


class Reference(msgspec.Struct, frozen=True, order=True):
    """A reference taken apart.

    Attributes:
        scheme: Who knows the value: `vault`.
        rest: Where it is there: `kv/backup/orders`.
        key: Which part of that: `password`; empty where none is named.
    """

    scheme: str
    rest: str
    key: str = ""

    def __str__(self) -> str:
        return f"{self.scheme}:{self.rest}" + (f"#{self.key}" if self.key else "")


class Use(msgspec.Struct, frozen=True):
    """Where the inventory uses a reference: `backups.orders-db.repo.password`."""

    where: str
    reference: Reference


def parse(text: str) -> Reference:
    """Take a reference apart; both ways of writing one give the same.

    Raises:
        BadInput: It is none. Its text is not repeated: who writes a value by mistake does not find it shown.
    """
    found = (_LONG_SHAPE if text.startswith(_LONG) else _SHAPE).match(text)
    if found is None or not is_safe(text) or "\n" in text:
        raise BadInput(
            "that is no reference to a secret", hint="write one such as env:NAME or vault:kv/x#key"
        )
    scheme, rest = found.groups()
    if scheme in _WHOLE or "#" not in rest:
        return Reference(scheme, rest)
    place, _, key = rest.rpartition("#")
    if not place or not key:
        raise BadInput("a reference has something on both sides of #", hint="such as vault:kv/x#key")
    return Reference(scheme, place, key)


def is_reference(text: str, schemes: Collection[str] = SCHEMES) -> bool:
    """Whether a text is a reference of a known scheme; addresses such as `file:///x` are none."""
    try:
        return parse(text).scheme in schemes
    except BadInput:
        return False


def known(text: str, schemes: Collection[str]) -> Reference:
    """A reference of one of some schemes.

    Raises:
        BadInput: It is none, or of another scheme.
    """
    found = parse(text)
    if found.scheme not in schemes:
        near = nearest(found.scheme, schemes)
        raise BadInput(
            f"nobody here knows secrets of scheme {found.scheme!r}",
            hint=near or f"there are: {', '.join(sorted(schemes))}",
        )
    return found


def uses(inventory: Inventory, schemes: Collection[str] = SCHEMES) -> tuple[Use, ...]:
    """Every reference that the inventory uses, in the order of its sections, and where it stands.

    Only what belongs to providers is looked at; a label `env:prod` is no secret.
    """
    return tuple(
        Use(dotted(path), parse(text)) for path, text in _texts(inventory) if is_reference(text, schemes)
    )


_NAMED = frozenset(
    {"password", "passphrase", "token", "secret", "secret_id", "secret_key", "api_key", "private_key"}
)


def in_the_open(inventory: Inventory) -> Iterator[str]:
    """Places whose key says that a secret stands there, and whose text is a value and no reference to one."""
    for path, text in _texts(inventory):
        named = str(path[-1]).lower().replace("-", "_")
        if (
            named in _NAMED
            and text
            and not _SHAPE.match(text)
            and not text.startswith((_LONG, "/", "./", "~"))
        ):
            yield dotted(path)


def _texts(inventory: Inventory) -> Iterator[tuple[Path, str]]:
    for name, service in inventory.services.items():
        if service.deploy is not None:
            yield from _within(service.deploy.options, ("services", name, "deploy"))
    for section in _FREE:
        for name, record in getattr(inventory, section, {}).items():
            if (section, name) != ("secrets", "command"):  # a word of an argv stands for itself
                yield from _within(record.options, (section, name))
    yield from _within(inventory.metrics, ("metrics",))
    for index, source in enumerate(inventory.discover):
        yield from _within(source, ("discover", index))


def _within(value: Any, path: Path) -> Iterator[tuple[Path, str]]:  # noqa: ANN401 - free data of the inventory
    match value:
        case str():
            yield path, value
        case dict():
            for key, item in value.items():
                yield from _within(item, (*path, str(key)))
        case list() | tuple():
            for index, item in enumerate(value):
                yield from _within(item, (*path, index))
