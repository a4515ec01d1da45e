"""Verbs that are no operation and still leave something behind (`mark`, `trust`, `with-lock`, `lock break`)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ondeck.errors import Refused
from ondeck.job.plan import Request
from ondeck.job.spec import OperationSpec
from ondeck.operate import guard, policy
from ondeck.operate.asker import asker
from ondeck.operate.policy import Rules

if TYPE_CHECKING:
    from ondeck.deck import Deck


def allow(deck: Deck, verb: str, env: str, *, subject: str = "", reason: str = "") -> None:
    """Hold a verb to the rules of an environment; one that the inventory does not know has the floor's alone.

    Raises:
        Refused: A rule says no. Audited.
        StateBroken: The refusal cannot be audited.
    """
    try:
        floor = policy.floor_of(deck.settings)
        known = env in deck.inventory.environments
        bare = Rules(env=env, zone=deck.inventory.zone, read_only=floor.read_only)
        guard.allows(
            policy.rules_of(deck.inventory, floor, env) if known else bare,
            verb,
            subject=subject,
            person=guard.person_of(deck.inventory, deck.settings.actor),
            now=datetime.now(UTC),
            read_only=deck.settings.read_only,
        )
    except Refused as error:
        _audit(deck, "refused", verb, env, subject, reason, error.message)
        raise


def planning(deck: Deck, spec: OperationSpec, request: Request) -> None:
    """Before a plan is made that leaves something behind: hold it to the rules, and record that it is about to be.

    Raises:
        Refused: A rule says no. Audited.
        StateBroken: The audit cannot be written: it must not happen.
    """
    said = (spec.name, request.env, request.subject, request.reason)
    try:
        guard.may_plan(
            policy.rules_of(deck.inventory, policy.floor_of(deck.settings), request.env),
            spec.name,
            spec.verb,
            subject=request.subject,
            person=guard.person_of(deck.inventory, deck.settings.actor),
            now=datetime.now(UTC),
            read_only=deck.settings.read_only,
        )
    except Refused as error:
        _audit(deck, "refused", *said, error.message)
        raise
    _audit(deck, "planned", *said, f"making the plan makes {spec.planning_writes}")


def done(deck: Deck, verb: str, env: str, *, subject: str, reason: str = "", text: str = "") -> None:
    """Record that it is about to happen.

    Raises:
        StateBroken: The audit cannot be written: it must not happen.
    """
    _audit(deck, verb, verb, env, subject, reason, text)


def _audit(deck: Deck, phase: str, verb: str, env: str, subject: str, reason: str, text: str) -> None:
    deck.record.audit.append(
        phase,
        actor=deck.settings.actor,
        **asker(),
        operation=verb,
        subject=subject,
        env=env,
        reason=reason,
        text=text,
    )
