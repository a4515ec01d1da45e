"""What somebody meant who left something out: the verb that was probably wanted, or what there is to choose."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ondeck.capabilities import Capabilities
from ondeck.errors import BadInput, OndeckError
from ondeck.job.spec import OperationSpec, TargetKind
from tui.cli import flags

if TYPE_CHECKING:
    from ondeck.inventory.model import Inventory
    from ondeck.observe.ports import ReleaseReader
    from tui.cli.face import Face

_SHOWN = 8


def refuse_lacking(face: Face, spec: OperationSpec, subject: str, params: dict[str, Any]) -> None:
    """Name a required parameter that was not given, and what it could be.

    Raises:
        BadInput: One is missing.
    """
    for field in flags.fields_of(spec.params):
        if field.required and params.get(field.name) in (None, ()):
            hint = field.help
            if spec.target is TargetKind.SERVICE and field.name == "version":
                hint = _releases(face, spec, subject) or hint
            raise BadInput(f"{spec.verb} needs a {field.name}", hint=hint)


def _releases(face: Face, spec: OperationSpec, subject: str) -> str:
    """The releases of a service as a hint; empty when it cannot say them."""
    from ondeck.operate.bench import FaceBench
    from ondeck.operate.subject import resolve

    deck = face.deck
    name, _, env = resolve(deck.inventory, spec, subject).text.partition("@")
    service = deck.inventory.services[name]
    if service.deploy is None:
        return ""

    async def ask() -> Sequence[str]:
        bench = FaceBench(deck)
        try:
            reader: ReleaseReader = Capabilities(deck.registry).releases(service)
            return await reader.available(service, env, bench)
        finally:
            await bench.aclose()

    try:
        versions = asyncio.run(ask())
    except OndeckError as error:
        return f"what there is could not be listed: {error.message}"
    if not versions:
        return f"there is no release of {name} to deploy yet"
    more = f" and {len(versions) - _SHOWN} more" if len(versions) > _SHOWN else ""
    verb = " ".join(spec.shortcut.verb) if spec.shortcut else spec.verb
    return (
        f"there are, newest first: {', '.join(versions[:_SHOWN])}{more}\n"
        f"ondeck {verb} {name}@{env} {versions[0]}"
    )


def refuse_without_hosts(inventory: Inventory, spec: OperationSpec, words: Sequence[str]) -> None:
    """For a verb whose hosts are selected with `-l`, when none was given.

    Raises:
        BadInput: Always; it says what to type.
    """
    verb = " ".join(spec.shortcut.verb) if spec.shortcut else spec.verb
    meant = selector_of(inventory, words[0]) if words else ""
    if meant and len(words) > 1:
        line = f"ondeck {verb} -l {shlex.quote(meant)} -- {shlex.join(words[1:])}"
        raise BadInput(f"{verb} where? Hosts are selected with -l", hint=f"did you mean: {line}")
    rest = f" -- {shlex.join(words)}" if words else ""
    raise BadInput(
        f"{verb} where? Hosts are selected with -l",
        hint=f"ondeck {verb} -l env=staging,group=web{rest}\none host: ondeck {verb} -l name=HOST{rest}",
    )


def selector_of(inventory: Inventory, word: str) -> str:
    """The selector of what a word names: a host, a group, an environment, a service; empty for none."""
    if word in inventory.hosts:
        return f"name={word}"
    name, at, env = word.partition("@")
    if name in inventory.services and (not at or env in inventory.services[name].on):
        return f"service={name},env={env}" if at else f"service={name}"
    if any(word in host.groups for host in inventory.hosts.values()):
        return f"group={word}"
    if word in inventory.environments:
        return f"env={word}"
    return word if "=" in word else ""
