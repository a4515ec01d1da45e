"""`:units HOST`: systemd units of a host, failed first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from ondeck.observe.records import Unit
from tui.app import clipboard
from tui.app.context import Desk
from tui.app.panes.base import BoardView
from tui.app.phrases import size
from tui.app.rows import Column, Line, Part, Row, grid, heading, row
from tui.app.views import Kind, Selected

COLUMNS = (
    Column("UNIT", 14, 40), Column("STATE", 8, 20), Column("FOR", 4, 6, True), Column("RESTARTS", 3, 8, True),
    Column("MEMORY", 5, 7, True), Column("DESCRIPTION", 10, 50),
)  # fmt: skip


def unit_lines(desk: Desk, units: Sequence[Unit], width: int, *, head: bool = True) -> list[Row]:
    """Units as aligned rows."""
    lines = []
    for unit in units:
        role = {"failed": "bad", "active": "ok", "activating": "warn"}.get(unit.active, "dim")
        state: Part = (f"{unit.active} {unit.sub}", role)
        lines.append(Line((
            unit.name.removesuffix(".service"), state, desk.age(unit.since),
            str(unit.restarts) if unit.restarts else "-",
            size(unit.memory) if unit.memory is not None else "-", unit.description,
        ), key=f"unit {unit.name}"))  # fmt: skip
    return grid(COLUMNS, lines, width, head=head)


class UnitsPage(BoardView):
    """Of the host behind the word; without one it asks for it."""

    hints: ClassVar[tuple[str, ...]] = (
        "list.filter",
        "do.actions",
        "do.shell",
        "see.logs",
        "copy.name",
        "go.back",
    )

    def __init__(self, desk: Desk, name_of: str) -> None:
        super().__init__(desk, name_of)
        named = name_of.partition(" ")[2]
        self.host = named if named in self.session.inventory.hosts else ""

    @property
    def env(self) -> str:
        """Of the host."""
        return self.session.inventory.hosts[self.host].env if self.host else ""

    def rows(self, width: int) -> list[Row]:
        """All of them."""
        if not self.host:
            return [row(("say of which host:  :units web-1", "warn"))]
        look = self.session.units(self.host)
        state = "asking" if look.asking else f"data {self.desk.age(look.asked)}"
        head = heading(f"UNITS of {self.host}  {len(look.units)}", right=[(state, "dim")])
        if look.error:
            return [head, row((f"could not ask: {look.error}", "lost"))]
        failed_first = sorted(look.units, key=lambda u: (u.active != "failed", u.name))
        return [head, *unit_lines(self.desk, failed_first, width)]

    def of_key(self, key: str) -> Selected:
        """Commands and shells go to the host; the name is the unit's."""
        del key
        return Selected(Kind.HOST, self.host, self.env, (self.host,) if self.host else ())

    def applies(self, name: str) -> bool:
        """Names are those of units."""
        return bool(self.board.key) if name == "copy.name" else super().applies(name)

    def act(self, name: str) -> bool:
        """`y` copies the unit, not the host."""
        if name == "copy.name" and self.board.key:
            self.desk.say(clipboard.copy(self.app, self.board.key.partition(" ")[2]), "")
            return True
        return super().act(name)

    def command(self) -> str:
        """The same as text."""
        return f"ondeck get units {self.host}".rstrip()
