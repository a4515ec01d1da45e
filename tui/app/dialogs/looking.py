"""Covers the panes while a plan is being made: keys typed meanwhile go nowhere, esc gives up."""

from __future__ import annotations

from collections.abc import Callable

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from tui.app.context import Desk
from tui.app.dialogs.base import Dialog


class Looking(Dialog[None]):
    """A few words in a box."""

    DEFAULT_CSS = "Looking Static { width: auto; background: $surface; }"

    def __init__(self, desk: Desk, words: str, given_up: Callable[[], None]) -> None:
        super().__init__(desk, box=True)
        self.words = words
        self.given_up = given_up

    def compose(self) -> ComposeResult:
        """What is waited for."""
        with Vertical(classes="box"):
            yield Static(Text(f"{self.words}   esc leaves, nothing ran"))

    def on_key(self, event: events.Key) -> None:
        """Nothing typed ahead reaches a pane or a plan."""
        event.stop()

    def action_leave(self) -> None:
        """Give up."""
        self.dismiss(None)
        self.given_up()
