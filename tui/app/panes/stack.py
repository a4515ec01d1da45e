"""The page of a stack: on one screen its lock, its last states, what is half done and the ways out."""

from __future__ import annotations

from typing import ClassVar

from tui.app.context import Desk
from tui.app.panes.base import BoardView
from tui.app.panes.pieces import jobs_rows
from tui.app.panes.stack_rows import age_of, question, stack_rows
from tui.app.rows import Row, heading, rule
from tui.app.views import NOTHING, Kind, Selected

_EVERY = 15.0


class StackPage(BoardView):
    """Address `stack NAME`."""

    hints: ClassVar[tuple[str, ...]] = (
        "go.open", "do.apply", "do.actions", "copy.name", "copy.command", "go.back",
    )  # fmt: skip

    def __init__(self, desk: Desk, name_of: str) -> None:
        super().__init__(desk, name_of)
        self.stack = name_of.partition(" ")[2]

    @property
    def env(self) -> str:
        """Of the stack."""
        stack = self.session.inventory.stacks.get(self.stack)
        return stack.env if stack is not None else ""

    def rows(self, width: int) -> list[Row]:
        """Facts, troubles, states, ways, jobs."""
        known = self.session.asked(question(self.stack), _EVERY)
        rows = [heading(f"STACK {self.stack}", right=[age_of(self.desk, known)])]
        rows += stack_rows(self.desk, self.stack, known, width)
        jobs = [job for job in self.session.jobs() if job.subject == self.stack][:5]
        if jobs:
            rows += [rule("jobs", width), *jobs_rows(self.desk, jobs, width)]
        return rows

    def of_key(self, key: str) -> Selected:
        """A way out, a job, or the stack."""
        kind, _, name = key.partition(" ")
        if kind == "job":
            return Selected(Kind.JOB, name, self.env)
        return Selected(Kind.LINE, name, self.env) if kind == "line" else self.about()

    def about(self) -> Selected:
        """The stack."""
        return Selected(Kind.PLACE, self.stack, self.env, section="stacks") if self.env else NOTHING

    def meant(self, name: str) -> Selected:
        """Operations mean the stack, whichever row the cursor is on."""
        return self.about() if name.startswith("do.") else self.selected()

    def command(self) -> str:
        """The same as text."""
        return f"ondeck stack show {self.stack}"
