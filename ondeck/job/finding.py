"""One try on one target: what it is called, how it ended, and what the gate behind a batch says."""

from __future__ import annotations

import msgspec

from ondeck.job.outcome import Outcome


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """How an attempt ended, or what was found out about one later.

    Attributes:
        outcome: SUCCEEDED only on an observed exit status 0 or the API's own success.
        evidence: What was seen: `exit 0`, `release link -> 2.14.0, boot id same`.
        status: Exit status, when there was one.
        still_running: Reconcile found it alive: outcome is UNKNOWN for now.
    """

    outcome: Outcome
    evidence: str
    status: int | None = None
    still_running: bool = False


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """What the gate after a batch says; `passed=None` means no data, which pauses."""

    passed: bool | None
    evidence: str


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One try on one target: the id is the claim on the host, unique for ever.

    Attributes:
        id: `JOB-TARGET-N`, only `[A-Za-z0-9._-]`; opaque, because a target's name may be shortened in it.
        job: The job it belongs to.
    """

    id: str
    job: str
    target: str
