"""The gate behind a batch: the health of all of it asked again, as often as the service says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from ondeck.errors import OndeckError
from ondeck.inventory.model import Service
from ondeck.job.finding import Gate
from ondeck.job.plan import Plan
from ondeck.observe.health import Verdict, declared
from ondeck.operate.deploys.state import why
from ondeck.operate.deploys.survey import unread_signals

Ask = Callable[[str, float], Awaitable[Verdict]]
"""Waits at most so many seconds for the health of a target."""


async def gate_of(
    plan: Plan, service: Service, targets: tuple[str, ...], ask: Ask, *, own: bool = False
) -> Gate:
    """What the gate says; signals are said as not read.

    Args:
        plan: Whose gate it is.
        service: With its health check.
        targets: The batch.
        ask: Asks one of them.
        own: The provider knows of health even where the service declares none.
    """
    found = await _health(plan, service, targets, ask, own)
    unread = unread_signals(service)
    if not unread or not plan.draft.rollout.gate:
        return found
    return msgspec.structs.replace(found, evidence=f"{found.evidence}; {unread}")


async def _health(plan: Plan, service: Service, targets: tuple[str, ...], ask: Ask, own: bool) -> Gate:
    check = service.health
    if not own and (check is None or not declared(check)):
        return Gate(passed=True, evidence="no health check is declared: nothing was looked at")
    if not plan.draft.rollout.gate:
        return Gate(passed=True, evidence="this operation has no gate")
    within = check.times * (check.every + check.timeout) if check is not None else 0.0

    async def one(target: str) -> tuple[bool | None, str]:
        try:
            verdict = await ask(target, within)
        except (OndeckError, TimeoutError) as error:
            return None, f"{target}: could not ask: {why(error)}"
        return verdict.ok, f"{target}: {verdict.text}"

    answers = await asyncio.gather(*(one(target) for target in targets))
    bad = [text for ok, text in answers if ok is False]
    unknown = [text for ok, text in answers if ok is None]
    if bad or unknown:
        return Gate(passed=False if bad else None, evidence="; ".join((bad or unknown)[:5]))
    times = f", {check.times}x in a row" if check is not None and declared(check) else ""
    return Gate(passed=True, evidence=f"{len(answers)} healthy{times}")
