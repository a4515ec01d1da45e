"""`:changes`: everything that is known to have changed, newest first, and who could not be asked."""

from __future__ import annotations

from typing import ClassVar

from ondeck.counting import counted
from tui.app.panes.base import BoardView
from tui.app.panes.pieces import change_rows, known_changes
from tui.app.rows import Row, heading, row
from tui.app.views import NOTHING, Kind, Selected


class ChangesPage(BoardView):
    """Own record, and hosts that were asked in this session."""

    hints: ClassVar[tuple[str, ...]] = (
        "go.open",
        "list.filter",
        "see.time",
        "copy.name",
        "copy.command",
        "go.back",
    )

    @property
    def at_words(self) -> str:
        """It shows what had changed until then."""
        return f"until {self.desk.minute(self.desk.at)}"

    def rows(self, width: int) -> list[Row]:
        """Changes, then sources that said nothing."""
        answers = self.session.changes()
        changes = known_changes(answers)
        if self.desk.at:
            changes = [change for change in changes if change.time <= self.desk.at]
        silent = [answer for answer in answers if answer.error]
        answered = counted(len(answers) - len(silent), "source")
        rows = [heading(f"CHANGES {len(changes)}", right=[(f"{answered} answered", "dim")])]
        rows += [row((f"could not ask {a.source}: {a.error}", "warn")) for a in silent]
        if not changes:
            rows.append(row(("nothing in what could be asked", "dim")))
        return rows + change_rows(self.desk, list(enumerate(changes[:500])), width, wide=width >= 90)

    def of_key(self, key: str) -> Selected:
        """The job, service or host that it happened to."""
        number = key.partition(" ")[2]
        changes = known_changes(self.session.changes())
        if self.desk.at:
            changes = [change for change in changes if change.time <= self.desk.at]
        if not number.isdigit() or int(number) >= len(changes):
            return NOTHING
        change = changes[int(number)]
        if change.job and self.session.job(change.job):
            return Selected(Kind.JOB, change.job, change.env)
        if change.subject in self.session.subjects():
            return Selected(Kind.SERVICE, change.subject, change.env, self.session.hosts_of(change.subject))
        if change.host in self.session.inventory.hosts:
            return Selected(Kind.HOST, change.host, change.env, (change.host,))
        return NOTHING

    def command(self) -> str:
        """The same as text."""
        return "ondeck changes --since 1d"
