"""What panes show: plain frozen data, free of engines, threads and widgets.

Times are nanoseconds since 1970, UTC. None, an empty version and `Health` other than OK mean "not known".
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

from ondeck.inventory.live import HostFacts
from ondeck.observe.now import Wait, failing, not_known, wait_of
from ondeck.observe.records import Change, Health, ReleaseFacts, SourceState, Unit

if TYPE_CHECKING:
    from ondeck.observe.credentials import Credential
    from ondeck.operate.creds import ReferenceLook


class Kind(StrEnum):
    """What a selected row stands for."""

    HOST = "host"
    SERVICE = "service"
    JOB = "job"
    UNIT = "unit"
    CHANGE = "change"
    LOCK = "lock"
    CREDENTIAL = "credential"
    PLACE = "place"
    THING = "thing"
    LINE = "line"
    NONE = "none"


class Selected(msgspec.Struct, frozen=True):
    """What keys act on: the row under the cursor, or the thing a page is about.

    Attributes:
        name: `web-1`, `checkout@prod`, a job's id, a place, a thing as `PLACE/THING`, of a line what is typed
            behind the colon.
        hosts: Hosts it stands on, for commands, logs and shells.
        section: Of a place or thing: where the place stands in the inventory, e.g. `clusters`.
        listed: Of a thing: the kind of list it stands in, e.g. `containers`.
    """

    kind: Kind
    name: str
    env: str = ""
    hosts: tuple[str, ...] = ()
    section: str = ""
    listed: str = ""


NOTHING = Selected(Kind.NONE, "")

OF_PLACES = {"stacks": "stack"}
"""Section of the inventory -> the page of one of its places."""


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a question about a place.

    Attributes:
        answer: The port's record; None before the first answer.
        asked: When it answered, ns; an answer of before stays while a later question fails.
        busy: It is being asked now.
        error: Why the last question was not answered.
    """

    answer: Any = None
    asked: int = 0
    busy: bool = False
    error: str = ""


class HostLook(msgspec.Struct, frozen=True, kw_only=True):
    """A host as far as it is known.

    Attributes:
        health: None while nobody asked it in this session.
        since: When it came into this state.
        cached: The figures come from an earlier session.
        full_in: Seconds until a disk is full if it goes on like this, by mount.
    """

    name: str
    env: str
    health: Health | None = None
    since: int = 0
    error: str = ""
    facts: HostFacts | None = None
    cached: bool = False
    full_in: dict[str, float] = {}

    @property
    def source(self) -> SourceState | None:
        """How the source of its figures is; None while nobody asked it."""
        return (
            None if self.health is None else SourceState(self.name, self.health, self.since, error=self.error)
        )


class ServiceLook(msgspec.Struct, frozen=True, kw_only=True):
    """A service in one environment, as read from its hosts.

    Attributes:
        asked: When its hosts were last asked; 0 when never in this session.
        asking: An answer is on its way.
        error: Why it could not be asked at all.
        last_good: Release the record keeps as the last good one.
        way_back: Release that a rollback would lead to; empty when none is known.
        checked: False where the inventory declares no health check of it.
        deployed: False where ondeck does not deploy it, so that nobody knows what version runs.
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
    way_back: str = ""
    checked: bool = True
    deployed: bool = True

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
    def failing(self) -> tuple[ReleaseFacts, ...]:
        """Hosts whose health check was asked and said no."""
        return failing(self.releases)

    @property
    def silent(self) -> bool:
        """Not everything is known of it: nobody asked, or a host did not say how it is."""
        return not self.asked or bool(self.error or (self.checked and not_known(self.hosts, self.releases)))

    @property
    def healthy(self) -> int:
        """Hosts whose health check was asked and said yes."""
        return sum(1 for f in self.releases if not f.error and f.healthy)


class TargetLook(msgspec.Struct, frozen=True, kw_only=True):
    """One target of a job; `outcome` is empty while it has none, `lost` counts bytes of output not written down."""

    name: str
    outcome: str = ""
    evidence: str = ""
    step: str = ""
    started: int = 0
    ended: int = 0
    lost: int = 0


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
        people: Who started it and who went on with it, in words.
        waiting: What a waiting job waits for, or the question that it asks.
        outcome: Word of `Outcome`; empty until it ended.
        before: Target -> what its release (or file) was when it was planned.
        wanted: Target -> what it shall be.
        deed: What it does, verb first: `exec df -h`, `rollback 2.15.0 -> 2.14.0`.
        end: How it ended, where its outcome does not say it all.
        in_doubt: It ended, and of a target nobody knows what happened.
        half_done: Its worker was lost, and targets were not begun.
        wrong: What is wrong with its folder; to be said loudly.
    """

    id: str
    operation: str
    title: str
    subject: str
    env: str
    summary: str = ""
    actor: str = ""
    people: str = ""
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
    in_doubt: bool = False
    deed: str = ""
    end: str = ""
    half_done: bool = False

    @property
    def wait(self) -> Wait | None:
        """Why it needs a person; None when it does not."""
        return wait_of(self.state, self.outcome, in_doubt=self.in_doubt, half_done=self.half_done)

    @property
    def running(self) -> bool:
        """Not ended yet."""
        return self.state != "ended"

    def count(self, *outcomes: str) -> int:
        """Targets that ended with one of the outcomes."""
        return sum(1 for t in self.targets if t.outcome in outcomes)


class OutputLook(msgspec.Struct, frozen=True, kw_only=True):
    """What a target printed, as far as it was read.

    Attributes:
        lines: Safe lines: the last ones; the first ones where the whole was asked for.
        size: Bytes of all that it printed.
        count: Lines of the whole; 0 when only the end was read.
        cut: The lines are not all of it.
        digest: Of the whole; empty when only the end was read.
        reading: Nothing is known yet, it is being read.
        error: Why it cannot be read.
    """

    lines: tuple[str, ...] = ()
    size: int = 0
    count: int = 0
    cut: bool = False
    digest: str = ""
    reading: bool = False
    error: str = ""


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


class CredsLook(msgspec.Struct, frozen=True, kw_only=True):
    """Who we are where, and the secrets that the inventory refers to, with how old the answer is."""

    asked: int = 0
    asking: bool = False
    error: str = ""
    references: tuple[ReferenceLook, ...] = ()
    credentials: tuple[Credential, ...] = ()


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
