"""Everything about one target of a job: how it ended, the evidence whole, its steps, and all that it printed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.cells import chop_cells
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import Input

from tui.app.bindings import binding
from tui.app.context import Desk
from tui.app.dialogs.scrolled import Scrolled
from tui.app.panes.pieces import OUTCOME_ROLES, spoken
from tui.app.phrases import SECOND, count_of, size, span
from tui.app.rows import Row, fit, heading, row, rule
from tui.app.views import JobLook, OutputLook, TargetLook

_LABEL = 10
AGAIN = 0.5
"""Seconds between two looks while it runs."""


class WholeTarget(Scrolled):
    """A pager: `/` searches, `n` and `N` go to the next and the one before; it follows what still runs."""

    DEFAULT_CSS = """
    WholeTarget Input, WholeTarget Input:focus { border: none; height: 1; padding: 0; background: $surface; }
    WholeTarget Input.-hidden { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        binding("whole.search", "search"),
        binding("whole.next", "step(1)"),
        binding("whole.previous", "step(-1)"),
        binding("line.back", "leave"),
    ]

    def __init__(self, desk: Desk, job: str, target: str) -> None:
        super().__init__(desk)
        self.job = job
        self.target = target
        self.text = ""
        self.hits: list[int] = []
        self.hit = -1
        self.input = Input(placeholder="search", compact=True, classes="-hidden")

    def compose(self) -> ComposeResult:
        """The rows, how far they go, and what is searched for."""
        yield from super().compose()
        yield self.input

    def on_mount(self) -> None:
        """Look again while it runs."""
        super().on_mount()
        self.set_interval(self.desk.session.settings.seconds(AGAIN), self._fill)

    # -- lines ----------------------------------------------------------------------------------

    def rows(self, width: int) -> list[Row]:
        """Facts, what happened to it, output."""
        job = self.desk.session.job(self.job)
        target = next((t for t in job.targets if t.name == self.target), None) if job is not None else None
        if job is None or target is None:
            return [row((f"job {self.job} has no target {self.target}", "warn"))]
        look = self.desk.session.output(self.job, self.target, everything=True)
        rows = [
            heading(f"{self.target}  of job {self.job}", right=[("/ search  n N  space page", "dim")]),
            *_facts(job, target, self.desk, width), *self._steps(job, width), *_printed(target, look, width),
        ]  # fmt: skip
        return self._marked(rows)

    def _steps(self, job: JobLook, width: int) -> list[Row]:
        mine = [(at, text) for at, text in job.notes if self.target in text.split()]
        if not mine:
            return []
        rows = [rule("what happened to it", width)]
        for at, text in mine:
            rows += _wrapped(self.desk.clock(at), text, width)
        return rows

    # -- search ---------------------------------------------------------------------------------

    def _marked(self, rows: list[Row]) -> list[Row]:
        wanted = self.text.lower()
        self.hits = [i for i, found in enumerate(rows) if wanted in found.text.lower()] if wanted else []
        hits = set(self.hits)
        return [
            Row(tuple((text, "match") for text, _ in found.parts), found.right) if i in hits else found
            for i, found in enumerate(rows)
        ]

    def action_search(self) -> None:
        """Type what to look for; enter goes to the first place below."""
        self.input.value = ""
        self.input.remove_class("-hidden")
        self.input.focus()

    @on(Input.Submitted)
    def _found(self) -> None:
        self.text = self.input.value
        self._close_search()
        self._fill()
        self.hit = int(self.board.scroll_offset.y) - 1
        self.action_step(1)

    def _close_search(self) -> None:
        self.input.add_class("-hidden")
        self.board.focus()

    def action_leave(self) -> None:
        """Esc leaves the search first."""
        if self.input.has_focus:
            self._close_search()
        else:
            super().action_leave()

    def action_step(self, step: int) -> None:
        """To the next place, or the one before; around at the end."""
        if not self.hits:
            self.said = f"no {self.text!r} here" if self.text else "search with /"
        else:
            beyond = [i for i in self.hits if (i > self.hit if step > 0 else i < self.hit)]
            self.hit = (beyond or self.hits)[0 if step > 0 else -1]
            self.board.scroll_to(y=max(0, self.hit - 2), animate=False)
            self.said = f"{self.hits.index(self.hit) + 1} of {len(self.hits)}"
        self._place()


def _facts(job: JobLook, target: TargetLook, desk: Desk, width: int) -> list[Row]:
    word = spoken(target.outcome) if target.outcome else "running" if target.started else "to go"
    rows = [row((fit("outcome", _LABEL), "dim"), (word, OUTCOME_ROLES.get(target.outcome, "")))]
    for label, text in (("evidence", target.evidence), ("step", target.step), ("does", job.summary)):
        rows += _wrapped(label, text, width) if text else []
    if target.started:
        end = target.ended or desk.session.now()
        took = span((end - target.started) / SECOND)
        rows.append(row((fit("time", _LABEL), "dim"), f"since {desk.stamp(target.started)}, {took}"))
    return rows


def _printed(target: TargetLook, look: OutputLook, width: int) -> list[Row]:
    if look.error or look.reading:
        said = f"its output cannot be read: {look.error}" if look.error else "reading what it printed .."
        return [rule("output", width), row((said, "warn" if look.error else "dim"))]
    note = f"{count_of(len(look.lines), 'line')}, {size(look.size)}" if look.lines else "printed nothing"
    rows = [rule("output", width, note)]
    for line in look.lines:
        rows += [row(piece) for piece in chop_cells(line, max(10, width)) or [""]]
    if target.lost:
        rows.append(row((f"output was cut: {target.lost} bytes could not be written down", "warn")))
    return rows


def _wrapped(label: str, text: str, width: int) -> Sequence[Row]:
    pieces = chop_cells(text, max(10, width - _LABEL)) or [""]
    return [row((fit(label if not at else "", _LABEL), "dim"), piece) for at, piece in enumerate(pieces)]
