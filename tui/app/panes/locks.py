"""`:locks`: who holds what, since when, and whether their process lives."""

from __future__ import annotations

from typing import ClassVar

from tui.app.panes.base import BoardView
from tui.app.panes.pieces import nothing_word, record_age, record_rows
from tui.app.rows import Column, Line, Part, Row, grid, heading, row
from tui.app.views import NOTHING, Kind, Selected

COLUMNS = (
    Column("LOCK", 10, 30), Column("HELD BY", 6, 20), Column("FOR", 4, 7, True), Column("PROCESS", 7, 14),
    Column("JOB", 4, 26), Column("WHY", 4, 60),
)  # fmt: skip


class LocksPage(BoardView):
    """Held locks."""

    hints: ClassVar[tuple[str, ...]] = ("go.open", "copy.name", "copy.command", "go.back")

    def rows(self, width: int) -> list[Row]:
        """One line a lock."""
        locks = self.session.locks()
        lines = []
        for lock in locks:
            alive: Part = (
                ("not known", "warn")
                if lock.alive is None
                else ("lives", "ok")
                if lock.alive
                else ("gone", "bad")
            )
            lines.append(Line(
                (lock.key, lock.owner, self.desk.age(lock.since), alive, lock.job or "-", lock.reason or "-"),
                key=f"lock {lock.key} {lock.job}",
            ))  # fmt: skip
        head = heading(
            f"LOCKS {len(locks)}",
            right=[("ondeck lock break KEY --confirm KEY --reason WHY  ", "dim"), record_age(self.desk)],
        )
        calm = row(nothing_word(self.desk, "nothing is locked"))
        return [head, *record_rows(self.desk, width), *(grid(COLUMNS, lines, width) if lines else [calm])]

    def of_key(self, key: str) -> Selected:
        """The job that holds it."""
        job = key.rpartition(" ")[2]
        return Selected(Kind.JOB, job) if job and self.session.job(job) else NOTHING

    def command(self) -> str:
        """The same as text."""
        return "ondeck lock ls"
