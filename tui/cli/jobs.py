"""Jobs from the command line: list, follow, and everything a person may ask of one."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from ondeck import times
from ondeck.errors import BadInput, ExitCode, NeedsPerson
from ondeck.job.events import Ask, What
from ondeck.job.outcome import Outcome
from ondeck.job.plan import deed_of
from ondeck.text import safe_line
from tui.cli import consent, flags, following, out, plan_view
from tui.cli.face import Face, form_option, pass_face
from tui.cli.operation import Asked, asked_of
from tui.cli.out import At, Rows

if TYPE_CHECKING:
    from ondeck.job.consent import Consent
    from ondeck.record.view import JobView, TargetView

_BY_HAND = click.Choice([o.value for o in (Outcome.SUCCEEDED, Outcome.FAILED, Outcome.NOT_STARTED)])
_GATE = {"passed": Outcome.SUCCEEDED, "failed": Outcome.FAILED}


def rows_of(views: list[JobView]) -> Rows:
    """Jobs as a table, newest first."""
    titles = ("job", "state", "outcome", "operation", "subject", "env", "by", "began", "targets", "what")
    rows = tuple(_row(view) for view in views)
    return Rows(titles, rows, spare=("subject", "what"), drop=("by", "env", "operation", "state"))


def _row(view: JobView) -> tuple[object, ...]:
    request = view.plan.request
    return (
        view.id,
        f"{view.state.value}:{view.waiting_for.value}" if view.waiting_for else view.state.value,
        view.outcome.value if view.outcome else "",
        request.operation,
        request.subject,
        request.env,
        view.people,
        At(view.made),
        counts_of(view),
        safe_line(deed_of(view.plan)),
    )


def counts_of(view: JobView) -> str:
    """How many targets are how: `2 ok, 1 failed`; those of which nothing final is known are `open`."""
    counted = Counter(
        "ok" if target.outcome is Outcome.SUCCEEDED else target.outcome.value if target.outcome else "open"
        for target in view.targets.values()
    )
    good = [f"{counted.pop('ok')} ok"] if counted["ok"] else []
    return ", ".join((*good, *(f"{number} {word}" for word, number in sorted(counted.items()) if number)))


@click.command()
@click.argument("job", required=False)
@click.option("-n", "--limit", default=20, show_default=True, help="How many, newest first.")
@form_option
@pass_face
def jobs(face: Face, job: str | None, limit: int, form: str) -> int:
    """List jobs, newest first; with a JOB its targets."""
    if job is None:
        views = face.deck.record.jobs(limit)
        face.rows(rows_of(views), form)
        for found in views:
            following.say_wrong(face, found, found.wrong)
        unread = face.deck.record.unread(limit)
        for name, why in unread.items():
            face.say(f"NOT READ  job {name}: {why}")
        return int(ExitCode.FAILED if unread else ExitCode.OK)
    view = face.deck.record.job(job)
    wrong = face.deck.record.wrong(view)
    following.say_wrong(face, view, wrong)
    if form == "json":
        face.data(out.dumps({**following.summary(view), "wrong": wrong}) + "\n")
        return int(ExitCode.OK)
    face.rows(targets_of(view), form)
    return int(ExitCode.OK)


def targets_of(view: JobView) -> Rows:
    """The targets of a job as a table."""
    titles = ("target", "outcome", "status", "evidence")
    return Rows(titles, tuple(map(_target, view.targets.values())), spare=("evidence",))


def _target(row: TargetView) -> tuple[object, ...]:
    word = (
        row.outcome.value
        if row.outcome
        else "in doubt"
        if row.in_doubt
        else "running"
        if row.running
        else "waiting"
    )
    return (row.target, word, "" if row.status is None else row.status, row.text)


@click.command()
@click.argument("job")
@click.option(
    "--timeout", default="", metavar="SPAN", help="Stop following after so long, with 130; the job goes on."
)
@click.option("-o", "--output", "form", type=click.Choice(["text", "json", "jsonl"]), default="text")
@pass_face
def attach(face: Face, job: str, timeout: str, form: str) -> int:
    """Follow a job to its end from any terminal; ctrl-c leaves it running.

    Lends the credentials of this terminal when the job waits for some.
    """
    _lend(face, job)
    seconds = times.span(timeout, what="--timeout") if timeout else 0.0
    return following.follow(face, job, form=form, timeout=seconds)


def _lend(face: Face, job: str, reason: str = "") -> bool:
    """Lend this terminal's agent when the job waits for credentials; True when it was lent."""
    from ondeck.operate import road

    ask = road.lending(face.deck, job, by=face.settings.actor, reason=reason)
    if ask is None:
        return False
    road.tend(face.deck, job, ask)
    face.say("the job waits for credentials: lent it the agent of this terminal")
    return True


def _ask(face: Face, job: str, ask: Ask, said: str, given: Consent | None = None) -> int:
    from ondeck.operate import road

    road.tend(face.deck, job, ask, given)
    face.say(said)
    return int(ExitCode.OK)


_reason = click.option("--reason", default="", help="Why; goes into the job and the audit.")


@click.command()
@click.argument("job")
@click.option("--now", is_flag=True, help="Stop what runs too, not only what has not started.")
@_reason
@pass_face
def cancel(face: Face, job: str, now: bool, reason: str) -> int:
    """Cancel a job: what runs finishes and nothing new starts; --now really stops what runs.

    A tool that has safe points of its own (terraform) is asked to stop at the next one; once more, with --now,
    makes it leave at once, which may lose its state.
    """
    ask = Ask(what=What.CANCEL, by=face.settings.actor, reason=reason, hard=now)
    return _ask(face, job, ask, f"asked; see how it ends with: ondeck attach {job}")


