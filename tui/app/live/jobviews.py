"""From the record's view of a job to what panes show."""

from __future__ import annotations

from ondeck.job import events as happened
from ondeck.job.outcome import JobState
from ondeck.job.plan import Plan, deed_of, undo_of
from ondeck.record.view import JobView
from ondeck.text import safe_line
from tui.app.views import BatchLook, JobLook, TargetLook


def job_look(view: JobView, notes: tuple[tuple[int, str], ...] = ()) -> JobLook:
    """A job as a pane shows it."""
    plan = view.plan
    why = {batch.targets: batch.why for batch in plan.draft.rollout.batches}
    return JobLook(
        id=view.id,
        operation=plan.request.operation,
        title=plan.title,
        subject=plan.request.subject,
        env=plan.request.env,
        summary=plan.draft.summary,
        deed=safe_line(deed_of(plan)),
        end=_end(view),
        actor=view.actor,
        people=view.people,
        reason=view.reason,
        state=str(view.state),
        waiting=_waiting(view),
        wrong=view.wrong,
        outcome=str(view.outcome) if view.outcome else "",
        started=view.started or view.made,
        ended=view.ended or (view.made if view.over else 0),
        targets=tuple(
            TargetLook(
                name=row.target,
                outcome=str(row.outcome) if row.outcome else "",
                evidence=row.text if row.outcome else "",
                step="" if row.outcome else row.text, started=row.started if row.running or row.outcome else 0,
                ended=row.ended, lost=row.lost,
            )
            for row in view.targets.values()
        ),
        batches=tuple(
            BatchLook(targets=batch.targets, why=why.get(batch.targets, ""), started=bool(batch.started),
                      gate=batch.evidence, passed=batch.passed)
            for batch in view.batches
        ),
        left_out=dict(plan.draft.left_out),
        gate=plan.draft.rollout.gate,
        notes=notes,
        undo=undo_of(plan, view.id),
        before=_of(plan, "before"),
        wanted=_of(plan, "after"),
        in_doubt=view.over and view.unsettled,
        half_done=view.half_done,
    )  # fmt: skip


def _end(view: JobView) -> str:
    """What its outcome and the table of targets do not tell."""
    told = view.why in (None, happened.Ended.COMPLETE) and ";" not in view.summary and not view.lost
    return "" if told or not view.over else view.summary


def _waiting(view: JobView) -> str:
    if view.state is JobState.PAUSED:
        return view.pause
    if view.state is JobState.WAITING:
        return f"{view.waiting_for or ''}: {view.detail}".strip(": ")
    return ""


def _of(plan: Plan, side: str) -> dict[str, str]:
    """The first change of each target of a service, before or after."""
    if "@" not in plan.request.subject:
        return {}
    found: dict[str, str] = {}
    for change in plan.draft.changes:
        found.setdefault(change.target, change.before if side == "before" else change.after)
    return found


def note_of(event: happened.Event) -> str:  # noqa: C901, PLR0912 - one arm a kind of event
    """An event as a line for people; empty for those that the table tells better."""
    match event:
        case happened.JobStarted(mode=mode):
            return f"worker started to {mode}"
        case happened.LockTaken(key=key):
            return f"lock {key} taken"
        case happened.Opened(ready=ready, left_out=left):
            return f"{ready} connections open and held" + (f", {left} left out" if left else "")
        case happened.BatchStarted(index=index, targets=targets):
            return f"batch {index + 1} started: {' '.join(targets[:6])}" + (" .." if len(targets) > 6 else "")
        case happened.GateAnswered(index=index, passed=passed, evidence=evidence):
            word = {True: "passed", False: "FAILED", None: "has no data"}[passed]
            return f"gate of batch {index + 1} {word}: {evidence}"
        case happened.GateAccepted(index=index, by=by, reason=reason):
            return f"gate of batch {index + 1} accepted by {by}" + (f": {reason}" if reason else "")
        case happened.GateSettled(index=index, passed=passed, by=by, reason=reason):
            word = "passed" if passed else "FAILED"
            return f"gate of batch {index + 1} settled as {word} by {by}: {reason}"
        case happened.Paused(why=why):
            return f"paused: {why}"
        case happened.Continued(why=why):
            return f"goes on: {why}"
        case happened.Waiting(on=on, detail=detail):
            return f"waits for {on}: {detail}"
        case happened.TargetEnded(target=target, outcome=outcome, evidence=evidence):
            return f"{target} {str(outcome).replace('_', ' ')}: {evidence}"
        case happened.Resumed(by=by, decision=decision):
            return f"{by} goes on with it ({decision})"
        case happened.Reconciled(target=target, outcome=outcome, evidence=evidence):
            return f"{target} found {outcome}: {evidence}"
        case happened.Settled(target=target, outcome=outcome, by=by, reason=reason):
            return f"{target} settled as {outcome} by {by}: {reason}"
        case happened.Asked(what=what, by=by, refused=refused):
            return f"{by} asked to {what}" + (f", refused: {refused}" if refused else "")
        case happened.Note(text=text) | happened.LogShort(text=text):
            return text
        case happened.JobEnded(outcome=outcome, summary=summary):
            return f"ended {str(outcome).replace('_', ' ')}" + (f": {summary}" if summary else "")
        case _:
            return ""
