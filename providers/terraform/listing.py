"""Capability `resources` of stacks: what the state names, and the outputs; sensitive values masked."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from ondeck.bench import Bench
from ondeck.errors import NoMatch, OndeckError
from ondeck.inventory.model import Place
from ondeck.observe.resources import Listing, Resource, ResourceState
from ondeck.text import safe_line
from providers.terraform import reads
from providers.terraform.masking import MASK
from providers.terraform.work import Ready, set_up

_WIDEST = 200


class StackResources:
    """Lists `resources` and `outputs` of a stack."""

    async def list(self, kind: str, place: Place, bench: Bench) -> Listing:
        """Everything of a kind in a stack; see `ondeck.observe.ports.ResourceReader`."""
        try:
            ready = await set_up(bench, place.name, await bench.here())
            rows = await (_outputs(ready) if kind == "outputs" else _resources(ready))
        except (OndeckError, TimeoutError) as error:
            said = error.message if isinstance(error, OndeckError) else "no answer in time"
            return Listing(kind=kind, place=place.name, error=safe_line(said))
        return Listing(kind=kind, place=place.name, rows=rows, asked=time.time_ns())

    async def describe(self, kind: str, place: Place, name: str, bench: Bench) -> Mapping[str, Any]:
        """One resource with its attributes, or one output; sensitive values masked.

        Raises:
            NoMatch: There is none of that name.
        """
        ready = await set_up(bench, place.name, await bench.here())
        if kind != "outputs":
            return reads.described(await reads.shown_state(ready), name, place.name)
        found = reads.masked_outputs(await reads.outputs(ready))
        if name not in found:
            raise NoMatch(f"no output {name!r}", hint=f"there are: {', '.join(found) or 'none'}")
        return {"name": name, "value": found[name]}


async def _resources(ready: Ready) -> tuple[Resource, ...]:
    seen = (await ready.state()).seen
    rows = []
    for address, sign in seen.resources.items():
        tainted = sign.endswith("!")
        word = "TAINTED" if tainted else "in the state"
        rows.append(
            Resource(
                name=address,
                cells=(address, _type(address), word),
                state=ResourceState.BAD if tainted else ResourceState.IDLE,
                detail={"address": address, "tainted": tainted},
            )
        )
    return tuple(rows)


def _type(address: str) -> str:
    """`aws_vpc` of `module.net["a.b"].aws_vpc.main[0]`."""
    plain, depth = [], 0
    for char in address:
        depth += (char == "[") - (char == "]")
        if not depth and char != "]":
            plain.append(char)
    parts = "".join(plain).split(" ")[0].split(".")
    return parts[-2] if len(parts) > 1 else ""


async def _outputs(ready: Ready) -> tuple[Resource, ...]:
    found = reads.masked_outputs(await reads.outputs(ready))
    rows = []
    for name, value in found.items():
        text = value if value == MASK else safe_line(json.dumps(value, ensure_ascii=False))
        shown = text if len(text) <= _WIDEST else f"{text[:_WIDEST]}..."
        sensitive = value == MASK
        rows.append(
            Resource(
                name=name,
                cells=(name, shown, "yes" if sensitive else "no"),
                state=ResourceState.IDLE,
                detail={"value": value, "sensitive": sensitive},
            )
        )
    return tuple(rows)
