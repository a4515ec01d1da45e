"""How a job stands and how it ended: closed sets of words."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class JobState(StrEnum):
    """Where a job is on its way."""

    QUEUED = "queued"
    WAITING = "waiting"
    RUNNING = "running"
    PAUSED = "paused"
    ENDED = "ended"


class WaitingFor(StrEnum):
    """What a waiting job waits for."""

    LOCK = "lock"
    CREDENTIALS = "credentials"


class Outcome(StrEnum):
    """How it ended for one target; a job may also be mixed."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"
    UNREACHABLE = "unreachable"
    UNKNOWN = "unknown"
    NOT_STARTED = "not_started"
    MIXED = "mixed"

    @property
    def counts_as_failure(self) -> bool:
        """Failed, unreachable, timed out and unknown all count against `max_failures`."""
        return self in (Outcome.FAILED, Outcome.TIMED_OUT, Outcome.UNREACHABLE, Outcome.UNKNOWN)


def of_job(outcomes: Iterable[Outcome]) -> Outcome:
    """The outcome of a job from those of its targets.

    Unknown anywhere makes the job unknown, because somebody has to look. Skipped targets count for
    nothing. A job of no target was not started.
    """
    kinds = {outcome for outcome in outcomes if outcome is not Outcome.SKIPPED}
    if not kinds:
        return Outcome.NOT_STARTED
    if Outcome.UNKNOWN in kinds:
        return Outcome.UNKNOWN
    return kinds.pop() if len(kinds) == 1 else Outcome.MIXED
