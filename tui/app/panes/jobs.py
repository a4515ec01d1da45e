"""Jobs: what runs, what waits, how the others ended."""

from __future__ import annotations

from typing import ClassVar

from tui.app.panes.base import BoardView
from tui.app.panes.job_orders import order_job
from tui.app.panes.pieces import jobs_rows, nothing_word, record_age, record_rows
from tui.app.rows import BLANK, Part, Row, heading, row
from tui.app.views import NOTHING, Kind, Selected


class JobsPane(BoardView):
    """Running and waiting ones first, then newest first."""

    pane = "jobs"
    hints: ClassVar[tuple[str, ...]] = (
        "go.open", "job.pause", "job.continue", "job.cancel", "job.reconcile", "list.filter", "copy.name",
        "copy.command",
    )  # fmt: skip

    def rows(self, width: int) -> list[Row]:
        """Two lists."""
        jobs = self.session.jobs()
        going = [job for job in jobs if job.running or job.outcome == "unknown"]
        ended = [job for job in jobs if job not in going]
        stay: list[Part] = [("leaving the app stops none of them  ", "dim"), record_age(self.desk)]
        rows = [heading(f"GOING ON {len(going)}", right=stay), *record_rows(self.desk, width)]
        calm = row(nothing_word(self.desk, "nothing runs, nothing waits"))
        rows += jobs_rows(self.desk, going, width) if going else [calm]
        rows += [BLANK, heading(f"ENDED {len(ended)}")]
        return rows + (
            jobs_rows(self.desk, ended, width) if ended else [row(nothing_word(self.desk, "nothing yet"))]
        )

    def of_key(self, key: str) -> Selected:
        """Every row is a job."""
        name = key.partition(" ")[2]
        job = self.session.job(name) if name else None
        return Selected(Kind.JOB, name, job.env) if job else NOTHING

    def act(self, name: str) -> bool:
        """Orders go to the job under the cursor."""
        if name.startswith("job.") and self.selected().name:
            return order_job(self.desk, self.selected().name, name)
        return super().act(name)

    def command(self) -> str:
        """The same as text."""
        return "ondeck jobs"
