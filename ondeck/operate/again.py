"""Going on with a job that has ended: what was said when it began covers the same person within the plan's hour."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from ondeck.errors import OndeckError, Refused
from ondeck.job.consent import Consent, Given
from ondeck.job.plan import PLAN_SECONDS, Plan
from ondeck.operate import guard, policy
from ondeck.operate.asker import asker

if TYPE_CHECKING:
    from ondeck.deck import Deck
    from ondeck.job.events import Ask
    from ondeck.operate.guard import Ruling
    from ondeck.record.jobfolder import JobFolder


class Again(msgspec.Struct, frozen=True, kw_only=True):
    """A fresh consent is needed before a job that has ended goes on.

    Attributes:
        why: What the consent that it was started with does not cover.
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
    """What a person has to say before this job, which has ended, goes on; None when nothing more.

    Raises:
        BadInput: There is no such job.
        Refused: The floor cannot be read.
        StateBroken: It cannot be read.
    """
    from ondeck.operate import road

    at = deck.record.folder(job)
    plan, given, who = at.view().plan, at.read_given(), who or deck.settings.actor
    why = not_covered(given, plan, who=who, rules=_rules(deck, plan))
    return Again(why=why, ruling=road.judge(deck, plan, actor=who)) if why else None


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
    return msgspec.structs.replace(ask, given=given)


def taken_over(given: Given, plan: Plan, ask: Ask, *, who: str, rules: str) -> Given:
    """The consent that counts for a worker that goes on, checked by who acts.

    Raises:
        Refused: A fresh one is needed and is not there, or is for something else.
    """
    why = not_covered(given, plan, who=who, rules=rules)
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
