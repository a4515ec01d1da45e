"""`ondeck get containers` and every other kind of live things: asked now, of every place or of those named."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from ondeck import times
from ondeck.capabilities import Capabilities
from ondeck.errors import BadInput, ExitCode, NoMatch, OndeckError
from ondeck.inventory.model import Place
from ondeck.job.listing import ListSpec
from ondeck.observe.asking import Question, ask
from ondeck.observe.resources import Listing
from ondeck.operate.bench import FaceBench
from ondeck.operate.naming import thing_of
from tui.cli import out
from tui.cli.face import Face
from tui.cli.out import Format, Rows

Asked = tuple[ListSpec, Place]


def show(face: Face, specs: Sequence[ListSpec], names: Sequence[str], form: str) -> int:
    """Print the things of a kind; `PLACE/THING` describes one.

    Raises:
        BadInput: Places and things are mixed, or the kind's places are not in the inventory.
        NoMatch: A name is none of its places.
    """
    if any("/" in name for name in names):
        return _describe(face, specs, names, form)
    where = _places(face, specs, names)
    listings = asyncio.run(_lists(face, where))
    if form in (Format.JSON, Format.JSONL):
        _as_data(face, listings, form)
    else:
        face.rows(_table(where, listings), form)
    for listing in listings:
        if listing.error:
            face.say(f"{listing.place}: {listing.error}")
    return _code(listings)


def _places(face: Face, specs: Sequence[ListSpec], names: Sequence[str]) -> list[Asked]:
    known = {place.name: (spec, place) for spec in specs for place in spec.places(face.deck.inventory)}
    if not known:
        kinds = " or ".join(kind for spec in specs for kind in spec.kinds)
        raise BadInput(
            f"the inventory names no {specs[0].of.section} of kind {kinds}", hint="see: docs/inventory.md"
        )
    if missing := [name for name in names if name not in known]:
        raise NoMatch(f"no place {missing[0]!r} has {specs[0].name}", hint=f"there are: {', '.join(known)}")
    return [known[name] for name in names] if names else list(known.values())


async def _lists(face: Face, where: Sequence[Asked]) -> list[Listing]:
    bench, able = FaceBench(face.deck), Capabilities(face.deck.registry)

    async def one(spec: ListSpec, place: Place) -> Listing:
        try:
            found: Listing = await ask(
                able, bench, Question("resources", spec.of.section, place.name, spec.name)
            )
        except OndeckError as error:
            return Listing(kind=spec.name, place=place.name, error=error.message)
        return found

    try:
        return list(await asyncio.gather(*(one(spec, place) for spec, place in where)))
    finally:
        await bench.aclose()


def _table(where: Sequence[Asked], listings: Sequence[Listing]) -> Rows:
    """One table of what to type for each thing and its cells; a first cell that only says the same is left out."""
    spec = where[0][0]
    several = len(listings) > 1
    things = [(listing.place, one) for listing in listings for one in listing.rows]
    skipped = 1 if all(one.cells[0] == one.name for _, one in things) else 0
    first = spec.columns[0].lower() if skipped else "thing"
    rows = tuple(
        (f"{place}/{one.name}" if several else one.name, *one.cells[skipped:]) for place, one in things
    )
    titles = (first, *(column.lower() for column in spec.columns[skipped:]))
    return Rows(titles, rows, drop=("thing",))


def _as_data(face: Face, listings: Sequence[Listing], form: str) -> None:
    records: list[dict[str, Any]] = [
        {"place": listing.place, "name": one.name, "state": one.state.value, **one.detail}
        for listing in listings
        for one in listing.rows
    ]
    if form == Format.JSONL:
        face.data("".join(out.compact(record) + "\n" for record in records))
        return
    asked = [
        {
            "place": listing.place,
            "asked": times.iso(listing.asked) if listing.asked else None,
            "error": listing.error or None,
            "partly": listing.partly,
        }
        for listing in listings
    ]
    face.data(out.dumps({"asked": asked, "things": records}) + "\n")


def _code(listings: Sequence[Listing]) -> int:
    lost = [listing for listing in listings if listing.error and not listing.partly]
    if not any(listing.error for listing in listings):
        return int(ExitCode.OK)
    return int(ExitCode.UNREACHABLE if len(lost) == len(listings) else ExitCode.SOME_FAILED)


def _describe(face: Face, specs: Sequence[ListSpec], names: Sequence[str], form: str) -> int:
    if len(names) != 1:
        raise BadInput(
            "one PLACE/THING is described at a time", hint=f"ondeck get {specs[0].name} {names[0]}"
        )
    owner, thing = thing_of(names[0])
    ((spec, place),) = _places(face, specs, (owner,))
    found = asyncio.run(_described(face, Question("describe", spec.of.section, place.name, spec.name, thing)))
    if form in (Format.JSON, Format.JSONL):
        face.data((out.dumps(found) if form == Format.JSON else out.compact(found)) + "\n")
    else:
        face.rows(Rows(("key", "value"), tuple(found.items()), below=("value",)), form)
    return int(ExitCode.OK)


async def _described(face: Face, question: Question) -> dict[str, Any]:
    bench = FaceBench(face.deck)
    try:
        return dict(await ask(Capabilities(face.deck.registry), bench, question))
    finally:
        await bench.aclose()
