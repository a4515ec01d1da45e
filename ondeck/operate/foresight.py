"""What our own record says about a change before anybody confirms it: who holds its lock, what was taken back."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from ondeck import times
from ondeck.job.outcome import Outcome
from ondeck.job.plan import Draft, Preflight, Request, switched
from ondeck.job.spec import Risk

if TYPE_CHECKING:
    from ondeck.record.lock import LockView
    from ondeck.record.store import Record
    from ondeck.record.view import JobView

_RECENT = 7 * 86_400 * 10**9  # ns
_JOBS = 200


def with_record(record: Record, request: Request, draft: Draft) -> Draft:
    """The draft with what the record knows of it; waits for files, so it is not for a loop.

    Raises:
        StateBroken: Locks or jobs cannot be read.
    """
    if draft.risk is Risk.READ:
        return draft
    held = tuple(lock_row(lock) for lock in record.locks() if lock.key == draft.lock_key)
    warnings = rolled_back(record.jobs(_JOBS), request, draft)
    if not held and not warnings:
        return draft
    return msgspec.structs.replace(
        draft, preflight=(*held, *draft.preflight), warnings=(*warnings, *draft.warnings)
    )


def lock_row(lock: LockView) -> Preflight:
    """A lock that somebody has, as a line of the checklist."""
    word = "held" if lock.held else "kept in doubt, ondeck reconcile first:"
    note = (
        f"{word} by {lock.actor} since {times.iso(lock.since)}, job {lock.job}: {lock.reason or 'no reason'}"
    )
    return Preflight(name="lock is free", bad=1, note=note)


def rolled_back(jobs: Iterable[JobView], request: Request, draft: Draft) -> tuple[str, ...]:
    """That the release to deploy was left by a rollback in the last week and did not run well since.

    Args:
        jobs: Newest first.
        request: Of the plan.
        draft: Of the plan.
    """
    _, version = switched(request, draft)
    if not version or not request.operation.endswith(".deploy"):
        return ()
    since = time.time_ns() - _RECENT
    for view in jobs:
        other = view.plan.request
        if view.made < since or other.subject != request.subject:
            continue
        before, after = switched(other, view.plan.draft)
        if after == version and view.outcome is Outcome.SUCCEEDED:
            return ()
        if other.operation.endswith(".rollback") and version in before.split(", "):
            why = f": {view.reason}" if view.reason else ""
            ago = times.ago(view.made, time.time_ns())
            return (f"{version} was rolled back {ago} ago by {view.actor}, job {view.id}{why}",)
    return ()
