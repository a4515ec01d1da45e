"""`:people`, `:environments` and every other kind of the inventory that has no pane: what `ondeck get` shows."""

from __future__ import annotations

from typing import ClassVar

from ondeck.inventory import kinds, places
from ondeck.text import safe_line
from tui.app.context import Desk
from tui.app.panes.base import BoardView
from tui.app.rows import Column, Line, Row, grid, heading, row
from tui.app.views import NOTHING, Kind, Selected


class KindsPage(BoardView):
    """One line a record."""

    hints: ClassVar[tuple[str, ...]] = (
        "list.filter", "go.open", "do.actions", "copy.name", "copy.command", "go.back",
    )  # fmt: skip

    def __init__(self, desk: Desk, name_of: str) -> None:
        super().__init__(desk, name_of)
        self.kind = kinds.plural(name_of.partition(" ")[2]) or "hosts"

    def rows(self, width: int) -> list[Row]:
        """As the inventory has them."""
        inventory = self.session.inventory
        found = kinds.rows(inventory, self.kind)
        right = [(f"inventory {inventory.revision.label()}", "dim")]
        head = heading(f"{found.kind.upper()} {len(found.rows)}", right=right)
        if not found.rows:
            return [head, row((f"the inventory names no {found.kind}", "dim"))]
        columns = tuple(Column(title, len(title), 40) for title in found.columns)
        lines = [
            Line(tuple(safe_line(cell) or "-" for cell in one.cells), key=f"{self.kind} {one.name}")
            for one in found.rows
        ]
        return [head, *grid(columns, lines, width)]

    def of_key(self, key: str) -> Selected:
        """Hosts and services can be opened, places acted on; of the others the name is copied."""
        name = key.partition(" ")[2]
        inventory = self.session.inventory
        if self.kind == "hosts" and name in inventory.hosts:
            return Selected(Kind.HOST, name, inventory.hosts[name].env, (name,))
        if self.kind == "services" and name:
            subjects = [one for one in self.session.subjects() if one.partition("@")[0] == name]
            return Selected(Kind.SERVICE, subjects[0], subjects[0].partition("@")[2]) if subjects else NOTHING
        if name and self.kind in places.FIELDS and name in (known := places.places(inventory, self.kind)):
            return Selected(Kind.PLACE, name, known[name].env, section=self.kind)
        return Selected(Kind.NONE, name) if name else NOTHING

    def command(self) -> str:
        """The same as text."""
        return f"ondeck get {self.kind}"
