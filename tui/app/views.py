"""What panes show: plain frozen data, free of engines, threads and widgets.

Times are nanoseconds since 1970, UTC. None, an empty version and `Health` other than OK mean "not known".
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from ondeck.observe.records import Change, Health, HostFacts, ReleaseFacts, Unit


class Kind(StrEnum):
    """What a selected row stands for."""

    HOST = "host"
    SERVICE = "service"
    JOB = "job"
    UNIT = "unit"
    CHANGE = "change"
    LOCK = "lock"
    NONE = "none"


class Selected(msgspec.Struct, frozen=True):
    """What keys act on: the row under the cursor, or the thing a page is about.

    Attributes:
        name: `web-1`, `checkout@prod`, a job's id.
        hosts: Hosts it stands on, for commands, logs and shells.
    """

    kind: Kind
    name: str
    env: str = ""
    hosts: tuple[str, ...] = ()


NOTHING = Selected(Kind.NONE, "")


class HostLook(msgspec.Struct, frozen=True, kw_only=True):
    """A host as far as it is known.

    Attributes:
        health: None while nobody asked it in this session.
        since: When it came into this state.
        cached: The figures come from an earlier session.
    """

    name: str
    env: str
    health: Health | None = None
    since: int = 0
    error: str = ""
    facts: HostFacts | None = None
    cached: bool = False


class ServiceLook(msgspec.Struct, frozen=True, kw_only=True):
    """A service in one environment, as read from its hosts.

    Attributes:
        asked: When its hosts were last asked; 0 when never in this session.
        asking: An answer is on its way.
        error: Why it could not be asked at all.
        last_good: Release the record keeps as the last good one.
    """

    subject: str
    name: str
    env: str
    hosts: tuple[str, ...]
    releases: tuple[ReleaseFacts, ...] = ()
    asked: int = 0
    asking: bool = False
    error: str = ""
    last_good: str = ""

    @property
    def versions(self) -> dict[str, int]:
        """Hosts by running version; hosts that could not be asked are not in it."""
        found: dict[str, int] = {}
        for facts in self.releases:
            if not facts.error:
                word = facts.version or "none"
                found[word] = found.get(word, 0) + 1
        return found

    @property
    def unknown(self) -> int:
        """Hosts of which nothing is known."""
        return len(self.hosts) - sum(self.versions.values())

    @property
    def way_back(self) -> str:
        """Where a rollback would lead: the last good release, else the newest that every known host keeps."""
        running = set(self.versions)
        if self.last_good and running != {self.last_good}:
            return self.last_good
        kept = [facts.kept for facts in self.releases if not facts.error]
        if self.last_good or not kept:
            return ""
        return next((v for v in kept[0] if v not in running and all(v in k for k in kept)), "")

    @property
    def failing(self) -> tuple[ReleaseFacts, ...]:
        """Hosts whose health check was asked and said no."""
        return tuple(f for f in self.releases if not f.error and f.healthy is False)

    @property
    def healthy(self) -> int:
        """Hosts whose health check was asked and said yes."""
        return sum(1 for f in self.releases if not f.error and f.healthy)


class TargetLook(msgspec.Struct, frozen=True, kw_only=True):
    """One target of a job; `outcome` is empty while it has none."""

    name: str
    outcome: str = ""
    evidence: str = ""
    step: str = ""
    started: int = 0
    ended: int = 0


class BatchLook(msgspec.Struct, frozen=True, kw_only=True):
    """One batch of a rollout; `gate` is what the gate said, empty while it is open."""

    targets: tuple[str, ...]
    why: str = ""
    started: bool = False
    gate: str = ""
    passed: bool | None = None


class JobLook(msgspec.Struct, frozen=True, kw_only=True):
    """A job as its folder tells it.

    Attributes:
        state: Word of `JobState`.
        waiting: What a waiting job waits for, or the question that it asks.
        outcome: Word of `Outcome`; empty until it ended.
        before: Target -> what its release (or file) was when it was planned.
        wanted: Target -> what it shall be.
        wrong: What is wrong with its folder; to be said loudly.
    """

    id: str
    operation: str
    title: str
    subject: str
    env: str
    summary: str = ""
    actor: str = ""
    reason: str = ""
    state: str = "queued"
    waiting: str = ""
    outcome: str = ""
    started: int = 0
    ended: int = 0
    targets: tuple[TargetLook, ...] = ()
    batches: tuple[BatchLook, ...] = ()
    left_out: dict[str, str] = {}
    gate: str = ""
    notes: tuple[tuple[int, str], ...] = ()
    undo: str = ""
    before: dict[str, str] = {}
    wanted: dict[str, str] = {}
    wrong: tuple[str, ...] = ()

    @property
    def running(self) -> bool:
        """Not ended yet."""
        return self.state != "ended"

    def count(self, *outcomes: str) -> int:
        """Targets that ended with one of the outcomes."""
        return sum(1 for t in self.targets if t.outcome in outcomes)


class LockLook(msgspec.Struct, frozen=True, kw_only=True):
    """A lock and who holds it; `alive` None when it cannot be known."""

    key: str
    owner: str
    reason: str = ""
    job: str = ""
    since: int = 0
    alive: bool | None = None


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What one source said about changes; with `error`, its empty list means nothing."""

    source: str
    error: str = ""
    changes: tuple[Change, ...] = ()


class UnitsLook(msgspec.Struct, frozen=True, kw_only=True):
    """Units of one host, with how old the answer is."""

    host: str
    asked: int = 0
    asking: bool = False
    error: str = ""
    units: tuple[Unit, ...] = ()


class RecordLook(msgspec.Struct, frozen=True, kw_only=True):
    """How the record of jobs and locks is: without it an empty list means nothing.

    Attributes:
        read_at: When it was last read whole; 0 when never.
        error: Why it cannot be read now; what is shown is as old as `read_at`.
        unread: Jobs that cannot be read, with why.
    """

    read_at: int = 0
    error: str = ""
    unread: tuple[tuple[str, str], ...] = ()


class Matched(msgspec.Struct, frozen=True):
    """Hosts that surely match a selector, and how many could not be judged."""

    hosts: frozenset[str]
    unjudged: int = 0


class LogEntry(msgspec.Struct, frozen=True):
    """A line of the command log: what ondeck planned or ran, as the command a person would type."""

    time: int
    what: str
    command: str
    result: str = ""
