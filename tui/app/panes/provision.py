"""Provision: every stack with its lock and what needs a person; below, the selected one."""

from __future__ import annotations

from typing import ClassVar

from tui.app.context import Desk
from tui.app.panes.base import BoardView
from tui.app.panes.stack_rows import EVERY, age_of, lock_part, needs_part, question, stack_rows
from tui.app.rows import Column, Line, Row, grid, row, rule
from tui.app.views import NOTHING, Kind, Known, Selected

COLUMNS = (
    Column("STACK", 8, 24), Column("ENV", 4, 10), Column("LOCK", 6, 22), Column("NEEDS", 14, 60),
    Column("SERIAL", 6, 8, True), Column("RES", 3, 6, True), Column("REF", 6, 20), Column("DATA", 4, 8, True),
)  # fmt: skip


class ProvisionPane(BoardView):
    """One line a stack."""

    pane = "provision"
    hints: ClassVar[tuple[str, ...]] = (
        "do.apply", "go.open", "do.actions", "list.filter", "copy.name", "copy.command",
    )  # fmt: skip

    def __init__(self, desk: Desk, name_of: str) -> None:
        super().__init__(desk, name_of)
        self._stack = ""

    def rows(self, width: int) -> list[Row]:
        """The list, then what belongs to the selected one."""
        names = list(self.session.inventory.stacks)
        if not names:
            return [row(("the inventory names no stacks: docs/terraform.md shows one", "warn"))]
        if self.board.key.startswith("stack "):
            self._stack = self.board.key.partition(" ")[2]
        elif self._stack not in names:
            self._stack = names[0]
        known = {name: self.session.asked(question(name), EVERY) for name in names}
        ordered = sorted(names, key=lambda name: (not _urgent(known[name]), name))
        rows = grid(COLUMNS, [self._line(name, known[name]) for name in ordered], width)
        rows.append(rule(f"{self._stack}, enter opens it", width, age_of(self.desk, known[self._stack])[0]))
        return rows + stack_rows(self.desk, self._stack, known[self._stack], width)

    def _line(self, name: str, known: Known) -> Line:
        look = known.answer
        stack = self.session.inventory.stacks[name]
        sure = look is not None and look.known
        return Line((
            name, (stack.env, self.desk.env_role(stack.env)), lock_part(self.desk, look), needs_part(look, known),
            str(look.serial) if sure else "?", str(look.resources) if sure else "?",
            (look.ref or "HEAD") if look is not None else "?", self.desk.age(known.asked) if known.asked else "?",
        ), key=f"stack {name}")  # fmt: skip

    def of_key(self, key: str) -> Selected:
        """A stack, or a way out of the selected one."""
        kind, _, name = key.partition(" ")
        stack = self.session.inventory.stacks.get(name if kind == "stack" else self._stack)
        if stack is None:
            return NOTHING
        if kind == "line":
            return Selected(Kind.LINE, name, stack.env)
        return Selected(Kind.PLACE, stack.name, stack.env, section="stacks")

    def meant(self, name: str) -> Selected:
        """Operations mean the stack, also from one of its ways out."""
        if name.startswith("do.") and self.board.key.startswith("line "):
            return self.of_key(f"stack {self._stack}")
        return self.selected()

    def command(self) -> str:
        """The same as text."""
        return "ondeck stack list"

    def on_board_moved(self) -> None:
        """The lower half follows the cursor."""
        if self.board.key.startswith("stack ") and self.board.key.partition(" ")[2] != self._stack:
            self.show()


def _urgent(known: Known) -> bool:
    """It needs a person, or nobody knows whether it does."""
    return needs_part(known.answer, known)[1] in ("bad", "lost")
