"""The rules that apply in an environment: the inventory's, tightened by a root-owned file on the bastion."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import msgspec

from ondeck.errors import BadInput, Refused
from ondeck.inventory.model import (
    Freeze,
    Inventory,
    MaxTargets,
    Protection,
)
from ondeck.settings import Settings

_ORDER = (Protection.NONE, Protection.CONFIRM, Protection.TYPE_NAME, Protection.TWO_PERSON)


class FloorFreeze(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"start": "from", "end": "to"}
):
    """A freeze window of the floor; nothing is excepted unless it says so."""

    start: str
    end: str
    why: str = ""
    excepted: tuple[str, ...] = msgspec.field(default=(), name="except")


class FloorRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the floor says about one environment, or about all under `*`."""

    protection: dict[str, Protection] = {}
    freeze: tuple[FloorFreeze, ...] = ()
    max_targets: float = 1.0
    break_glass: tuple[str, ...] | None = None


class Floor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file. Every word of it can only make the rules stricter."""

    read_only: bool = False
    environments: dict[str, FloorRules] = {}


class Layers(Floor, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A floor with others laid over it; each is asked by itself, so that none can weaken another."""

    over: tuple[Floor, ...] = ()


def floor_of(settings: Settings) -> Floor:
    """The floor of this machine, with what the settings add to it.

    Raises:
        Refused: See `load_floor`; also for the file that is added, which has to be there once it is named.
    """
    floor = load_floor(settings.policy_floor)
    if settings.policy_more is None:
        return floor
    if not settings.policy_more.exists():
        raise Refused(
            f"ONDECK_POLICY names {settings.policy_more}, which is not there",
            hint="mend the path or unset it",
        )
    more = load_floor(settings.policy_more)
    return Layers(read_only=floor.read_only or more.read_only, environments=floor.environments, over=(more,))


def load_floor(path: Path, *, owner: int = 0) -> Floor:
    """Read the floor; no file means no floor.

    Raises:
        Refused: The file is not root's alone to write, or it cannot be read: then every change is refused,
            because nobody can say what it forbids.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return Floor()
    except OSError as error:
        raise Refused(
            f"{path} cannot be read: {error.strerror}", hint="changes need it; ask who runs this bastion"
        ) from error
    with os.fdopen(fd, "rb") as file:
        facts = os.fstat(file.fileno())
        if not stat.S_ISREG(facts.st_mode):
            raise Refused(f"{path} is not a regular file")
        if facts.st_uid != owner or facts.st_mode & 0o022:
            raise Refused(
                f"{path} could be changed by others than root, so it is no rule (owner {facts.st_uid}, "
                f"mode {stat.S_IMODE(facts.st_mode):04o})",
                hint=f"sudo chown root {path} && sudo chmod 0644 {path}",
            )
        data = file.read(1 << 20)
    return parse_floor(data, str(path))


def parse_floor(data: bytes, name: str) -> Floor:
    """Check the floor's text.

    Raises:
        Refused: It is no valid floor; the message names key and line.
    """
    import yaml

    try:
        raw = yaml.load(data, Loader=_strict())  # noqa: S506 - a subclass of SafeLoader
        return msgspec.convert(raw or {}, Floor, strict=True)
    except (yaml.YAMLError, msgspec.ValidationError, BadInput, ValueError) as error:
        text = " ".join(str(error).split())
        raise Refused(f"{name}: {text}", hint="every change is refused until it is mended") from error


def _strict() -> type[Any]:
    import yaml

    class Strict(yaml.SafeLoader):
        def compose_node(self, parent: Any, index: Any) -> Any:  # noqa: ANN401 - the signature of PyYAML
            if self.check_event(yaml.AliasEvent):
                raise BadInput(f"line {self.get_mark().line + 1}: aliases are not allowed")
            return super().compose_node(parent, index)

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:  # noqa: ANN401
            seen = set()
            for key, _ in node.value:
                if key.value in seen:
                    raise BadInput(f"line {key.start_mark.line + 1}: {key.value!r} stands twice")
                seen.add(key.value)
            return super().construct_mapping(node, deep)

    return Strict


def stricter(one: Protection, other: Protection) -> Protection:
    """The stronger of two protections."""
    return max(one, other, key=_ORDER.index)


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What holds in an environment: the inventory's rules and under them the floor's.

    Attributes:
        protections: Looked up one by one; the strongest answer counts.
        limits: Shares of a service that one batch may touch; all of them hold.
    """

    env: str
    zone: str
    protections: tuple[dict[str, Protection], ...] = ()
    freezes: tuple[Freeze, ...] = ()
    limits: tuple[MaxTargets, ...] = ()
    glass: tuple[str, ...] = ()
    read_only: bool = False


def rules_of(inventory: Inventory, floor: Floor, env: str) -> Rules:
    """The rules of an environment with the floor laid under them: never weaker than either.

    Raises:
        BadInput: The inventory knows no such environment.
    """
    own = inventory.environments.get(env)
    if own is None:
        known = ", ".join(sorted(inventory.environments)) or "none"
        raise BadInput(f"the inventory has no environment {env!r}", hint=f"there are: {known}")
    layers = (floor, *(floor.over if isinstance(floor, Layers) else ()))
    floors = [each.environments[key] for each in layers for key in ("*", env) if key in each.environments]
    glass = own.break_glass.teams if own.break_glass else ()
    for below in floors:
        if below.break_glass is not None:
            glass = tuple(team for team in glass if team in below.break_glass)
    windows = (f for below in floors for f in below.freeze)
    return Rules(
        env=env,
        zone=inventory.zone,
        protections=(own.protection, *(below.protection for below in floors if below.protection)),
        freezes=(
            *own.freeze,
            *(Freeze(start=f.start, end=f.end, why=f.why, excepted=f.excepted) for f in windows),
        ),
        limits=(own.max_targets, *(MaxTargets(share=below.max_targets) for below in floors)),
        glass=glass,
        read_only=floor.read_only,
    )


def digest(inventory: Inventory, floor: Floor, env: str) -> str:
    """sha256 over everything a ruling depends on besides the plan and the time."""
    parts = (rules_of(inventory, floor, env), inventory.people)
    return hashlib.sha256(msgspec.json.encode(parts, order="deterministic")).hexdigest()
