"""ctrl-p: every pane, thing, action and operation, found by a few letters."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.widgets import Input

from tui.app import bindings, commands
from tui.app.bindings import binding
from tui.app.board import Board
from tui.app.context import Desk
from tui.app.dialogs.base import Dialog
from tui.app.rows import fit, row

LINES = 12


class Entry(NamedTuple):
    """What can be chosen: its result, what is shown, and what kind of thing it is."""

    name: str
    title: str
    note: str


def entries(desk: Desk) -> list[Entry]:
    """Everything there is to choose, the likeliest kinds first."""
    session = desk.session
    found = [Entry(f"operation {s.name}", s.title, f"operation  {s.name}") for s in session.specs()]
    found += [Entry(name, name, "service") for name in session.subjects()]
    found += [Entry(word, f":{word}", "view") for word in commands.PLACES]
    found += [Entry(word, f":{word}", "view") for word in session.lists()]
    for act in bindings.ACTS:
        if bindings.LATER not in act.help and act.id not in ("go.palette", "go.interrupt"):
            found.append(Entry(f"act {act.id}", act.help, f"key {bindings.key_of(act.id, desk.keymap)}"))
    found += [Entry(name, name, "host") for name in session.inventory.hosts]
    return found


def matches(all_entries: list[Entry], text: str, limit: int) -> list[Entry]:
    """Entries that contain every typed word, those that begin with the first one before others."""
    words = text.lower().split()
    if not words:
        return all_entries[:limit]
    first: list[Entry] = []
    later: list[Entry] = []
    for entry in all_entries:
        title = entry.title.lower()
        if all(word in title or word in entry.note for word in words):
            (first if title.lstrip(":").startswith(words[0]) else later).append(entry)
            if len(first) >= limit:
                break
    return [*first, *later][:limit]


class Palette(Dialog[str]):
    """Type, choose, enter."""

    DEFAULT_CSS = """
    Palette.-box { align: center top; }
    Palette Input, Palette Input:focus { border: none; height: 1; padding: 0; background: $surface; }
    Palette .box { width: 76; }
    Palette Board { height: 12; background: $surface; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        binding("palette.down", "move(1)", priority=True),
        binding("palette.up", "move(-1)", priority=True),
    ]

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk, box=True)
        self.entries = entries(desk)
        self.board = Board(desk.roles)
        self.input = Input(placeholder="a pane, a thing or an operation", compact=True)

    def compose(self) -> ComposeResult:
        """A line and what fits it."""
        with Vertical(classes="box"):
            yield self.input
            yield self.board

    def on_mount(self) -> None:
        """Typing begins at once."""
        self.board.can_focus = False
        self.input.focus()
        self.call_after_refresh(self._fill)

    @on(Input.Changed)
    def _fill(self) -> None:
        width = self.board.size.width - 2
        found = matches(self.entries, self.input.value, LINES)
        if not found:
            self.board.show([row(("nothing of that name", "dim"))])
            return
        rows = []
        for entry in found:
            title = fit(entry.title, max(10, width - len(entry.note) - 2))
            rows.append(row(title, right=[(entry.note, "dim")], key=entry.name))
        self.board.show(rows)
        self.board.action_edge(-1)

    def on_key(self, event: events.Key) -> None:
        """Letters typed before the line had the keyboard are not lost."""
        if not self.input.has_focus and event.is_printable and event.character:
            event.stop()
            self.input.value += event.character

    def action_move(self, step: int) -> None:
        """Up and down while typing."""
        self.board.action_move(step)

    @on(Input.Submitted)
    def _choose(self) -> None:
        if self.board.key:
            self.dismiss(self.board.key)
