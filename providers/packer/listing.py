"""Capability `resources` of builds: the artifacts that were made here, newest first."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from ondeck.bench import Bench
from ondeck.errors import NoMatch, OndeckError, RemoteFailed
from ondeck.inventory.model import Place
from ondeck.observe.resources import Listing, Resource, ResourceState
from ondeck.text import safe_line
from ondeck.times import iso
from providers.packer.operator import promoted
from providers.packer.shelf import Made, Shelf


class Artifacts:
    """Lists `artifacts` of a build."""

    async def list(self, kind: str, place: Place, bench: Bench) -> Listing:
        """Everything that builds of this name made; see `ondeck.observe.ports.ResourceReader`."""
        try:
            rows = await asyncio.to_thread(_rows, place, bench)
        except (OndeckError, OSError, msgspec.DecodeError) as error:
            return Listing(kind=kind, place=place.name, error=safe_line(str(error)))
        return Listing(kind=kind, place=place.name, rows=rows, asked=time.time_ns())

    async def describe(self, kind: str, place: Place, name: str, bench: Bench) -> Mapping[str, Any]:
        """One artifact.

        Raises:
            NoMatch: There is none of that id.
            RemoteFailed: What is remembered cannot be read.
        """
        try:
            made = await asyncio.to_thread(Shelf(bench.work_folder("packer", place.name)).made)
        except (OSError, msgspec.DecodeError) as error:
            raise RemoteFailed(f"the artifacts of {place.name} cannot be read: {error}") from error
        for one in made:
            if one.id == name:
                return {**msgspec.to_builtins(one), "at": iso(one.at), "state": _word(one, bench, place.name)}
        raise NoMatch(f"no artifact {name!r} of {place.name}", hint=f"ondeck get artifacts {place.name}")


def _rows(place: Place, bench: Bench) -> tuple[Resource, ...]:
    rows: dict[str, Resource] = {}
    for one in Shelf(bench.work_folder("packer", place.name)).made():
        word = _word(one, bench, place.name)
        state = {"promoted": ResourceState.GOOD, "gone": ResourceState.BAD}.get(word, ResourceState.IDLE)
        cells = (one.id, one.builder, iso(one.at), one.commit[:7], word)
        rows.setdefault(
            one.id, Resource(name=one.id, cells=cells, state=state, detail=msgspec.to_builtins(one))
        )
    return tuple(rows.values())


def _word(one: Made, bench: Bench, build: str) -> str:
    """`promoted`, `gone` where it was a file of this machine, else `made`: what a cloud still has is not asked."""
    if any(not Path(file).exists() for file in one.files):
        return "gone"
    return "promoted" if bench.remembered(promoted(build)).partition(" ")[0] == one.id else "made"
