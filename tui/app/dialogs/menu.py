"""A short list to choose from: a key, a title, a note."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical

from tui.app.bindings import binding
from tui.app.board import Board
from tui.app.context import Desk
from tui.app.dialogs.base import Dialog
from tui.app.rows import Row, fit, row


class Choice(NamedTuple):
    """One line of a menu; `key` chooses it at once."""

    name: str
    title: str
    key: str = ""
    note: str = ""


class Menu(Dialog[str]):
    """Choose one; None when left."""

    BINDINGS: ClassVar[list[BindingType]] = [
        binding("dialog.choose", "choose"),
        binding("dialog.close", "leave"),
    ]

    def __init__(self, desk: Desk, title: str, choices: Sequence[Choice]) -> None:
        super().__init__(desk, box=True)
        self.words = title
        self.choices = list(choices)
        self.board = Board(desk.roles)

    def compose(self) -> ComposeResult:
        """A box with a board."""
        with Vertical(classes="box"):
            yield self.board

    def on_mount(self) -> None:
        """As wide as its longest line."""
        rows = self._rows()
        widest = max(len(r.text) for r in rows) + 4
        self.board.styles.width = min(max(36, widest), self.app.size.width - 6)
        self.board.styles.height = min(len(rows), self.app.size.height - 6)
        self.board.focus()
        self.call_after_refresh(self.board.show, rows)

    def _rows(self) -> list[Row]:
        title = max((len(c.title) for c in self.choices), default=0)
        keyed = any(c.key for c in self.choices)
        rows = [row((self.words, "heading")), row("")]
        for choice in self.choices:
            key = [(fit(choice.key, 3), "key")] if keyed else []
            rows.append(row(*key, fit(choice.title, title + 2), (choice.note, "dim"), key=choice.name))
        return [*rows, row(""), row((self._keys(), "dim"))]

    def _keys(self) -> str:
        """A key of a choice acts at once; where they have none, enter chooses."""
        keys = " ".join(c.key for c in self.choices if c.key)
        return f"{keys}  choose   esc leaves" if keys else "enter chooses   esc leaves"

    def action_choose(self) -> None:
        """The row under the cursor."""
        if self.board.key:
            self.dismiss(self.board.key)

    def on_key(self, event: events.Key) -> None:
        """A choice's own key; it ends here, for once the menu is gone it would mean something to the view below."""
        for choice in self.choices:
            if choice.key and choice.key == event.character:
                event.stop()
                event.prevent_default()
                self.dismiss(choice.name)
                return
