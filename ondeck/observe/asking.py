"""Questions about places that a face asks when somebody looks: which port answers, and with what."""

from __future__ import annotations

from typing import Any

import msgspec

from ondeck.bench import Bench
from ondeck.capabilities import Capabilities
from ondeck.inventory import places
from ondeck.observe.ports import ResourceReader


class Question(msgspec.Struct, frozen=True):
    """What is asked.

    Attributes:
        capability: `resources`, `stacks`, `backups`; `describe` asks `resources` about one thing, `entries` asks
            `backups` what lies in a folder.
        section: Where the place stands in the inventory, e.g. `clusters`.
        place: Its name.
        kind: Of a list, e.g. `containers`; of `entries` the snapshot.
        name: Of one thing; of `entries` the folder.
    """

    capability: str
    section: str
    place: str
    kind: str = ""
    name: str = ""


async def ask(able: Capabilities, bench: Bench, question: Question) -> Any:  # noqa: ANN401 - each port's own record
    """The answer of the provider that serves the place.

    Raises:
        NoMatch: The inventory has no such place, or the place no such thing.
        Missing: Nobody serves it.
        OndeckError: It could not be asked.
    """
    place = places.find(bench.inventory, question.section, question.place)
    if question.capability in ("resources", "describe"):
        reader: ResourceReader = able.place(place, "resources")
        if question.capability == "describe":
            return await reader.describe(question.kind, place, question.name, bench)
        return await reader.list(question.kind, place, bench)
    if question.capability == "entries":
        return await able.place(place, "backups").entries(place, question.kind, question.name, bench)
    return await able.place(place, question.capability).look(place, bench)
