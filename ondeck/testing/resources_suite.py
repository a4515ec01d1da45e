"""The contract of `ondeck.observe.ports.ResourceReader` as tests: subclass it and give a `case`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pytest

from ondeck.bench import Bench
from ondeck.errors import NoMatch, OndeckError
from ondeck.inventory.model import Place
from ondeck.observe.ports import ResourceReader
from ondeck.observe.resources import Listing
from ondeck.registry import Registry
from ondeck.testing.suite import PortSuite
from ondeck.text import is_safe


class ResourceCase(msgspec.Struct, frozen=True, kw_only=True):
    """A place with something of every kind in it.

    Attributes:
        place: The place.
        bench: What the reader works with.
        things: By kind the name of a thing that is there; empty where there is none to describe.
        hidden: Values that stand in the place and must be shown nowhere.
        breaks: Makes it impossible to ask the place.
    """

    place: Place
    bench: Bench
    things: Mapping[str, str]
    breaks: Callable[[], None]
    hidden: tuple[str, ...] = ()


class ResourceReaderSuite(PortSuite):
    """The promises of `ResourceReader`, for every list that the provider's manifest names."""

    capability = "resources"

    def _listings(self, provided: ResourceReader, case: ResourceCase) -> list[Listing]:
        async def all_kinds() -> list[Listing]:
            return [await provided.list(kind, case.place, case.bench) for kind in case.things]

        return asyncio.run(all_kinds())

    def test_every_list_of_the_manifest_is_tried(self, case: ResourceCase) -> None:
        """So that none is promised and never looked at."""
        assert set(case.things) == {spec.name for spec in Registry().manifest(self.provider).lists}

    def test_cells_match_the_columns_and_are_safe_to_show(
        self, provided: ResourceReader, case: ResourceCase
    ) -> None:
        """One line each, whatever somebody named a thing."""
        columns = {spec.name: len(spec.columns) for spec in Registry().manifest(self.provider).lists}
        for listing in self._listings(provided, case):
            assert listing.error == "", listing
            assert listing.asked > 0
            assert len({row.name for row in listing.rows}) == len(listing.rows)
            for row in listing.rows:
                assert len(row.cells) == columns[listing.kind], row
                assert row.name
                assert all(is_safe(cell) and "\n" not in cell for cell in (*row.cells, row.name))
                assert msgspec.json.encode(row.detail)

    def test_what_is_there_is_listed_and_described(
        self, provided: ResourceReader, case: ResourceCase
    ) -> None:
        """By the name that the list gives, as plain data."""
        for listing in self._listings(provided, case):
            name = case.things[listing.kind]
            if not name:
                continue
            assert name in {row.name for row in listing.rows}, (listing.kind, listing.rows)
            found = asyncio.run(_described(provided, case, listing.kind, name))
            assert msgspec.json.encode(found)

    def test_nothing_hidden_is_shown(self, provided: ResourceReader, case: ResourceCase) -> None:
        """Neither in a list nor in a description."""
        for listing in self._listings(provided, case):
            said = repr(listing)
            if name := case.things[listing.kind]:
                said += repr(asyncio.run(_described(provided, case, listing.kind, name)))
            assert not [value for value in case.hidden if value in said]

    def test_a_thing_that_is_not_there_is_no_match(
        self, provided: ResourceReader, case: ResourceCase
    ) -> None:
        """And says so, instead of an empty description."""
        for kind, name in case.things.items():
            if name:
                with pytest.raises(NoMatch):
                    asyncio.run(_described(provided, case, kind, _other(name)))

    def test_a_place_that_cannot_be_asked_is_an_error_and_never_an_empty_list(
        self, provided: ResourceReader, case: ResourceCase
    ) -> None:
        """Nothing is raised for a list; a description is."""
        case.breaks()
        for listing in self._listings(provided, case):
            assert listing.error
            assert not listing.partly
            assert listing.rows == ()
            assert listing.asked == 0, "what was not answered has no age"
            if name := case.things[listing.kind]:
                with pytest.raises(OndeckError):
                    asyncio.run(_described(provided, case, listing.kind, name))


async def _described(provided: ResourceReader, case: ResourceCase, kind: str, name: str) -> Mapping[str, Any]:
    return await provided.describe(kind, case.place, name, case.bench)


def _other(name: str) -> str:
    """A name of the same form that nothing has."""
    turned = (name[-1:] == "0" and "1") or "0"
    return f"{name[:-1]}{turned}"
