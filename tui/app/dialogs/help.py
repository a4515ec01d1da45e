"""`?`: every key as it is now, after remaps; made from the table of actions and the operations."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from tui.app import bindings
from tui.app.board import Board
from tui.app.context import Desk
from tui.app.dialogs.base import Dialog
from tui.app.panes.base import View
from tui.app.rows import Row, fit, heading, row, rule

_MOVES = (
    ("j k", "down, up (arrows too)"),
    ("g G", "first, last"),
    ("ctrl-d ctrl-u", "half a page down, up"),
    ("> * +", "signs of rows: cursor, marked, both"),
)


class Help(Dialog[str]):
    """Scrolls; any of esc, q and ? leaves."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("q,question_mark", "leave", "leave", show=False)]

    def __init__(self, desk: Desk, view: View) -> None:
        super().__init__(desk)
        self.view = view
        self.board = Board(desk.roles)

    def compose(self) -> ComposeResult:
        """One board."""
        yield self.board

    def on_mount(self) -> None:
        """Scrolls with j and k."""
        self.board.focus()
        self.call_after_refresh(self._fill)

    def on_resize(self) -> None:
        """Lines depend on the width."""
        self.call_after_refresh(self._fill)

    def _fill(self) -> None:
        self.board.show(self.rows(self.board.size.width - 2))

    def rows(self, width: int) -> list[Row]:
        """Keys that mean something here first, then everything."""
        keymap = self.desk.keymap
        rows = [row((f"KEYS in {self.view.name_of}", "heading"), right=[("esc back", "dim")])]
        for name in self.view.hints:
            rows.append(_key(bindings.key_of(name, keymap), bindings.BY_ID[name].help))
        groups: dict[str, list[bindings.Act]] = {}
        for act in bindings.ALL:
            groups.setdefault(act.group, []).append(act)
        for group, acts in groups.items():
            rows += [row(""), rule(group.lower(), width)]
            if group == "Lists":
                rows += [_key(keys, text) for keys, text in _MOVES]
            for act in acts:
                keys = " ".join(bindings.spoken(k) for k in (keymap.get(act.id) or act.keys).split(","))
                rows.append(_key(keys, act.help, act.id if width >= 70 else ""))
        rows += [row(""), rule("operations, on the : line", width)]
        for spec in self.desk.session.specs():
            verb = " ".join(spec.shortcut.verb) if spec.shortcut else spec.name
            rows.append(_key(verb, spec.title, str(spec.risk)))
        rows += [row(""), heading("Remap keys in keys.yml of your configuration folder: `pane.now: f1`.")]
        return rows


def _key(keys: str, text: str, note: str = "") -> Row:
    return row((fit(keys, 15), "key"), text, right=[(note, "dim")] if note else [])
