"""What every dialog is: a screen above the panes that esc leaves, with nothing done."""

from __future__ import annotations

from typing import ClassVar, Generic, TypeVar

from textual.binding import BindingType
from textual.screen import ModalScreen

from tui.app import clipboard
from tui.app.bindings import binding
from tui.app.context import Desk

Answer = TypeVar("Answer")


class Dialog(ModalScreen[Answer | None], Generic[Answer]):
    """Leaves with None on esc and ctrl-c; F3 copies the command that does the same, where there is one.

    It is no capital letter as in the panes: in a dialog letters are typed.
    """

    DEFAULT_CSS = """
    Dialog { background: $background; color: $foreground; }
    Dialog.-box { background: transparent; align: center middle; }
    Dialog.-box > .box { width: auto; min-width: 40; max-width: 90%; height: auto; max-height: 80%;
        border: solid $accent; background: $surface; padding: 0 1; border-title-color: $accent; }
    """
    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        binding("dialog.leave", "leave", priority=True),
        binding("dialog.copy", "copy_command"),
    ]

    def __init__(self, desk: Desk, *, box: bool = False) -> None:
        super().__init__(classes="-box" if box else "")
        self.desk = desk

    def action_leave(self) -> None:
        """Nothing done."""
        self.dismiss(None)

    def command(self) -> str:
        """The command line that does the same; empty when none does."""
        return ""

    def action_copy_command(self) -> None:
        """The command line to the clipboard."""
        text = self.command()
        if text:
            self.copy(text)
        else:
            self.desk.say("no command line does the same", "dim")

    def copy(self, text: str) -> None:
        """To the clipboard of the terminal that the person sits at."""
        self.desk.say(clipboard.copy(self.app, text), "")
