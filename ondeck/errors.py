"""Every error that may cross a room's door, and the exit code it means.

OndeckError
├── BadInput              2  the request, a file or a flag is wrong; nothing was done
│   └── NoMatch           2  a selector named nothing
├── Refused               4  a rule of the inventory or of the bastion says no
│   └── NeedsPerson       4  a person has to confirm, approve or answer
├── PlanStale             7  the world changed since the plan was made
├── Unreachable           6  it could not even start
│   ├── HostKeyUnknown    6  never seen: enrol with `ondeck trust`
│   ├── HostKeyChanged    6  seen with another key: stop
│   └── AuthFailed        6  the host said no to who we are
├── LinkLost              5  it had started; what became of it is not known
├── RemoteFailed          1  it ran and said no
├── Missing               1  a tool, file or capability is not there
└── StateBroken           1  our own state cannot be read or written
"""

from __future__ import annotations

from enum import IntEnum, StrEnum


class ExitCode(IntEnum):
    """What the command line ends with; the table stands in the README."""

    OK = 0
    FAILED = 1
    BAD_INPUT = 2
    SOME_FAILED = 3
    REFUSED = 4
    UNKNOWN = 5
    UNREACHABLE = 6
    STALE = 7
    CHANGES_PENDING = 10
    CANCELLED = 20
    DETACHED = 130


class Reason(StrEnum):
    """Why a target could not be reached: closed, so that faces and runbooks can match on it."""

    DNS = "name not found"
    TIMEOUT = "timed out"
    REFUSED = "connection refused"
    RESET = "connection reset"
    HOST_KEY_UNKNOWN = "host key unknown"
    HOST_KEY_CHANGED = "HOST KEY CHANGED"
    AUTH = "login refused"
    SESSIONS = "too many sessions"
    BECOME = "sudo needs a password"
    CREDENTIALS = "credentials ended"
    JUMP = "jump host not reached"
    OTHER = "not reachable"


class OndeckError(Exception):
    """What went wrong, where, and what to do about it.

    Attributes:
        message: One line, safe to show, no trailing full stop.
        hint: What the reader can do next; empty when there is nothing useful to say.
        where: File:line:column, host or job that it concerns; empty when the message says it.
    """

    exit_code = ExitCode.FAILED

    def __init__(self, message: str, *, hint: str = "", where: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.where = where

    def __str__(self) -> str:
        head = f"{self.where}: {self.message}" if self.where else self.message
        return "\n  ".join((head, *self.hint.splitlines()))


class BadInput(OndeckError):
    """The request, a file or a flag is wrong; nothing was done."""

    exit_code = ExitCode.BAD_INPUT


class NoMatch(BadInput):
    """A selector or a name that must name something named nothing."""


class Refused(OndeckError):
    """A rule says no; the message names the rule and where it is written."""

    exit_code = ExitCode.REFUSED


class NeedsPerson(Refused):
    """A person has to confirm, approve or answer before it can go on."""


class PlanStale(OndeckError):
    """A precondition of the plan no longer holds; the message names it, before and now."""

    exit_code = ExitCode.STALE


class Unreachable(OndeckError):
    """The target could not be reached: nothing was started on it."""

    exit_code = ExitCode.UNREACHABLE
    reason = Reason.OTHER

    def __init__(
        self, message: str, *, reason: Reason | None = None, hint: str = "", where: str = ""
    ) -> None:
        super().__init__(message, hint=hint, where=where)
        if reason is not None:
            self.reason = reason


class HostKeyUnknown(Unreachable):
    """The host has no key in any known_hosts file that we read."""

    reason = Reason.HOST_KEY_UNKNOWN


class HostKeyChanged(Unreachable):
    """The host offers another key than the recorded one; no login was tried."""

    reason = Reason.HOST_KEY_CHANGED


class AuthFailed(Unreachable):
    """The host answered and refused every credential that we have."""

    reason = Reason.AUTH


class LinkLost(OndeckError):
    """The connection ended while something was running: its outcome is not known."""

    exit_code = ExitCode.UNKNOWN


class RemoteFailed(OndeckError):
    """It ran and ended with a status that means failure."""


class Missing(OndeckError):
    """A tool, file or capability that is needed is not there; the hint says how to get it."""


class StateBroken(OndeckError):
    """Our own state cannot be read or written; the message names the file."""
