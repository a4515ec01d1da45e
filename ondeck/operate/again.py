"""Going on with a job that has ended or stands, and whether that needs a fresh word.

What was said when a job began covers that the same person goes on with its rest within the plan's hour. It
never covers what happened since: a job that stands for failures, an unknown or a gate needs a word of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from ondeck.errors import OndeckError, Refused
from ondeck.inventory.model import Protection
from ondeck.job.consent import Consent, Given
from ondeck.job.outcome import JobState
from ondeck.job.plan import PLAN_SECONDS, Plan
from ondeck.operate import guard, policy
from ondeck.operate.asker import asker

if TYPE_CHECKING:
    from ondeck.deck import Deck
    from ondeck.inventory.model import Inventory
    from ondeck.job.events import Ask
    from ondeck.operate.guard import Ruling
    from ondeck.record.jobfolder import JobFolder
    from ondeck.record.store import Record
    from ondeck.record.view import JobView
    from ondeck.registry import Registry


_NAMED = 4  # targets that a line names before it counts the rest


class Again(msgspec.Struct, frozen=True, kw_only=True):
    """A fresh consent is needed before a job goes on.

    Attributes:
        why: What the consent that it was started with does not cover; of a job that stands, what happened.
        ruling: What the rules ask for now.
    """

    why: str
    ruling: Ruling


def not_covered(given: Given, plan: Plan, *, who: str, rules: str) -> str:
    """Why a consent does not cover that the job goes on now; empty when it does.

    Args:
        given: What the job was started with.
        plan: Of the job.
        who: Asks to go on.
        rules: Digest of the rules that hold now.
    """
    found = []
    if who != given.actor:
        found.append(f"it was {given.actor} who started it")
    hours = (time.time_ns() - plan.made) / 1e9 / PLAN_SECONDS
    if not 0 <= hours <= 1:
        found.append(f"its plan is {_old(hours)} old")
    if rules != given.policy:
        found.append("the rules changed since")
    return ", ".join(found)


def _old(hours: float) -> str:
    return f"{hours:.0f} h" if abs(hours) < 48 else f"{hours / 24:.0f} days"


def needed(deck: Deck, job: str, who: str = "") -> Again | None:
    """What a person has to say before this job, which has ended or stands, goes on; None when nothing more.

    Raises:
        BadInput: There is no such job.
        Refused: The floor cannot be read.
        StateBroken: It cannot be read.
    """
    from ondeck.operate import road

    at = deck.record.folder(job)
    view, given, who = at.view(), at.read_given(), who or deck.settings.actor
    plan = view.plan
    ruling = road.judge(deck, plan, actor=who)
    if view.state is JobState.PAUSED and not view.paused_by:
        why = standing(view)
    else:
        why = not_covered(given, plan, who=who, rules=_rules(deck, plan))
    if view.over:
        why = ", ".join(filter(None, (why, happened(view))))
    if ruling.refused:
        why = why or "the rules say no by now"
    return Again(why=why, ruling=ruling) if why else None


def happened(view: JobView) -> str:
    """What went wrong in a job that has ended and nobody went on after yet; empty when nothing did."""
    said = list(view.unanswered.values())
    more = f" and {len(said) - _NAMED} more" if len(said) > _NAMED else ""
    return f"{', '.join(said[:_NAMED])}{more}"


def standing(view: JobView) -> str:
    """Why a job stands, which targets are to blame for it, and on how many it would go on; in one line."""
    bad = [
        f"{name} {row.outcome.value.replace('_', ' ')}"
        for name, row in view.targets.items()
        if row.outcome is not None and row.outcome.counts_as_failure
    ]
    more = f" and {len(bad) - _NAMED} more" if len(bad) > _NAMED else ""
    blame = f" ({', '.join(bad[:_NAMED])}{more})" if bad else ""
    rest = [name for name, row in view.targets.items() if row.outcome is None]
    goes = f"would go on to {len(rest)} target{'s' * (len(rest) != 1)}" if rest else "no target is left"
    return f"{goes}: {view.pause}{blame}"


def unsaid(deck: Deck, view: JobView, ask: Ask, who: str) -> str:
    """Why a request is not enough for a job that stands to go on, checked by who acts; empty when it is."""
    from ondeck.operate import road

    if ask.pause and ask.pause != view.paused_at:
        return "it stands for something else by now: look again"
    ruling = road.judge(deck, view.plan, actor=who)
    said = ask.given
    try:
        if ruling.refused:
            raise Refused(ruling.refused)
        rules = _rules(deck, view.plan)
        started = deck.record.folder(view.id).read_given()
        covered = view.paused_by and not not_covered(started, view.plan, who=who, rules=rules)
        if covered or ruling.level is Protection.NONE:
            return ""
        guard.admit(ruling, said.consent if said is not None else Consent())
    except OndeckError as error:
        return f"{error.message}: ondeck continue {view.id}"
    fits = said is not None and (said.plan, said.actor, said.policy) == (view.digest, who, rules)
    return "" if fits and ask.pause else "the consent is for something else: look again"


def checker(
    inventory: Inventory, registry: Registry, record: Record, view: JobView
) -> Callable[[Ask, str], str]:
    """`unsaid` for a worker, which has no deck; the view is the one it goes on folding into."""
    from ondeck.deck import Deck

    deck = Deck(inventory=inventory, registry=registry, record=record, settings=record.settings)
    return partial(unsaid, deck, view)


def _rules(deck: Deck, plan: Plan) -> str:
    return policy.digest(deck.inventory, policy.floor_of(deck.settings), plan.request.env)


def agreed(deck: Deck, at: JobFolder, ask: Ask, consent: Consent | None) -> Ask:
    """The request to go on, with the fresh consent in it where one is needed.

    Raises:
        Refused: A rule says no. Audited.
        NeedsPerson: The consent is less than the rules ask for now. Audited.
        StateBroken: The audit cannot be written.
    """
    who = ask.by or deck.settings.actor
    again = needed(deck, at.id, who)
    if again is None:
        return ask
    view, said = at.view(), consent or Consent(reason=ask.reason)
    if view.paused_at and ask.pause not in (0, view.paused_at):
        raise Refused("it stands for something else by now", hint="look again")
    try:
        decision = guard.admit(again.ruling, said)
    except OndeckError as error:
        _refused(deck, view.plan, ask, error)
        raise type(error)(f"{again.why}: {error.message}", hint=error.hint) from error
    given = Given(
        plan=view.digest,
        policy=_rules(deck, view.plan),
        actor=who,
        consent=said,
        decision=decision,
        made=time.time_ns(),
        **asker(),
    )
    return msgspec.structs.replace(ask, given=given, pause=view.paused_at)


def taken_over(given: Given, view: JobView, ask: Ask, *, who: str, rules: str) -> Given:
    """The consent that counts for a worker that goes on with an ended job, checked by who acts.

    Raises:
        Refused: A fresh one is needed and is not there, or is for something else.
    """
    why = ", ".join(filter(None, (not_covered(given, view.plan, who=who, rules=rules), happened(view))))
    if not why:
        return given
    fresh = ask.given
    if fresh is None or fresh.plan != given.plan or fresh.actor != who:
        raise Refused(f"{why}: that it goes on needs a fresh consent")
    return fresh


def _refused(deck: Deck, plan: Plan, ask: Ask, error: OndeckError) -> None:
    request = plan.request
    deck.record.audit.append(
        "refused",
        actor=ask.by or deck.settings.actor,
        **asker(),
        operation=request.operation,
        subject=request.subject,
        env=request.env,
        reason=ask.reason,
        text=f"to go on: {error.message}",
    )
