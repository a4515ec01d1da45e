"""A job as its folder tells it: plan and events folded into the state every face shows."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from ondeck.counting import counted
from ondeck.errors import ExitCode
from ondeck.job.events import (
    Asked,
    AttemptIntended,
    AttemptVoid,
    BatchStarted,
    Continued,
    Ended,
    Event,
    GateAccepted,
    GateAnswered,
    GateSettled,
    JobEnded,
    JobStarted,
    LockTaken,
    LogShort,
    Mode,
    Note,
    Opened,
    Paused,
    Reconciled,
    Remembered,
    Resumed,
    Settled,
    Step,
    TargetEnded,
    Waiting,
)
from ondeck.job.outcome import JobState, Outcome, WaitingFor, of_job
from ondeck.job.plan import Plan


class TargetView(msgspec.Struct, kw_only=True):
    """One row of a job.

    Attributes:
        outcome: None while nothing final is known.
        attempt: Id of the latest attempt; empty when none was intended.
        in_doubt: Something was sent and no answer was seen: only reconcile or settle ends that.
        text: Latest line of progress, or the evidence once it ended.
        share: How much of it is done, 0 to 1; None where that is not known, and once it ended.
        still_running: Reconcile saw it alive on its host.
        lost: Bytes of its output that could not be written down.
    """

    target: str
    batch: int
    outcome: Outcome | None = None
    attempt: str = ""
    attempts: int = 0
    in_doubt: bool = False
    running: bool = False
    text: str = ""
    share: float | None = None
    status: int | None = None
    started: int = 0
    ended: int = 0
    still_running: bool = False
    settled_by: str = ""
    lost: int = 0


class BatchView(msgspec.Struct, kw_only=True):
    """One batch.

    Attributes:
        started: In ns; 0 before it began.
        gate: When the gate answered, in ns; 0 when it did not.
        passed: What the gate said once `gate` is not 0; None is no data.
        judged: What a person said in the gate's place; None when nobody did.
    """

    index: int
    targets: tuple[str, ...]
    started: int = 0
    gate: int = 0
    passed: bool | None = None
    judged: bool | None = None
    evidence: str = ""

    @property
    def verdict(self) -> bool | None:
        """What counts: a person's word before the gate's own; None when nobody knows."""
        return self.passed if self.judged is None else self.judged


class JobView(msgspec.Struct, kw_only=True):
    """A job as everybody may see it.

    Attributes:
        state: ENDED when the worker is lost: it is never shown as running for ever.
        lost: The worker died without a last word; `detail` says how to go on.
        pause: Why it is paused.
        paused_by: Who paused it by hand; empty when it stands for what happened.
        paused_at: Since when it is paused, in ns; 0 when it is not.
        resumed: By whose word it went on after it had ended, oldest first.
        choices: What may be asked of it now.
        events: How many records were read.
        torn: Bytes at the log's end that a crash left half-written.
        damaged: Number of a damaged record, -1 when there is none.
        wrong: What is wrong with its folder: edited, cut; to be said loudly in every view.
        short: The part of that which the log itself tells: it did not hold what the audit knew of.
        unanswered: What went wrong and nobody gave a word for since, in words, by target, gate or pause.
    """

    id: str
    plan: Plan
    digest: str
    actor: str
    reason: str
    made: int
    state: JobState = JobState.QUEUED
    waiting_for: WaitingFor | None = None
    outcome: Outcome | None = None
    why: Ended | None = None
    summary: str = ""
    detail: str = ""
    pause: str = ""
    paused_by: str = ""
    paused_at: int = 0
    choices: tuple[str, ...] = ()
    targets: dict[str, TargetView] = {}
    batches: tuple[BatchView, ...] = ()
    lock: str = ""
    lost: bool = False
    started: int = 0
    ended: int = 0
    events: int = 0
    notes: list[str] = []
    asked: list[str] = []
    resumed: list[str] = []
    remembered: dict[str, str] = {}
    torn: int = 0
    damaged: int = -1
    break_glass: bool = False
    wrong: tuple[str, ...] = ()
    short: str = ""
    unanswered: dict[str, str] = {}

    @property
    def over(self) -> bool:
        """Nothing more will be written unless somebody reconciles, settles or resumes."""
        return self.state is JobState.ENDED

    @property
    def people(self) -> str:
        """Who started it, and who went on with it."""
        others = dict.fromkeys(name for name in self.resumed if name != self.actor)
        return f"{self.actor}, continued by {', '.join(others)}" if others else self.actor

    @property
    def in_doubt(self) -> tuple[str, ...]:
        """Targets of which only the host knows how it ended."""
        return tuple(name for name, row in self.targets.items() if row.in_doubt)

    @property
    def last_gate(self) -> BatchView | None:
        """The batch whose gate speaks for the end: the last of which something succeeded.

        None where no gate is planned, and while targets are left to do: whoever does them asks again.
        """
        again = (None, Outcome.NOT_STARTED, Outcome.CANCELLED)
        rows = self.targets
        if not self.plan.draft.rollout.gate or any(row.outcome in again for row in rows.values()):
            return None
        good = (b for b in self.batches if any(rows[t].outcome is Outcome.SUCCEEDED for t in b.targets))
        return max(good, key=lambda batch: batch.index, default=None)

    @property
    def blind_gate(self) -> BatchView | None:
        """The last gate, when nobody knows what it says: only reconcile or settle ends that."""
        last = self.last_gate
        return last if last is not None and last.verdict is None else None

    @property
    def unsettled(self) -> bool:
        """Somebody has to find out how it ended; until then the lock of the job is not free."""
        return bool(self.doubts) or self.outcome is Outcome.UNKNOWN

    @property
    def doubts(self) -> tuple[str, ...]:
        """What nobody knows of it, for people: targets, and the last gate."""
        unknown = (n for n, row in self.targets.items() if row.in_doubt or row.outcome is Outcome.UNKNOWN)
        blind = self.blind_gate
        if blind is None:
            return tuple(unknown)
        return (
            *unknown,
            f"the gate after batch {blind.index + 1} {'has no data' if blind.gate else 'was not asked'}",
        )

    def verdict(self) -> Outcome:
        """How it ended, from its targets and its last gate; targets without an outcome were not started."""
        outcome = of_job(row.outcome or Outcome.NOT_STARTED for row in self.targets.values())
        if self.doubts:
            return Outcome.UNKNOWN
        last = self.last_gate
        failed = last is not None and last.verdict is False
        return Outcome.FAILED if failed and outcome is Outcome.SUCCEEDED else outcome

    @property
    def half_done(self) -> bool:
        """Its worker was lost between targets: some were changed, others were never begun."""
        rows = self.targets.values()
        begun = any(row.attempts for row in rows)
        return self.lost and begun and any(row.outcome is Outcome.NOT_STARTED for row in rows)

    @property
    def cut(self) -> tuple[str, ...]:
        """Targets of whose output something could not be written down."""
        return tuple(name for name, row in self.targets.items() if row.lost)

    @property
    def left(self) -> tuple[str, ...]:
        """Targets that did not succeed and were not skipped, with those the plan left out."""
        fine = (Outcome.SUCCEEDED, Outcome.SKIPPED)
        rows = tuple(name for name, row in self.targets.items() if row.outcome not in fine)
        return (*rows, *(t for t in self.plan.draft.left_out if t not in rows))

    @property
    def exit_code(self) -> ExitCode:
        """What the command line ends with when this job is over."""
        by_why = {
            Ended.STALE: ExitCode.STALE,
            Ended.REFUSED: ExitCode.REFUSED,
            Ended.LOCKED: ExitCode.REFUSED,
        }
        if self.outcome is Outcome.UNKNOWN:
            return ExitCode.UNKNOWN
        if self.why in by_why:
            return by_why[self.why]
        return _BY_OUTCOME.get(self.outcome or Outcome.UNKNOWN, ExitCode.FAILED)

    def counts(self) -> dict[str, int]:
        """How many targets stand where: outcome words, `running` and `waiting`."""
        found: dict[str, int] = {}
        for row in self.targets.values():
            word = row.outcome.value if row.outcome else "running" if row.running else "waiting"
            found[word] = found.get(word, 0) + 1
        return found


_BY_OUTCOME = {
    Outcome.SUCCEEDED: ExitCode.OK,
    Outcome.SKIPPED: ExitCode.OK,
    Outcome.UNREACHABLE: ExitCode.UNREACHABLE,
    Outcome.UNKNOWN: ExitCode.UNKNOWN,
    Outcome.CANCELLED: ExitCode.CANCELLED,
    Outcome.MIXED: ExitCode.SOME_FAILED,
}


def empty(job: str, plan: Plan, digest: str, *, actor: str, reason: str, made: int) -> JobView:
    """A job of which nothing has been written yet."""
    batches = plan.draft.rollout.batches
    return JobView(
        id=job,
        plan=plan,
        digest=digest,
        actor=actor,
        reason=reason,
        made=made,
        batches=tuple(BatchView(index=i, targets=b.targets) for i, b in enumerate(batches)),
        targets={t: TargetView(target=t, batch=i) for i, b in enumerate(batches) for t in b.targets},
        notes=[],
        asked=[],
        resumed=[],
        remembered={},
        unanswered={},
    )


def fold(view: JobView, events: Iterable[Event]) -> JobView:
    """Take events into the view, in place; the same events always give the same view."""
    for event in events:
        view.events += 1
        _answer(view, event)
        _take(view, event)
    return view


def _answer(view: JobView, event: Event) -> None:
    """Keep what went wrong until a person goes on all the same; that a worker died or was cancelled is no word."""
    left = view.unanswered
    match event:
        case TargetEnded(target=name, outcome=outcome) | Reconciled(target=name, outcome=outcome):
            _keep(left, f"target {name}", _bad(name, outcome))
        case Settled(target=name, outcome=outcome):
            _keep(left, f"target {name}", _bad(name, outcome))
        case GateAnswered(index=index, passed=passed) | GateSettled(index=index, passed=passed):
            word = "" if passed else "did not pass" if passed is False else "has no data"
            _keep(left, f"gate {index}", f"the gate after batch {index + 1} {word}" if word else "")
        case Paused(why=why, by=""):
            left["pause"] = f"it stood: {why}"
        case Continued() if view.state is JobState.PAUSED and not view.paused_by:
            left.clear()
        case Resumed():
            left.clear()
        case _:
            pass


def _bad(target: str, outcome: Outcome) -> str:
    return f"{target} {outcome.value.replace('_', ' ')}" if outcome.counts_as_failure else ""


def _keep(left: dict[str, str], key: str, said: str) -> None:
    left.pop(key, None)
    if said:
        left[key] = said


def _take(view: JobView, event: Event) -> None:
    match event:
        case AttemptIntended() | AttemptVoid() | Step() | TargetEnded() | Reconciled() | Settled():
            _target(view, event)
        case BatchStarted(index=index, at=at):
            view.batches[index].started = at
        case GateAnswered() | GateAccepted() | GateSettled():
            _gate(view.batches[event.index], event)
        case Note(text=text):
            view.notes.append(text)
        case LogShort(text=text):
            _lacks(view, text)
        case Remembered(key=key, value=value):
            view.remembered[key] = value
        case Asked():
            _asked(view, event)
        case Resumed(by=by, decision=decision):
            view.resumed.append(by)
            view.break_glass = view.break_glass or decision == "break-glass"
        case LockTaken(key=key):
            view.lock = key
        case _:
            _state(view, event)


def _lacks(view: JobView, text: str) -> None:
    view.short = text
    view.wrong = (*(one for one in view.wrong if one != text), text)


def _asked(view: JobView, event: Asked) -> None:
    view.asked.append(event.ask)
    if event.refused:
        view.notes.append(f"{event.what} asked by {event.by} was refused: {event.refused}")


def _gate(batch: BatchView, event: GateAnswered | GateAccepted | GateSettled) -> None:
    if isinstance(event, GateAnswered):
        batch.gate, batch.passed, batch.evidence = event.at, event.passed, event.evidence
        batch.judged = None
        return
    batch.judged = event.passed if isinstance(event, GateSettled) else True
    word = (
        "accepted"
        if isinstance(event, GateAccepted)
        else "settled as " + ("passed" if event.passed else "failed")
    )
    said = f"{word} by {event.by}" + (f": {event.reason}" if event.reason else "")
    batch.evidence = f"{batch.evidence}; {said}" if batch.evidence else said


def _state(view: JobView, event: Event) -> None:
    view.waiting_for = None
    view.pause, view.paused_by, view.paused_at = "", "", 0
    view.choices = ("cancel", "pause")
    match event:
        case JobStarted(mode=mode, at=at):
            view.state = JobState.RUNNING
            view.started = view.started or at
            view.ended, view.outcome, view.why = 0, None, None
            view.detail = "reconciling" if mode is Mode.RECONCILE else ""
        case Waiting(on=on, detail=detail):
            view.state, view.waiting_for, view.detail = JobState.WAITING, on, detail
            view.choices = ("credentials", "cancel") if on is WaitingFor.CREDENTIALS else ("cancel",)
        case Paused(why=why, choices=choices):
            view.state, view.pause, view.detail, view.choices = JobState.PAUSED, why, why, choices
            view.paused_by, view.paused_at = event.by, event.at
        case Continued(why=why):
            view.state, view.detail = JobState.RUNNING, why
        case Opened(ready=ready):
            view.state, view.detail = JobState.RUNNING, f"{counted(ready, 'target')} held open"
        case JobEnded():
            view.state, view.outcome, view.why = JobState.ENDED, event.outcome, event.why
            view.summary, view.detail, view.ended = event.summary, event.summary, event.at
            view.choices = ("reconcile", "settle") if view.unsettled else ()
            for row in view.targets.values():
                row.running = False


def _target(
    view: JobView, event: AttemptIntended | AttemptVoid | Step | TargetEnded | Reconciled | Settled
) -> None:
    row = view.targets.get(event.target)
    if row is None:
        if isinstance(event, Step):
            view.detail = event.text
        return
    match event:
        case AttemptIntended(attempt=attempt, at=at):
            row.attempt, row.attempts, row.started = attempt, event.number, row.started or at
            row.running, row.in_doubt, row.outcome, row.text = True, True, None, ""
        case AttemptVoid(why=why):
            row.running, row.in_doubt, row.text = False, False, why
        case Step(text=text, share=share):
            row.text, row.share = text, share
        case TargetEnded() | Reconciled():
            row.outcome, row.text, row.status = event.outcome, event.evidence, event.status
            row.running, row.ended, row.share = False, event.at, None
            row.in_doubt = event.outcome is Outcome.UNKNOWN and bool(event.attempt)
            row.still_running = isinstance(event, Reconciled) and event.still_running
            row.lost += event.lost if isinstance(event, TargetEnded) else 0
        case Settled():
            row.outcome, row.settled_by, row.ended = event.outcome, event.by, event.at
            row.text = f"settled by {event.by}: {event.reason}"
            row.in_doubt, row.still_running = event.outcome is Outcome.UNKNOWN, False


def lose(view: JobView) -> JobView:
    """The view of a job whose worker died without a last word; in place."""
    if view.state is JobState.ENDED:
        return view
    view.lost, view.state, view.waiting_for, view.pause = True, JobState.ENDED, None, ""
    for row in view.targets.values():
        row.running = False
        if row.in_doubt:
            row.outcome, row.text = Outcome.UNKNOWN, row.text or "the worker died before an answer was seen"
        elif row.outcome is None:
            row.outcome = Outcome.NOT_STARTED
    view.outcome = view.verdict()
    view.why = Ended.BROKEN
    if view.events == 0:
        view.summary = "the worker never started; nothing was done"
        view.choices = ()
    else:
        view.summary = f"the worker was lost; find out what became of it: ondeck reconcile {view.id}"
        view.choices = ("reconcile", "settle", "continue")
    view.detail = view.summary
    return view


def not_open(view: JobView, target: str, *, short: bool) -> str:
    """Why nothing is there to settle by hand; empty when there is.

    Args:
        view: Of a job that is over, or as its next worker sees it.
        target: Empty means the last gate.
        short: The log lacks records.
    """
    if not target:
        return "" if view.blind_gate is not None else "no gate of it is open"
    row = view.targets.get(target)
    if row is None:
        return f"no target {target!r}"
    if row.still_running:
        return f"it was seen running: {row.text}"
    unknown = row.in_doubt or row.outcome is Outcome.UNKNOWN or (short and target in doubtful(view))
    return "" if unknown else "its outcome is known"


def doubtful(view: JobView) -> tuple[str, ...]:
    """Targets of which a log that lacks records cannot say that they were not begun, until a person has said so."""
    open_ends = (None, Outcome.NOT_STARTED, Outcome.CANCELLED, Outcome.UNKNOWN)
    return tuple(
        name for name, row in view.targets.items() if row.outcome in open_ends and not row.settled_by
    )
