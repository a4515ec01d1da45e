"""Finding out what became of a job whose worker is gone, and going on from there; as a face asks for it."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from ondeck.errors import BadInput, PlanStale, Refused
from ondeck.job.events import Ask, Asked, Mode, What
from ondeck.job.outcome import Outcome, WaitingFor
from ondeck.operate import again, launch, seal
from ondeck.operate.notify import route_of
from ondeck.operate.secrets import resolve
from ondeck.record import folder
from ondeck.record.journal import Tail
from ondeck.record.view import doubtful, not_open

if TYPE_CHECKING:
    from ondeck.deck import Deck
    from ondeck.job.consent import Consent
    from ondeck.record.jobfolder import JobFolder
    from ondeck.record.view import JobView

GONE_SECONDS = 30.0
ANSWER_SECONDS = 10.0
AGENT = "SSH_AUTH_SOCK"
"""The one variable that is lent: where the agent of a terminal listens."""


def tend(deck: Deck, job: str, ask: Ask, consent: Consent | None = None) -> str:
    """Ask something of a job, whether a worker lives or not; the id of the request.

    A living worker takes it, as it is meant (`as_meant`); that it goes on after it stood for what happened may
    need a fresh consent, see `again.needed`. For a job that is over, `reconcile` and `settle`
    start a worker that finds out and ends again, and `continue` starts one that goes on with what was not
    begun; that may need a fresh consent, see `again.needed`.

    Raises:
        BadInput: There is no such job, or the request lacks something.
        Refused: It makes no sense for this job, or a rule says no.
        NeedsPerson: To go on needs a fresh consent, and this is less than the rules ask for.
        StateBroken: It cannot be written.
    """
    at = deck.record.folder(job)
    ask = as_meant(deck, job, ask)
    _check_settling(job, ask)
    if at.is_alive():
        if not at.view().over:
            if ask.what is What.CONTINUE:
                ask = again.agreed(deck, at, ask, consent)
            return deck.record.ask(job, ask)
        _wait_until_gone(deck, at)
    view = at.view()
    short = deck.record.shortfall(view)
    match ask.what:
        case What.RECONCILE if short:
            raise _cannot_tell(view, short)
        case What.RECONCILE | What.SETTLE:
            if not view.unsettled and not view.lost and not (short and ask.what is What.SETTLE):
                raise Refused(f"nothing about job {at.id} is in doubt")
            mode = Mode.RECONCILE
        case What.CONTINUE:
            may_continue(deck, at.id, short)
            ask = again.agreed(deck, at, ask, consent)
            mode = Mode.RESUME
        case _:
            raise Refused(f"job {at.id} is over: {view.summary}", hint=_still_possible(view))
    if ask.what is What.SETTLE and (row := view.targets.get(ask.target)) is not None and row.still_running:
        raise Refused(
            f"{ask.target} was seen running: {row.text}",
            hint=f"stop it there or wait, then: ondeck reconcile {at.id}",
        )
    if ask.what is What.SETTLE and (said := not_open(view, ask.target, short=bool(short))):
        raise Refused(f"{ask.target or 'the last gate'} of job {at.id} cannot be settled: {said}")
    name = at.ask(ask)
    found = resolve(deck, view.plan.draft.secrets)
    route = route_of(deck, view.plan.request.env)
    launch.spawn(at, deck.settings, mode, found, deck.manifests, route)
    return name


def answered(deck: Deck, job: str, name: str) -> bool:
    """Wait until a worker took a request in; False when none did within a few seconds.

    Raises:
        BadInput: There is no such job.
        Refused: The worker refused it, or ended without taking it.
        StateBroken: The job cannot be read.
    """
    at = deck.record.folder(job)
    tail, until = Tail(at.events), time.monotonic() + deck.settings.seconds(ANSWER_SECONDS)
    while True:
        # First who lives, then what is written: what a worker took before it ended stands there.
        alive, late = at.is_alive(), time.monotonic() > until
        for event in tail.read():
            if isinstance(event, Asked) and event.ask == name:
                if event.refused:
                    raise Refused(f"job {at.id} did not take it: {event.refused}")
                return True
        if not alive:
            raise Refused(f"job {at.id} ended without taking it: {at.view().summary}")
        if late:
            return False
        time.sleep(0.02)


def _check_settling(job: str, ask: Ask) -> None:
    if ask.what is not What.SETTLE:
        return
    if not ask.reason.strip() or ask.outcome is None:
        raise BadInput(
            "settling needs a target, an outcome and a reason",
            hint=f"ondeck settle {job} TARGET OUTCOME --reason WHY",
        )
    if not ask.target and ask.outcome not in (Outcome.SUCCEEDED, Outcome.FAILED):
        raise BadInput(
            "a gate is settled as passed or failed", hint=f"ondeck settle {job} --gate passed --reason WHY"
        )


def as_meant(deck: Deck, job: str, ask: Ask) -> Ask:
    """What a request comes to: to let a job go on that waits for credentials is to lend it this terminal's agent.

    Raises:
        BadInput: There is no such job.
        StateBroken: It cannot be read.
    """
    if ask.what is not What.CONTINUE:
        return ask
    return lending(deck, job, by=ask.by, reason=ask.reason) or ask


def lending(deck: Deck, job: str, *, by: str, reason: str = "") -> Ask | None:
    """What lends the agent of this terminal to a job; None when it waits for none, or there is no agent here.

    Raises:
        BadInput: There is no such job.
        StateBroken: It cannot be read.
    """
    socket = os.environ.get(AGENT, "")
    view = deck.record.job(job)
    if not socket or view.over or view.waiting_for is not WaitingFor.CREDENTIALS:
        return None
    return Ask(what=What.CREDENTIALS, by=by, reason=reason, env={AGENT: socket})


def _wait_until_gone(deck: Deck, at: JobFolder) -> None:
    """Its worker said its last word and takes nothing any more: the next one can, once it is gone."""
    until = time.monotonic() + deck.settings.seconds(GONE_SECONDS)
    while at.is_alive():
        if time.monotonic() > until:
            raise Refused(
                f"the worker of job {at.id} has ended the job and does not go away", hint="ask again"
            )
        time.sleep(0.02)


def _still_possible(view: JobView) -> str:
    if view.doubts:
        return f"find out what became of it ({', '.join(view.doubts[:5])}): ondeck reconcile {view.id}"
    if todo(view):
        return f"do what is left of it: ondeck continue {view.id}"
    return "a new operation takes it back; see: ondeck jobs"


def todo(view: JobView) -> tuple[str, ...]:
    """Targets that a continued job would begin with."""
    again = (Outcome.NOT_STARTED, Outcome.CANCELLED)
    return tuple(name for name, row in view.targets.items() if row.outcome in again)


def _cannot_tell(view: JobView, short: str) -> Refused:
    target = next(iter(doubtful(view)), "TARGET")
    return Refused(
        f"job {view.id}: {short}",
        hint="look at its hosts and say for each target what you saw: "
        f"ondeck settle {view.id} {target} OUTCOME --reason WHY",
    )


def may_continue(deck: Deck, job: str, short: str = "") -> None:
    """Whether a job that has ended may go on at all.

    Args:
        deck: Where we stand.
        job: Its id.
        short: What its log lacks by the audit; empty when nothing.

    Raises:
        PlanStale: Its log is damaged, or the inventory changed in what it stands on.
        Refused: Something of it is in doubt, nothing is left to do, or a rule says no.
    """
    from ondeck.operate import road

    view = deck.record.job(job)
    if short and doubtful(view):
        raise _cannot_tell(view, short)
    if view.in_doubt:
        names = ", ".join(view.in_doubt[:5])
        raise Refused(f"find out first what became of {names}", hint=f"ondeck reconcile {job}")
    if not todo(view):
        hint = f"ondeck reconcile {job}" if view.doubts else "see: ondeck jobs"
        raise Refused(f"nothing of job {job} is left to do: {view.summary}", hint=hint)
    ruling = road.judge(deck, view.plan)
    if ruling.refused:
        raise Refused(ruling.refused, hint="\n".join(ruling.why))
    seal.check(view.plan, folder.read_private(deck.record.folder(job).inventory), deck.inventory)
    if view.damaged >= 0:
        raise PlanStale(f"the log of job {job} is damaged at record {view.damaged}; it cannot go on")


def reconcile(deck: Deck, job: str, *, reason: str = "") -> str:
    """Ask every target in doubt what became of it; never does anything again by itself."""
    return tend(deck, job, Ask(what=What.RECONCILE, by=deck.settings.actor, reason=reason))


def settle(deck: Deck, job: str, target: str, outcome: Outcome, reason: str) -> str:
    """Say by hand how it ended for a target in doubt, or for the last gate where target is empty. Audited."""
    return tend(
        deck,
        job,
        Ask(what=What.SETTLE, by=deck.settings.actor, target=target, outcome=outcome, reason=reason),
    )
