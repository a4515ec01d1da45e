"""The typed line at the bottom: `:` commands, `/` filters, and short questions of a flow."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.binding import BindingType
from textual.message import Message
from textual.widgets import Input

from tui.app.bindings import binding


class Prompt(Input):
    """One line of input without a frame; up and down are its history, tab completes."""

    DEFAULT_CSS = """
    Prompt, Prompt:focus { border: none; height: 1; padding: 0; background: $background; color: $foreground; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        binding("prompt.leave", "leave", priority=True),
        binding("prompt.older", "older", priority=True),
        binding("prompt.newer", "newer", priority=True),
        binding("prompt.complete", "complete", priority=True),
    ]

    class Left(Message):
        """It was closed without an answer."""

    def __init__(self) -> None:
        super().__init__(id="prompt", select_on_focus=False, compact=True)
        self.kind = ":"
        self._history: dict[str, list[str]] = {}
        self._at = 0
        self.completions: Callable[[str], list[str]] = lambda text: []

    def ask(self, kind: str, value: str = "") -> None:
        """Open it; `kind` is which history it has, and while nothing is typed a question (`..: `) stands there."""
        self.kind = kind
        self.placeholder = f"{kind}(esc leaves)" if kind.endswith(": ") else ""
        self._at = len(self._history.get(kind, []))
        self.value = value
        self.cursor_position = len(value)
        self.display = True
        # Now, not with the next refresh: keys typed right behind `/` belong to this line.
        self.screen.set_focus(self)

    def remember(self) -> None:
        """Keep what was typed, the last hundred of each kind."""
        lines = self._history.setdefault(self.kind, [])
        if self.value and (not lines or lines[-1] != self.value):
            lines.append(self.value)
            del lines[:-100]

    @property
    def is_open(self) -> bool:
        """Somebody is typing into it."""
        return bool(self.display)

    def close(self) -> None:
        """Hide it."""
        self.display = False

    def action_leave(self) -> None:
        """Esc."""
        self.post_message(self.Left())

    def action_older(self) -> None:
        """The line before."""
        self._recall(-1)

    def action_newer(self) -> None:
        """The line after."""
        self._recall(1)

    def _recall(self, step: int) -> None:
        lines = self._history.get(self.kind, [])
        self._at = min(max(0, self._at + step), len(lines))
        self.value = lines[self._at] if self._at < len(lines) else ""
        self.cursor_position = len(self.value)

    def action_complete(self) -> None:
        """As far as all candidates agree; the only one whole, with a space."""
        found = self.completions(self.value)
        if not found:
            return
        before, _, _last = self.value.rpartition(" ")
        common = found[0]
        for name in found[1:]:
            while not name.startswith(common):
                common = common[:-1]
        word = found[0] + " " if len(found) == 1 else common
        self.value = f"{before} {word}" if before else word
        self.cursor_position = len(self.value)
