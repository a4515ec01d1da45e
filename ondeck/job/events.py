"""What a job's log holds: one frozen record for everything that happened, in order, written by one worker."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from ondeck.job.consent import Given
from ondeck.job.outcome import Outcome, WaitingFor


class Happened(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", omit_defaults=True):
    """Base of every event.

    Attributes:
        at: Nanoseconds since 1970, UTC; 0 until the journal stamps it.
    """

    at: int = 0


class Mode(StrEnum):
    """What a worker was started for."""

    RUN = "run"
    RESUME = "resume"
    RECONCILE = "reconcile"


class Ended(StrEnum):
    """Why a job ended, besides its outcome."""

    COMPLETE = "complete"
    CANCELLED = "cancelled"
    STALE = "stale"
    REFUSED = "refused"
    LOCKED = "locked"
    STOPPED = "stopped"
    BROKEN = "broken"


class JobStarted(Happened, frozen=True, kw_only=True, tag="job-started"):
    """A worker became the one writer of this job."""

    mode: Mode
    pid: int
    boot: str = ""


class Waiting(Happened, frozen=True, kw_only=True, tag="waiting"):
    """It goes on when something outside happens."""

    on: WaitingFor
    detail: str


class LockTaken(Happened, frozen=True, kw_only=True, tag="lock-taken"):
    """The lock is ours until the job's outcome is known."""

    key: str


class Opened(Happened, frozen=True, kw_only=True, tag="opened"):
    """Every connection that could be opened is held, every secret is there; nothing has changed yet."""

    ready: int
    left_out: int = 0


class BatchStarted(Happened, frozen=True, kw_only=True, tag="batch-started"):
    """A batch begins; index counts from 0."""

    index: int
    targets: tuple[str, ...]


class AttemptIntended(Happened, frozen=True, kw_only=True, tag="attempt-intended"):
    """On disk before anything is sent: from here on only an answer says what happened."""

    attempt: str
    target: str
    number: int


class AttemptVoid(Happened, frozen=True, kw_only=True, tag="attempt-void"):
    """An intended attempt that provably did not start; its target is to do again."""

    attempt: str
    target: str
    why: str


class Step(Happened, frozen=True, kw_only=True, tag="step"):
    """A line of progress of one target, or of the whole job when target is empty.

    Attributes:
        share: How much of it is done, 0 to 1; None where that is not known.
    """

    target: str
    text: str
    share: float | None = None


class TargetEnded(Happened, frozen=True, kw_only=True, tag="target-ended"):
    """How it ended for a target, with what was seen; attempt is empty when none was made.

    Attributes:
        lost: Bytes of its output that could not be written down.
    """

    target: str
    outcome: Outcome
    evidence: str
    attempt: str = ""
    status: int | None = None
    seconds: float = 0.0
    lost: int = 0


class GateAnswered(Happened, frozen=True, kw_only=True, tag="gate-answered"):
    """What the gate after a batch said; `passed` None means no data."""

    index: int
    passed: bool | None
    evidence: str


class GateAccepted(Happened, frozen=True, kw_only=True, tag="gate-accepted"):
    """A person looked and let the job go on past a gate that did not pass or had no data."""

    index: int
    by: str
    reason: str = ""


class GateSettled(Happened, frozen=True, kw_only=True, tag="gate-settled"):
    """A person said by hand, and with a reason, what a gate without data would have said."""

    index: int
    passed: bool
    reason: str
    by: str


class Paused(Happened, frozen=True, kw_only=True, tag="paused"):
    """It stands until somebody says how to go on; `choices` are words of `Ask.what`.

    Attributes:
        by: Who paused it by hand; empty when it stands for what happened.
    """

    why: str
    choices: tuple[str, ...] = ("continue", "cancel")
    by: str = ""


class Continued(Happened, frozen=True, kw_only=True, tag="continued"):
    """It goes on after a pause or a wait."""

    why: str


class Asked(Happened, frozen=True, kw_only=True, tag="asked"):
    """A request of a person was taken in; `ask` is the id of the request file."""

    ask: str
    what: str
    by: str
    reason: str = ""
    target: str = ""
    refused: str = ""


class Resumed(Happened, frozen=True, kw_only=True, tag="resumed"):
    """A job that had ended goes on, and whose word it is that it does."""

    by: str
    decision: str
    reason: str = ""


class Reconciled(Happened, frozen=True, kw_only=True, tag="reconciled"):
    """What was found out about an attempt whose outcome was unknown."""

    attempt: str
    target: str
    outcome: Outcome
    evidence: str
    status: int | None = None
    still_running: bool = False


class Settled(Happened, frozen=True, kw_only=True, tag="settled"):
    """A person said how it ended for a target, by hand and with a reason."""

    target: str
    outcome: Outcome
    reason: str
    by: str


class Remembered(Happened, frozen=True, kw_only=True, tag="remembered"):
    """A fact to keep between jobs, e.g. `last-good checkout@prod`."""

    key: str
    value: str


class Note(Happened, frozen=True, kw_only=True, tag="note"):
    """Something worth telling that changes no state."""

    text: str


class LogShort(Happened, frozen=True, kw_only=True, tag="log-short"):
    """The log did not hold what the audit knows of: what it does not tell may have happened all the same."""

    text: str


class JobEnded(Happened, frozen=True, kw_only=True, tag="job-ended"):
    """The last record of a worker that ended in order."""

    outcome: Outcome
    why: Ended = Ended.COMPLETE
    summary: str = ""


Event = (
    JobStarted
    | Waiting
    | LockTaken
    | Opened
    | BatchStarted
    | AttemptIntended
    | AttemptVoid
    | Step
    | TargetEnded
    | GateAnswered
    | GateAccepted
    | GateSettled
    | Paused
    | Continued
    | Asked
    | Resumed
    | Reconciled
    | Settled
    | Remembered
    | Note
    | LogShort
    | JobEnded
)

# What must be on disk before the worker goes on: intents, outcomes, the lock, gates, answers and the end.
DURABLE = (
    JobStarted,
    LockTaken,
    AttemptIntended,
    AttemptVoid,
    TargetEnded,
    GateAnswered,
    GateAccepted,
    GateSettled,
    Paused,
    Asked,
    Resumed,
    Reconciled,
    Settled,
    Remembered,
    LogShort,
    JobEnded,
)

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Event)


def encode(event: Event) -> bytes:
    """One line of JSON without the newline."""
    return _encoder.encode(event)


def decode(data: bytes) -> Event:
    """Read an event back.

    Raises:
        msgspec.DecodeError: These bytes are no event that this version knows.
    """
    event: Event = _decoder.decode(data)
    return event


class What(StrEnum):
    """What a person can ask of a job."""

    CANCEL = "cancel"
    PAUSE = "pause"
    CONTINUE = "continue"
    SETTLE = "settle"
    RECONCILE = "reconcile"
    CREDENTIALS = "credentials"


class Ask(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A request to a job, left as a file in its folder; the file's owner is who asked.

    Attributes:
        hard: Of a cancel: stop what is in flight too.
        target: Of a settle; empty means the last gate.
        outcome: Of a settle: how it ended for the target; of a gate `succeeded` or `failed`.
        given: Of a continue: the fresh consent, where one is needed.
        pause: Of a continue of a job that stands: when the pause that was looked at began, in ns.
        env: Of credentials: environment that is lent, only `SSH_AUTH_SOCK`.
    """

    what: What
    by: str = ""
    reason: str = ""
    hard: bool = False
    target: str = ""
    outcome: Outcome | None = None
    given: Given | None = None
    pause: int = 0
    env: dict[str, str] = {}