@click.command()
@click.argument("job")
@_reason
@pass_face
def pause(face: Face, job: str, reason: str) -> int:
    """Pause a job before its next target."""
    return _ask(face, job, Ask(what=What.PAUSE, by=face.settings.actor, reason=reason), "asked to pause")


class _WithConsent(click.Command):
    """A verb that also takes a person's word, as every operation does."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - click's own arguments
        super().__init__(*args, **kwargs)
        wanted = ("reason", "yes", "confirm", "break_glass", "no_input")
        self.params.extend(option for option in flags.common() if option.name in wanted)


@click.command("continue", cls=_WithConsent)
@click.argument("job")
@pass_face
def continue_(face: Face, /, job: str, **given: Any) -> int:  # noqa: ANN401 - click hands over the flags above
    """Let a paused or waiting job go on; of a job that has ended, do what was not begun.

    To go on with a job that stands for failures, an unknown or a gate takes a word of its own: --yes or
    --confirm NAME, as the rules of its environment ask for the operation.
    A pause by hand needs none for who started it, within the hour and under the same rules.
    To go on with an ended job is a word of its own when something of it failed or it stood for something,
    when its plan is older than an hour, or when somebody else started it.
    A job whose worker was lost is reconciled first: ondeck reconcile JOB.
    """
    from ondeck.operate import road

    asked = asked_of(given)
    reason = asked.reason
    view = face.deck.record.job(job)
    if view.over:
        return _resume(face, job, asked)
    if _lend(face, job, reason):
        return int(ExitCode.OK)
    ask = Ask(what=What.CONTINUE, by=face.settings.actor, reason=reason, pause=view.paused_at)
    name = road.tend(face.deck, job, ask, _of_a_pause(face, view, asked))
    return _taken(face, job, name, "it goes on")


def _taken(face: Face, job: str, name: str, said: str) -> int:
    """Say what was done once the worker did it; a refusal of the worker is one of the command."""
    from ondeck.operate.reconcile import answered

    taken = answered(face.deck, job, name)
    face.say(said if taken else f"asked; not taken yet: see ondeck attach {job}")
    return int(ExitCode.OK)


def _of_a_pause(face: Face, view: JobView, asked: Asked) -> Consent | None:
    """A person's word on what a living job stands for; None where none is needed."""
    from ondeck.operate import again

    needed = again.needed(face.deck, view.id) if view.paused_at else None
    if needed is None:
        return None
    face.say(f"  it {'is paused' if view.paused_by else 'stands'}: {needed.why}")
    left = sum(row.outcome is None for row in view.targets.values())
    given = consent.obtain(face, view.plan, needed.ruling, asked, left)
    if given is None:
        raise NeedsPerson("it does not go on", hint=f"ondeck continue {view.id}")
    return given


def _resume(face: Face, job: str, asked: Asked) -> int:
    from ondeck.operate import again, road
    from ondeck.operate.reconcile import may_continue, todo

    ask = Ask(what=What.CONTINUE, by=face.settings.actor, reason=asked.reason)
    may_continue(face.deck, job)
    given, needed = None, again.needed(face.deck, job)
    if needed is not None:
        view = face.deck.record.job(job)
        for line in plan_view.lines(view.plan, view.digest):
            face.say(line)
        face.say(f"  its consent does not cover this: {needed.why}")
        given = consent.obtain(face, view.plan, needed.ruling, asked, len(todo(view)))
        if given is None:
            raise NeedsPerson("it does not go on", hint=f"ondeck continue {job}")
    road.tend(face.deck, job, ask, given)
    face.say("it goes on with the targets that were not begun")
    return following.follow(face, job, no_input=asked.no_input)


@click.command()
@click.argument("job")
@pass_face
def reconcile(face: Face, job: str) -> int:
    """Find out with evidence what became of a job whose worker or link was lost; changes nothing."""
    from ondeck.operate import road

    road.reconcile(face.deck, job)
    return following.follow(face, job)


@click.command()
@click.argument("job")
@click.argument("target", required=False)
@click.argument("outcome", type=_BY_HAND, required=False)
@click.option("--gate", type=click.Choice(list(_GATE)), help="Of the last gate, which had no data.")
@click.option("--reason", required=True, help="What you saw; goes into the job and the audit.")
@pass_face
def settle(
    face: Face, job: str, target: str | None, outcome: str | None, gate: str | None, reason: str
) -> int:
    """Set the outcome of a target, or of the last gate, by hand, when nothing but a person can know it."""
    from ondeck.operate import road

    if (gate is None) is (target is None) or (target is None) is not (outcome is None):
        raise BadInput(
            "settle a target with its outcome, or the last gate",
            hint=f"ondeck settle {job} TARGET OUTCOME --reason WHY; ondeck settle {job} --gate passed --reason WHY",
        )
    word = _GATE[gate] if gate else Outcome(outcome or "")
    name = road.settle(face.deck, job, target or "", word, reason)
    return _taken(face, job, name, f"{target or 'the last gate'} of {job} is set to {outcome or gate}")


@click.command()
@click.argument("job")
@form_option
@pass_face
def left(face: Face, job: str, form: str) -> int:
    """Targets that a job did not bring to its end: left out, lost, unknown, not started."""
    view = face.deck.record.job(job)
    following.say_wrong(face, view, face.deck.record.wrong(view))
    out_of_plan = view.plan.draft.left_out
    rows: list[tuple[object, ...]] = []
    for name in view.left:
        target = view.targets.get(name)
        if target is None:
            rows.append((name, out_of_plan.get(name, ""), "left out"))
        else:
            rows.append((name, target.text, _target(target)[1]))
    face.rows(Rows(("target", "why", "outcome"), tuple(rows), spare=("why",)), form)
    return int(ExitCode.SOME_FAILED if rows else ExitCode.OK)
