"""The page of a job: how far, every target, batches and gates, what happened, what a target printed."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import ClassVar

from tui.app.context import Desk
from tui.app.panes.base import BoardView
from tui.app.panes.job_orders import order_job
from tui.app.panes.pieces import OUTCOME_ROLES, STATE_ROLES, health_word, on_word, spoken
from tui.app.phrases import SECOND, count_of, size, span, verb_of
from tui.app.rows import Column, Line, Part, Row, fit, grid, row, rule
from tui.app.views import JobLook, Kind, OutputLook, Selected, TargetLook

_ORDER = {
    "unknown": 0,
    "failed": 1,
    "timed_out": 1,
    "unreachable": 2,
    "": 3,
    "not_started": 4,
    "cancelled": 5,
}


class JobPage(BoardView):
    """Opens by itself after a start; leaving it leaves the job alone."""

    hints: ClassVar[tuple[str, ...]] = (
        "job.pause", "job.continue", "job.cancel", "job.reconcile", "job.settle", "go.open", "see.logs",
        "do.rollback", "copy.command", "go.back",
    )  # fmt: skip

    def __init__(self, desk: Desk, name_of: str) -> None:
        super().__init__(desk, name_of)
        self._was_running: bool | None = None

    @property
    def job(self) -> JobLook | None:
        """As its folder tells it now."""
        return self.session.job(self.name_of)

    @property
    def env(self) -> str:
        """Of the job."""
        job = self.job
        return job.env if job else ""

    def looking_at(self) -> tuple[Sequence[str], Sequence[str]]:
        """The service, for what runs now."""
        job = self.job
        subjects = (job.subject,) if job and job.subject in self.session.subjects() else ()
        return (), subjects

    def of_key(self, key: str) -> Selected:
        """The job; a target's row is its host."""
        kind, _, name = key.partition(" ")
        if kind == "target" and name in self.session.inventory.hosts:
            return Selected(Kind.HOST, name, self.env, (name,))
        return Selected(Kind.JOB, self.name_of, self.env)

    def meant(self, name: str) -> Selected:
        """Orders, deploy, roll back and logs mean the job and its service."""
        about_it = name.startswith("job.") or name in ("do.deploy", "do.rollback", "see.logs")
        return Selected(Kind.JOB, self.name_of, self.env) if about_it else self.selected()

    def act(self, name: str) -> bool:
        """Orders go to this job; deploy and roll back mean its service."""
        target = self.board.key.partition(" ")[2] if self.board.key.startswith("target ") else ""
        if name == "go.open" and target:
            from tui.app.dialogs.target import WholeTarget

            self.app.push_screen(WholeTarget(self.desk, self.name_of, target))
            return True
        if name.startswith("job."):
            return order_job(self.desk, self.name_of, name, self.board.key.partition(" ")[2])
        if name in ("do.deploy", "do.rollback"):
            self.desk.operate(name.partition(".")[2], self.meant(name))
            return True
        job = self.job
        if name == "see.logs" and job is not None and job.subject in self.session.subjects():
            self.desk.open(f"logs {job.subject}")
            return True
        return super().act(name)

    def applies(self, name: str) -> bool:
        """Enter opens the target under the cursor."""
        return bool(self.board.key) if name == "go.open" else super().applies(name)

    def show(self) -> None:
        """When it ends, look once more at what runs."""
        job = self.job
        if (
            job is not None
            and self._was_running
            and not job.running
            and job.subject in self.session.subjects()
        ):
            self.session.refresh(job.subject)
        self._was_running = job.running if job is not None else None
        super().show()

    # -- lines ----------------------------------------------------------------------------------

    def rows(self, width: int) -> list[Row]:
        """Top to bottom."""
        job = self.job
        if job is None:
            return [row((f"no job {self.name_of} in the record", "warn"))]
        return [
            *self._head(job, width), *self._batches(job, width), *self._targets(job, width),
            *self._output(job, width), *self._notes(job, width),
        ]  # fmt: skip

    def _head(self, job: JobLook, width: int) -> list[Row]:
        who = f"{job.actor}, started {self.desk.clock(job.started)}"
        rows = [
            row((f"JOB {job.id}  {verb_of(job.operation)} {on_word(job)}", "heading"), right=[(who, "dim")])
        ]
        state: Part = (job.state.upper(), STATE_ROLES.get(job.state, ""))
        if not job.running:
            state = (spoken(job.outcome or "ended").upper(), OUTCOME_ROLES.get(job.outcome, ""))
        took = self.desk.age(job.started) if job.running else span((job.ended - job.started) / SECOND)
        leave = "esc leaves, it goes on" if job.running else f"took {took}"
        rows.append(row(state, f"  {self._counts(job)}", right=[(leave, "dim")]))
        rows += [row(("WRONG  ", "bad"), (fit(text, width - 7).rstrip(), "bad")) for text in job.wrong]
        if job.waiting:
            rows.append(row(("waits: ", "warn"), (fit(spoken(job.waiting), width - 7).rstrip(), "warn")))
        if job.people not in ("", job.actor):
            rows.append(row(("by     ", "dim"), fit(job.people, width - 7).rstrip()))
        for label, text in (("what   ", job.summary), ("end    ", job.end)):
            lines = wrap(text, max(20, width - 7), break_on_hyphens=False)[:3]
            rows += [row((label if not at else " " * 7, "dim"), line) for at, line in enumerate(lines)]
        if job.reason:
            rows.append(row(("why    ", "dim"), fit(job.reason, width - 7).rstrip()))
        if job.undo and not job.running:
            rows.append(row(("undo   ", "dim"), fit(job.undo, width - 7).rstrip()))
        return rows

    def _counts(self, job: JobLook) -> str:
        total = len(job.targets)
        counts: dict[str, int] = {}
        for target in job.targets:
            counts[target.outcome] = counts.get(target.outcome, 0) + 1
        words = [f"{counts.pop('succeeded', 0)} of {total} done"]
        open_ends = counts.pop("", 0)
        words += [f"{count} {spoken(outcome)}" for outcome, count in sorted(counts.items())]
        if open_ends and job.running:
            running = sum(1 for t in job.targets if not t.outcome and t.started)
            words.append(f"{running} running" if running else f"{open_ends} to go")
        if job.left_out:
            words.append(f"{len(job.left_out)} left out")
        return ", ".join(words)

    def _batches(self, job: JobLook, width: int) -> list[Row]:
        if not job.batches or (len(job.batches) == 1 and not job.gate):
            return []
        outcomes = {t.name: t.outcome for t in job.targets}
        columns = (Column("BATCH", 5, 16), Column("TARGETS", 5, 7, True), Column("DONE", 4, 5, True),
                   Column("BAD", 3, 5, True), Column("?", 2, 4, True), Column("GATE", 10, 90))  # fmt: skip
        lines = []
        for number, batch in enumerate(job.batches, 1):
            ended = [outcomes.get(name, "") for name in batch.targets]
            bad = sum(o in ("failed", "timed_out", "unreachable") for o in ended)
            lost = ended.count("unknown")
            gate: Part = (batch.gate or ("open" if batch.started else "-"), "dim")
            if batch.passed is not None or batch.gate:
                word = {True: "passed", False: "FAILED", None: "no data"}[batch.passed]
                role = {True: "ok", False: "bad", None: "warn"}[batch.passed]
                gate = (f"{word}  {batch.gate}", role)
            lines.append(Line((
                f"{number} {batch.why}".rstrip(), str(len(batch.targets)), str(ended.count("succeeded")),
                (str(bad), "bad" if bad else "dim"), (str(lost), "lost" if lost else "dim"), gate,
            )))  # fmt: skip
        return [rule("", width), *grid(columns, lines, width)]

    def _targets(self, job: JobLook, width: int) -> list[Row]:
        releases = {}
        service = bool(job.before) and job.subject in self.session.subjects()
        if service:
            releases = {f.host: f for f in self.session.service(job.subject).releases}
        columns = [Column("TARGET", 8, 28)]
        if service:
            columns += [Column("WAS", 6, 14), Column("NOW", 6, 14), Column("HEALTH", 6, 8)]
        columns += [Column("OUTCOME", 9, 12), Column("EVIDENCE", 10, 100)]
        lines = []
        for target in sorted(job.targets, key=lambda t: (_ORDER.get(t.outcome, 6), t.name)):
            cells: list[Part] = [target.name]
            if service:
                facts = releases.get(target.name)
                version: Part = (
                    ("?", "dim") if facts is None or facts.error else (facts.version or "none", "bold")
                )
                cells += [job.before.get(target.name, "?").partition(" ")[0], version, health_word(facts)]
            cells += [_outcome(target), target.evidence or target.step]
            lines.append(Line(tuple(cells), key=f"target {target.name}"))
        for name, why in job.left_out.items():
            blanks: list[Part] = ["-"] * (3 if service else 0)
            lines.append(Line((name, *blanks, ("left out", "warn"), why), key=f"target {name}"))
        word = "before and after" if service and not job.running else "targets"
        return [rule(word, width), *grid(columns, lines, width)]

    def _output(self, job: JobLook, width: int) -> list[Row]:
        if job.operation == "host.exec" and not job.running:
            return self._grouped(job, width)
        name = self.board.key.partition(" ")[2] if self.board.key.startswith("target ") else ""
        name = name or next((t.name for t in job.targets if t.started and not t.outcome), "")
        name = name or (job.targets[0].name if job.targets else "")
        if not name:
            return []
        look = self.session.output(job.id, name)
        title = f"output of {name}"
        if look.reading or look.error:
            return [rule(title, width), *_unread(look)]
        lost = _lost(sum(target.lost for target in job.targets if target.name == name))
        if not look.lines and not lost:
            return []
        shown = [row("  ", fit(line, width - 2).rstrip()) for line in look.lines] + lost
        return [rule(title, width, f"last lines of {size(look.size)}" if look.cut else ""), *shown]

    def _grouped(self, job: JobLook, width: int) -> list[Row]:
        """Targets that printed the same and ended the same, the largest group first."""
        alike: dict[tuple[str, str, str, int], list[str]] = {}
        looks: dict[str, OutputLook] = {}
        waiting = []
        for target in job.targets:
            look = looks[target.name] = self.session.output(job.id, target.name, whole=True)
            if look.reading:
                waiting.append(target.name)
            else:
                key = (look.digest, look.error, target.outcome, target.lost)
                alike.setdefault(key, []).append(target.name)
        rows = []
        for (_, _, outcome, lost), names in sorted(alike.items(), key=_bad_first):
            word = f"{len(names)} alike: " if len(names) > 1 else ""
            bad = "" if outcome == "succeeded" else f"  {spoken(outcome)}"
            rows.append(rule(fit(f"{word}{' '.join(names)}{bad}", min(width - 8, 110)).rstrip(), width))
            rows += self._printed(job, looks[names[0]], names[0], width) + _lost(lost)
        if waiting:
            rows.append(rule(fit(f"reading {len(waiting)}: {' '.join(waiting)}", min(width - 8, 110)), width))
        return rows

    def _printed(self, job: JobLook, look: OutputLook, name: str, width: int) -> list[Row]:
        if look.error:
            return _unread(look)
        if not look.lines:
            return [row(("  printed nothing", "dim"))]
        rows = [
            row("  ", fit(line, width - 2).rstrip(), key=f"target {name}" if index == 0 else "")
            for index, line in enumerate(look.lines)
        ]
        if look.cut:
            more = f"  {count_of(look.count - len(look.lines), 'line')} more: enter on {name} opens all of it"
            rows.append(row((more, "dim")))
        return rows

    def _notes(self, job: JobLook, width: int) -> list[Row]:
        if not job.notes:
            return []
        rows = [rule("what happened", width)]
        for time, text in reversed(job.notes[-20:]):
            rows.append(row((self.desk.clock(time), "dim"), "  ", fit(text, width - 10).rstrip()))
        return rows

    def command(self) -> str:
        """The same from a shell."""
        return f"ondeck attach {self.name_of}"


def _bad_first(item: tuple[tuple[str, str, str, int], list[str]]) -> tuple[bool, int]:
    """What failed before what went well, then the larger group."""
    (_, _, outcome, _), names = item
    return outcome == "succeeded", -len(names)


def _unread(look: OutputLook) -> list[Row]:
    if look.error:
        return [row((f"  its output cannot be read: {look.error}", "warn"))]
    return [row(("  reading what it printed ..", "dim"))]


def _lost(count: int) -> list[Row]:
    return [row((f"  output was cut: {count} bytes could not be written down", "warn"))] if count else []


def _outcome(target: TargetLook) -> Part:
    if target.outcome:
        return spoken(target.outcome), OUTCOME_ROLES.get(target.outcome, "")
    return ("running", "ok") if target.started else ("to go", "dim")
