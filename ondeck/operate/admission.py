"""What a worker checks before its first change: the bytes it was given, and the rules as they are now."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ondeck.errors import Refused
from ondeck.job.plan import is_sealed
from ondeck.operate import guard, policy
from ondeck.operate.risk import risk_of
from ondeck.record.folder import read_private

if TYPE_CHECKING:
    from ondeck.inventory.model import Inventory
    from ondeck.job.consent import Given
    from ondeck.job.events import Ended
    from ondeck.job.plan import Plan
    from ondeck.job.spec import Risk
    from ondeck.record.jobfolder import JobFolder
    from ondeck.record.view import JobView
    from ondeck.registry import Registry
    from ondeck.settings import Settings


class Stopped(Exception):
    """The job ends before its first change."""

    def __init__(self, why: Ended, summary: str) -> None:
        super().__init__(summary)
        self.why = why
        self.summary = summary


def tampered(at: JobFolder, view: JobView, given: Given, inventory_digest: str) -> str:
    """What of a job's folder is not what was confirmed; empty when all of it is.

    Raises:
        StateBroken: The plan cannot be read.
    """
    if view.digest != given.plan:
        return "the stored plan is not the one that was confirmed"
    if not is_sealed(read_private(at.plan)):
        return "the stored plan is not the one that its id was given for"
    if inventory_digest != view.plan.inventory:
        return "the stored inventory is not the one that the plan was made from"
    return ""


def admitted(plan: Plan, given: Given, inventory: Inventory, registry: Registry, settings: Settings) -> Risk:
    """Hold a plan and what was said of it to the rules of now, as the face did; the risk of the plan.

    Raises:
        OndeckError: A rule says no, the consent is less than the rules ask for, or they changed.
    """
    env = plan.request.env
    floor = policy.floor_of(settings)
    if policy.digest(inventory, floor, env) != given.policy:
        raise Refused("the rules changed since it was confirmed")
    risk = risk_of(registry, inventory, plan)
    ruling = guard.judge(
        policy.rules_of(inventory, floor, env),
        plan,
        risk=risk,
        person=guard.person_of(inventory, given.actor),
        now=datetime.now(UTC),
        read_only=settings.read_only,
        size=guard.service_size(inventory, plan.request.subject, plan.targets),
    )
    guard.admit(ruling, given.consent)
    return risk
