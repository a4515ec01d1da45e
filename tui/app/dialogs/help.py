"""`?`: every key as it is now, after remaps; made from the table of actions and the operations."""

from __future__ import annotations

from collections.abc import Sequence

from tui.app import bindings
from tui.app.context import Desk
from tui.app.dialogs.scrolled import Scrolled
from tui.app.panes.base import View
from tui.app.rows import Row, fit, heading, row, rule

_ALWAYS = ("go.command", "go.palette", "go.back", "go.leave")
_SIGNS = ("> * +", "signs of rows: cursor, marked, both")
IDS_FROM = 110
"""Cells of width from which the ids for keys.yml stand beside the keys."""


class KeysHelp(Scrolled):
    """Keys of a dialog, with what each does."""

    def __init__(self, desk: Desk, title: str, keys: Sequence[tuple[str, str]]) -> None:
        super().__init__(desk)
        self.title_text = title
        self.keys = keys

    def rows(self, width: int) -> list[Row]:
        """A line a key."""
        del width
        return [row((self.title_text, "heading")), *(_key(key, text) for key, text in self.keys)]


class Help(Scrolled):
    """Every key, those of the view first."""

    def __init__(self, desk: Desk, view: View) -> None:
        super().__init__(desk)
        self.view = view

    def rows(self, width: int) -> list[Row]:
        """Keys that mean something here first, then everything."""
        keymap = self.desk.keymap
        rows = [row((f"KEYS in {_title(self.view)}", "heading"))]
        for name in self.view.hints:
            rows.append(_key(bindings.key_of(name, keymap), bindings.BY_ID[name].help))
        rows.append(rule("everywhere", width))
        for name in _ALWAYS:
            if name not in self.view.hints:
                rows.append(_key(bindings.key_of(name, keymap), bindings.BY_ID[name].help))
        ends = " ".join(bindings.key_of(name, keymap) for name in ("list.first", "list.end"))
        rows.append(_key(ends, "first, last"))
        groups: dict[str, list[bindings.Act]] = {}
        for act in bindings.ALL:
            groups.setdefault(act.group, []).append(act)
        for group, acts in groups.items():
            rows += [row(""), rule(group.lower(), width)]
            if group == "Lists":
                rows.append(_key(*_SIGNS))
            rows += self._group(acts, width)
        rows += [row(""), rule("operations, on the : line", width)]
        for spec in self.desk.session.specs():
            verb = " ".join(spec.shortcut.verb) if spec.shortcut else spec.name
            rows.append(_key(verb, spec.title, str(spec.risk)))
        rows += [row(""), heading("Remap keys in keys.yml of your configuration folder: `pane.now: f1`.")]
        return rows

    def _group(self, acts: Sequence[bindings.Act], width: int) -> list[Row]:
        """A line a key; what is not in this version shares one."""
        later = [act for act in acts if bindings.LATER in act.help]
        rows = []
        for act in acts:
            if act not in later:
                keys = bindings.every_key(act.id, self.desk.keymap)
                rows.append(_key(keys, act.help, act.id if width >= IDS_FROM else ""))
        if later:
            rows.append(_key(" ".join(act.keys for act in later), f"are {bindings.LATER}"))
        return rows


def _title(view: View) -> str:
    """`Now` for the pane, the name of the thing for its page."""
    act = bindings.BY_ID.get(f"pane.{view.pane}") if view.pane else None
    return act.short if act is not None else view.name_of


def _key(keys: str, text: str, note: str = "") -> Row:
    return row((fit(keys, 15), "key"), text, right=[(note, "dim")] if note else [])
