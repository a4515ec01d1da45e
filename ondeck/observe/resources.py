"""Live things of a place as a provider lists them: containers, images, instances, snapshots."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec


class ResourceState(StrEnum):
    """How a thing is, for the eye; never by colour alone: the cells say it in words."""

    UNKNOWN = "unknown"
    GOOD = "good"
    WARN = "warn"
    BAD = "bad"
    IDLE = "idle"


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """One thing.

    Attributes:
        name: Names it within its place: the THING of `PLACE/THING`.
        cells: Safe texts in the order of the kind's columns.
        detail: The same and more as plain data, for JSON; secrets are masked.
    """

    name: str
    cells: tuple[str, ...]
    state: ResourceState = ResourceState.UNKNOWN
    detail: dict[str, Any] = {}


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """The things of one kind in one place, as they were when it was asked.

    Attributes:
        kind: Name of the `ListSpec`.
        place: Name of the place.
        asked: When it answered, ns; 0 when it did not.
        error: Why it could not be asked, or with `partly` which part of it; empty means that `rows` is all of it.
    """

    kind: str
    place: str
    rows: tuple[Resource, ...] = ()
    asked: int = 0
    error: str = ""
    partly: bool = False
