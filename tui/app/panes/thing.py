"""One thing of a list, as its provider describes it: enter on a container, an instance, an image."""

from __future__ import annotations

from typing import ClassVar

from ondeck.inventory import places
from ondeck.observe.asking import Question
from tui.app.context import Desk
from tui.app.panes.base import BoardView
from tui.app.plain import plain_rows
from tui.app.rows import Row, heading, row
from tui.app.views import NOTHING, Kind, Selected


class ThingPage(BoardView):
    """Address `thing KIND SECTION PLACE/NAME`."""

    hints: ClassVar[tuple[str, ...]] = ("do.actions", "list.filter", "copy.name", "copy.command", "go.back")

    def __init__(self, desk: Desk, name_of: str) -> None:
        super().__init__(desk, name_of)
        _, self.kind, self.section, self.thing = [*name_of.split(" ", 3), "", "", ""][:4]

    @property
    def env(self) -> str:
        """Of its place."""
        return self.selected().env

    def rows(self, width: int) -> list[Row]:
        """Key and value, with the age of the answer."""
        del width
        place, _, name = self.thing.partition("/")
        known = self.session.asked(Question("describe", self.section, place, self.kind, name))
        asking = "asking" if known.busy else f"data {self.desk.age(known.asked)}"
        rows = [heading(self.thing, right=[(asking, "dim")])]
        if known.error:
            rows.append(row((f"could not ask: {known.error}", "lost")))
        return [*rows, *plain_rows(known.answer)] if known.answer is not None else rows

    def selected(self) -> Selected:
        """The thing itself."""
        inventory = self.session.inventory
        place = (
            places.places(inventory, self.section).get(self.thing.partition("/")[0])
            if self.section in places.FIELDS
            else None
        )
        if place is None:
            return NOTHING
        return Selected(Kind.THING, self.thing, place.env, section=self.section, listed=self.kind)

    def command(self) -> str:
        """The same as text."""
        return f"ondeck get {self.kind} {self.thing} -o json"
