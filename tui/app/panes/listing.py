"""`:containers`, `:instances` and every other kind that a provider lists: all places, or the one behind the word."""

from __future__ import annotations

import textwrap
from typing import ClassVar

from ondeck.inventory import places
from ondeck.inventory.model import Place
from ondeck.job.listing import ListSpec
from ondeck.observe.asking import Question
from ondeck.observe.resources import Listing, Resource, ResourceState
from ondeck.text import safe_line
from tui.app.context import Desk
from tui.app.panes.base import BoardView
from tui.app.rows import BLANK, Column, Line, Row, grid, heading, row
from tui.app.views import NOTHING, Kind, Known, Selected

ROLES = {
    ResourceState.GOOD: "ok",
    ResourceState.WARN: "warn",
    ResourceState.BAD: "bad",
    ResourceState.IDLE: "dim",
    ResourceState.UNKNOWN: "",
}
_WIDEST = 44


class ListingPage(BoardView):
    """Things of one kind, place by place."""

    hints: ClassVar[tuple[str, ...]] = (
        "go.open",
        "list.filter",
        "list.mark",
        "do.actions",
        "copy.name",
        "copy.command",
        "go.back",
    )

    def __init__(self, desk: Desk, name_of: str) -> None:
        super().__init__(desk, name_of)
        self.kind, _, self.place = name_of.partition(" ")

    @property
    def specs(self) -> tuple[ListSpec, ...]:
        """Of its kind; several providers may list it."""
        return self.session.lists().get(self.kind, ())

    @property
    def env(self) -> str:
        """Of the place, when it is about one."""
        return next((place.env for _, place in self._places()), "") if self.place else ""

    def _places(self) -> list[tuple[ListSpec, Place]]:
        inventory = self.session.inventory
        found = [(spec, place) for spec in self.specs for place in spec.places(inventory)]
        return [(spec, place) for spec, place in found if self.place in ("", place.name)]

    def rows(self, width: int) -> list[Row]:
        """A heading and a grid for each place."""
        where = self._places()
        if not where:
            return [heading(self.kind.upper()), row((self._nowhere(), "warn"))]
        rows: list[Row] = []
        for spec, place in where:
            question = Question("resources", spec.of.section, place.name, self.kind)
            known = self.session.asked(question, spec.every)
            rows += [*self._of_place(spec, place, known, width), BLANK]
        return rows

    def _nowhere(self) -> str:
        kinds = " or ".join(dict.fromkeys(kind for spec in self.specs for kind in spec.kinds))
        section = self.specs[0].of.section if self.specs else "places"
        if self.place:
            return f"the inventory has no {self.place} that has {self.kind}"
        return f"the inventory names none of these {section}: kind {kinds}"

    def _of_place(self, spec: ListSpec, place: Place, known: Known, width: int) -> list[Row]:
        listing: Listing | None = known.answer
        rows = () if listing is None else listing.rows
        count = "" if listing is None else f"  {len(rows)}"
        asking = "asking" if known.busy else f"data {self.desk.age(known.asked)}"
        head = heading(f"{spec.title.upper()} of {place.name}{count}", right=[(asking, "dim")])
        said = _said(self._trouble(known, listing), width)
        if listing is None:
            return [head, *(said or [row(("asking", "dim"))])]
        lines = [self._line(place, one, stale=bool(known.error)) for one in rows]
        columns = tuple(Column(title, len(title), _WIDEST) for title in spec.columns)
        empty = [] if said else [row((f"no {self.kind} there", "dim"))]
        return [head, *said, *(grid(columns, lines, width) if lines else empty)]

    @staticmethod
    def _trouble(known: Known, listing: Listing | None) -> str:
        if known.error:
            return f"could not ask: {known.error}"
        if listing is not None and listing.error:
            return f"could not ask{' all of it' if listing.partly else ''}: {listing.error}"
        return ""

    def _line(self, place: Place, one: Resource, *, stale: bool) -> Line:
        role = "dim" if stale else ROLES[one.state]
        cells = tuple((cell, role) if role else cell for cell in one.cells)
        return Line(cells, key=f"{places.section_of(place)} {place.name}/{one.name}")

    def of_key(self, key: str) -> Selected:
        """The thing."""
        section, _, name = key.partition(" ")
        place = places.places(self.session.inventory, section).get(name.partition("/")[0]) if name else None
        if place is None:
            return NOTHING
        return Selected(Kind.THING, name, place.env, section=section, listed=self.kind)

    def command(self) -> str:
        """The same as text."""
        return f"ondeck get {self.kind} {self.place}".rstrip()


def _said(text: str, width: int) -> list[Row]:
    """What went wrong, whole: on as many lines as it takes."""
    return [row((line, "lost")) for line in textwrap.wrap(safe_line(text), max(20, width))]
