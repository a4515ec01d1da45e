"""A dialog of rows that scroll, with what is out of sight said below."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from tui.app.bindings import binding
from tui.app.board import Board
from tui.app.context import Desk
from tui.app.dialogs.base import Dialog
from tui.app.rows import Part, Row, row


class Scrolled(Dialog[str]):
    """Rows that scroll, with what is out of sight said below; any of esc, q and ? leaves."""

    DEFAULT_CSS = "Scrolled #more { height: 1; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        binding("dialog.close", "leave"),
        binding("dialog.page", "page_down"),
    ]

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.board = Board(desk.roles)
        self.more = Board(desk.roles, id="more")
        self.said = ""

    def compose(self) -> ComposeResult:
        """The rows, and how far they go."""
        yield self.board
        yield self.more

    def on_mount(self) -> None:
        """Scrolls with j and k."""
        self.more.can_focus = False
        self.board.focus()
        self.watch(self.board, "scroll_y", self._place, init=False)
        self.call_after_refresh(self._fill)

    def on_resize(self) -> None:
        """Lines depend on the width."""
        self.call_after_refresh(self._fill)

    def _fill(self) -> None:
        self.board.show(self.rows(self.board.size.width - 2))
        self._place()

    def _place(self) -> None:
        below = len(self.board.rows) - int(self.board.scroll_offset.y) - self.board.size.height
        word = f"{below} more below: space, j, G" if below > 0 else "end"
        right: list[Part] = [(f"{self.said}   " if self.said else "", "key"), ("esc back", "dim")]
        self.more.show([row((word, "key" if below > 0 else "dim"), right=right)])

    def action_page_down(self) -> None:
        """A page, as in a pager."""
        self.board.scroll_relative(y=max(1, self.board.size.height - 1), animate=False)

    def rows(self, width: int) -> list[Row]:
        """What it shows."""
        del width
        return []
