"""A state as the program stores it (format 4), and what changed between two of them.

Of a state that was seen only its serial, its addresses and a hash of each resource are kept: no value.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from ondeck.errors import RemoteFailed
from ondeck.text import safe_line

KEPT = 30
NO_STATE = "no state"


class Instance(msgspec.Struct, kw_only=True):
    """One instance of a resource as it is stored."""

    index_key: str | int | None = None
    status: str = ""
    deposed: str = ""
    attributes: Any = None


class StateResource(msgspec.Struct, kw_only=True):
    """One resource as it is stored."""

    mode: str
    type: str
    name: str
    module: str = ""
    instances: list[Instance] = []


class State(msgspec.Struct, kw_only=True):
    """What we read of a state."""

    version: int
    serial: int = 0
    lineage: str = ""
    terraform_version: str = ""
    outputs: dict[str, Any] = {}
    resources: list[StateResource] = []


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A state that was seen, without its values.

    Attributes:
        at: When it was seen first, ns.
        resources: Address -> short hash of its attributes; a tainted one ends with `!`.
    """

    serial: int
    lineage: str
    at: int
    outputs: int = 0
    resources: dict[str, str] = {}
    version: str = ""

    def label(self) -> str:
        """What a precondition holds on to."""
        return f"serial {self.serial} of {self.lineage}" if self.lineage else NO_STATE

    def tainted(self) -> list[str]:
        """Resources that were left half made."""
        return [address for address, sign in self.resources.items() if sign.endswith("!")]


def decoded(data: bytes) -> State | None:
    """The answer of `state pull`; None when there is no state yet.

    Raises:
        RemoteFailed: It is none that is understood.
    """
    if not data.strip():
        return None
    try:
        state = msgspec.json.decode(data, type=State)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RemoteFailed(f"cannot read the state: {error}") from error
    if state.version != 4:
        raise RemoteFailed(f"state format {state.version} is not understood")
    return state


def address_of(resource: StateResource, instance: Instance) -> str:
    """The address as the program writes it."""
    data = "data." if resource.mode == "data" else ""
    base = ".".join(filter(None, (resource.module, f"{data}{resource.type}.{resource.name}")))
    key = instance.index_key
    if key is None:
        return base
    return f"{base}[{key}]" if isinstance(key, int) else f"{base}[{json.dumps(key, ensure_ascii=False)}]"


def seen_of(state: State | None, at: int) -> Seen:
    """What is kept of a state."""
    if state is None:
        return Seen(serial=0, lineage="", at=at)
    found = {}
    for resource in state.resources:
        for instance in resource.instances:
            name = safe_line(address_of(resource, instance))
            if instance.deposed:
                name += f" (deposed {safe_line(instance.deposed)})"
            digest = hashlib.sha256(msgspec.json.encode(instance.attributes, order="sorted")).hexdigest()
            found[name] = digest[:12] + ("!" if instance.status == "tainted" else "")
    return Seen(
        serial=state.serial,
        lineage=safe_line(state.lineage),
        at=at,
        outputs=len(state.outputs),
        resources=found,
        version=safe_line(state.terraform_version),
    )


class Between(msgspec.Struct, frozen=True, kw_only=True):
    """What is another in a later state."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    def words(self) -> str:
        """`2 added, 1 changed: web[0], ...`; what is few is named."""
        parts = []
        for word in ("added", "removed", "changed"):
            names: Sequence[str] = getattr(self, word)
            if names:
                parts.append(
                    f"{len(names)} {word}: {', '.join(names[:3])}{', ...' if len(names) > 3 else ''}"
                )
        return "; ".join(parts) or "no resource differs"


def between(old: Seen, new: Seen) -> Between:
    """What differs in its resources."""
    return Between(
        added=tuple(name for name in new.resources if name not in old.resources),
        removed=tuple(name for name in old.resources if name not in new.resources),
        changed=tuple(name for name, sign in new.resources.items() if old.resources.get(name, sign) != sign),
    )


def history(file: Path) -> list[Seen]:
    """States that were seen, newest first; an unreadable file is no history."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=list[Seen])
    except (OSError, msgspec.DecodeError):
        return []


def remember(file: Path, seen: Seen) -> list[Seen]:
    """Add a state to those that were seen, when it is another; newest first."""
    known = history(file)
    same = known and (known[0].serial, known[0].lineage) == (seen.serial, seen.lineage)
    if same or not seen.lineage:
        return known
    known = [seen, *known][:KEPT]
    write_private(file, msgspec.json.encode(known))
    return known


def write_private(file: Path, data: bytes) -> None:
    """Write beside and rename over, for our eyes only."""
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "wb") as out:
        out.write(data)
    beside.replace(file)
