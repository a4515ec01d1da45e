"""One attempt on one target: intent on disk, the provider's work, the outcome on disk."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Awaitable, Callable

from ondeck.errors import AuthFailed, LinkLost, OndeckError, Reason, Unreachable
from ondeck.job.finding import Finding
from ondeck.job.outcome import Outcome
from ondeck.job.plan import Precondition
from ondeck.text import safe_line

_NOT_ID = re.compile(r"[^A-Za-z0-9._-]")
_TEXT = 2000
Facts = tuple[Precondition, ...]


def attempt_id(job: str, target: str, number: int) -> str:
    """`JOB-TARGET-N`; a target whose name does not fit an id is told apart by a hash."""
    plain = _NOT_ID.sub("_", target)[:80]
    if plain != target:
        plain += "." + hashlib.sha256(target.encode()).hexdigest()[:8]
    return f"{job}-{plain}-{number}"


def short(text: str) -> str:
    """Text of a provider as it may stand in an event."""
    return safe_line(text)[:_TEXT]


def broken(error: Exception) -> str:
    """What a provider raised where nothing better can be made of it; a bug is named with its type."""
    if isinstance(error, OndeckError):
        return short(str(error))
    if isinstance(error, TimeoutError):
        return short(str(error) or "no answer in time")
    return short(f"it broke ({type(error).__name__}: {error})")


class CredentialsEnded(Exception):
    """The target did not begin because our credentials ended."""


def lacks_credentials(error: Unreachable) -> bool:
    """It is we who cannot log in (any more): no fault of the host."""
    return isinstance(error, AuthFailed) or error.reason in (Reason.AUTH, Reason.CREDENTIALS)


async def observed(work: Callable[[], Awaitable[Finding]]) -> Finding:
    """What the provider's work came to. Whatever is not seen to succeed is no success.

    Raises:
        CredentialsEnded: Nothing began, for want of credentials.
        CancelledError: It was cancelled and the provider did not say what it saw then.
    """
    try:
        finding = await work()
    except Unreachable as error:
        if lacks_credentials(error):
            raise CredentialsEnded(short(error.message)) from error
        return Finding(outcome=Outcome.UNREACHABLE, evidence=short(f"{error.reason.value}: {error.message}"))
    except LinkLost as error:
        return Finding(outcome=Outcome.UNKNOWN, evidence=short(error.message))
    except TimeoutError as error:
        return Finding(outcome=Outcome.TIMED_OUT, evidence=short(str(error) or "it did not end in time"))
    except OndeckError as error:
        return Finding(outcome=Outcome.FAILED, evidence=short(error.message))
    except Exception as error:  # noqa: BLE001 - the boundary to a provider: recorded, and never called a failure
        text = f"the provider broke ({type(error).__name__}: {error}), so nobody knows how far it came"
        return Finding(outcome=Outcome.UNKNOWN, evidence=short(text))
    return honest(finding)


async def asked(work: Callable[[], Awaitable[Facts]]) -> Facts | Finding:
    """Preconditions as they are now, or how a target ends whose preconditions cannot be read.

    Nothing was sent to it yet, so it is never unknown; a host that is away counts as a failure.

    Raises:
        CredentialsEnded: It was not asked, for want of credentials; the host is not to blame.
    """
    outcome, said = Outcome.UNREACHABLE, "no answer in time"
    try:
        return await work()
    except Unreachable as error:
        if lacks_credentials(error):
            raise CredentialsEnded(short(error.message)) from error
        said = f"{error.reason.value}: {error.message}"
    except LinkLost as error:
        said = error.message
    except TimeoutError as error:
        said = str(error) or said
    except OndeckError as error:
        outcome, said = Outcome.FAILED, error.message
    except Exception as error:  # noqa: BLE001 - the boundary to a provider: recorded, the target is not begun
        outcome, said = Outcome.NOT_STARTED, f"the provider broke ({type(error).__name__}: {error})"
    text = f"its preconditions cannot be read: {said}; nothing was changed"
    return Finding(outcome=outcome, evidence=short(text))


def honest(finding: Finding) -> Finding:
    """A finding that cannot say success over an exit status that was not 0."""
    if finding.outcome is Outcome.SUCCEEDED and finding.status not in (0, None):
        return Finding(
            outcome=Outcome.FAILED,
            evidence=short(f"exit {finding.status}: {finding.evidence}"),
            status=finding.status,
        )
    if finding.outcome is Outcome.MIXED:
        return Finding(outcome=Outcome.UNKNOWN, evidence=short(finding.evidence), status=finding.status)
    return Finding(
        outcome=finding.outcome,
        evidence=short(finding.evidence),
        status=finding.status,
        still_running=finding.still_running,
    )


class Clock:
    """Durations that a jump of the wall clock cannot bend."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def seconds(self) -> float:
        """Seconds since it was made."""
        return round(time.monotonic() - self._start, 3)
