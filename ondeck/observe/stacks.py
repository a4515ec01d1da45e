"""A stack of infrastructure as code as it is known: its state, who holds it, what is half done."""

from __future__ import annotations

import msgspec


class StackLock(msgspec.Struct, frozen=True, kw_only=True):
    """The lock of a state and what is known of its holder; texts are safe.

    Attributes:
        who: As the tool says it, e.g. `dave@bastion`; empty where it does not.
        since: When it was taken, ns; 0 when that is not told.
        alive: Whether its process lives; None when nobody here can know.
        why: What says so.
        job: The ondeck job that it belongs to; empty when it is none of ours.
        seen: When it was last seen, ns, where only who wants the lock is told of it; 0 means just now.
    """

    id: str
    who: str = ""
    operation: str = ""
    since: int = 0
    alive: bool | None = None
    why: str = ""
    job: str = ""
    seen: int = 0


class StateSeen(msgspec.Struct, frozen=True, kw_only=True):
    """One of the last states.

    Attributes:
        at: When it was first seen, ns; the state itself does not tell when it was written.
        changed: What differs from the one before, in words; empty for the first that was seen.
    """

    serial: int
    at: int
    resources: int
    outputs: int = 0
    changed: str = ""


class StateWaiting(msgspec.Struct, frozen=True, kw_only=True):
    """A state that could not be saved and waits for somebody; at in ns."""

    path: str
    at: int
    serial: int = 0
    differs: str = ""


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """What had changed outside when somebody last looked, at in ns."""

    at: int
    count: int
    addresses: tuple[str, ...] = ()


class StackLook(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is known of a stack; texts are safe.

    Attributes:
        asked: When it was asked, ns.
        error: What could not be asked, whatever else is known; what depends on it is empty, and not none.
        serial: Of its state; 0 with an empty lineage when there is no state yet.
        half_done: Resources that were left half made.
        lock: Who holds it; None means that nobody does where `lock_known`, else that nobody knows.
        lock_known: False where the backend tells of a lock only to who wants it.
        states: Newest first.
        commit: What its ref names now; empty outside git.
        applied: The commit that ondeck applied last; empty when it never did.
        behind: Commits by which that is behind; -1 when not known.
        fetched: When the repository was last fetched, ns; 0 when never, or where the ref is no remote's.
        warnings: What makes it less than pinned.
    """

    stack: str
    env: str
    asked: int
    error: str = ""
    serial: int = 0
    lineage: str = ""
    resources: int = 0
    outputs: int = 0
    half_done: tuple[str, ...] = ()
    workspace: str = ""
    backend: str = ""
    program: str = ""
    lock: StackLock | None = None
    lock_known: bool = False
    states: tuple[StateSeen, ...] = ()
    waiting: tuple[StateWaiting, ...] = ()
    drift: Drift | None = None
    ref: str = ""
    commit: str = ""
    subject: str = ""
    applied: str = ""
    behind: int = -1
    fetched: int = 0
    warnings: tuple[str, ...] = ()

    @property
    def known(self) -> bool:
        """Its state could be read."""
        return not self.error or bool(self.lineage)
