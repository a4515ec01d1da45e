"""`@`: every command that ondeck planned or ran in this session, as a person would type it."""

from __future__ import annotations

from typing import ClassVar

from tui.app import clipboard
from tui.app.panes.base import BoardView
from tui.app.rows import Row, fit, heading, row


class RecordPage(BoardView):
    """Newest first; `y` copies the command under the cursor."""

    hints: ClassVar[tuple[str, ...]] = ("copy.name", "list.filter", "go.back")

    def rows(self, width: int) -> list[Row]:
        """Time, what became of it, the command."""
        entries = list(reversed(self.session.record()))
        rows = [
            heading(
                f"COMMANDS OF THIS SESSION {len(entries)}",
                right=[("what other people did:  ondeck audit", "dim")],
            )
        ]
        if not entries:
            rows.append(row(("nothing was planned or run yet", "dim")))
        for index, entry in enumerate(entries):
            rows.append(row(
                (self.desk.clock(entry.time), "dim"), "  ", (fit(entry.what, 8), "key"),
                fit(entry.command, max(20, width - 44)),
                right=[(entry.result, "dim")], key=f"entry {index}",
            ))  # fmt: skip
        return rows

    def applies(self, name: str) -> bool:
        """There is a command to copy, or not."""
        return bool(self.board.key) if name == "copy.name" else super().applies(name)

    def act(self, name: str) -> bool:
        """Both copies mean the command."""
        number = self.board.key.partition(" ")[2]
        if name in ("copy.name", "copy.command") and number:
            entries = list(reversed(self.session.record()))
            self.desk.say(clipboard.copy(self.app, entries[int(number)].command), "")
            return True
        return super().act(name)
