"""What is observed: frozen records. Times are nanoseconds since 1970, UTC; texts are already safe."""

from __future__ import annotations

from enum import IntEnum, StrEnum

import msgspec

from ondeck.inventory.live import HostFacts


class Level(IntEnum):
    """Severity of a log line; NONE where the line says none."""

    NONE = 0
    DEBUG = 1
    INFO = 2
    WARN = 3
    ERROR = 4
    FATAL = 5

    @property
    def word(self) -> str:
        """As both faces say it; empty for none."""
        return self.name if self else ""


class LogLine(msgspec.Struct, frozen=True, gc=False):
    """One line of one source.

    Attributes:
        time: When it says it happened; arrival time when it says nothing.
        source: `host/name`, e.g. `web-17/app`.
        message: Safe text without the time and level that were parsed out.
        late: Nanoseconds between its time and its arrival, when that is more than two seconds.
        run: SGR styles as (start, end, code) over the message; empty for most lines.
    """

    time: int
    source: str
    level: Level
    message: str
    late: int = 0
    run: tuple[tuple[int, int, str], ...] = ()


class Health(StrEnum):
    """How a source is."""

    OK = "ok"
    SLOW = "slow"
    LOST = "lost"
    CONNECTING = "connecting"
    ENDED = "ended"


class HistoryCut(msgspec.Struct, frozen=True):
    """What was asked for of a source from before some time could not be had: rotated away, or past our own limit.

    Attributes:
        time: From here on it is complete, ns; 0 when there is no line at all.
        why: One line: `/var/log/app.log has nothing older`.
    """

    time: int
    why: str


class SourceState(msgspec.Struct, frozen=True):
    """How one source is and since when.

    Attributes:
        since: When it came into this state.
        seen: When its last record arrived; 0 when none did.
        dropped: Records that were thrown away because nobody kept up.
        error: One line; empty when ok.
        cut: Where its history begins when not all of it could be had; None means that all that was asked came.
    """

    source: str
    health: Health
    since: int
    seen: int = 0
    dropped: int = 0
    error: str = ""
    cut: HistoryCut | None = None


class LogBatch(msgspec.Struct, frozen=True):
    """Some lines in the order they came from one source, or a change of its state, or both.

    Attributes:
        caught_up: What was there when the source was asked has come; from now on lines are live.
    """

    lines: tuple[LogLine, ...] = ()
    state: SourceState | None = None
    caught_up: bool = False


class FactsBatch(msgspec.Struct, frozen=True):
    """New facts of a host, or a change of its state, or both."""

    facts: HostFacts | None = None
    state: SourceState | None = None


class Unit(msgspec.Struct, frozen=True, kw_only=True):
    """A systemd unit on a host.

    Attributes:
        active: `active`, `failed`, `inactive`, ...
        since: When it came into this state; 0 when not known.
        memory: Bytes; None when not accounted.
    """

    host: str
    name: str
    active: str
    sub: str
    description: str = ""
    since: int = 0
    restarts: int = 0
    memory: int | None = None
    pid: int = 0


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """Something that changed: the first question at 3 a.m.

    Attributes:
        kind: `deploy`, `restart`, `package`, `reboot`, `job`, `mark`, `key`, `commit`, ...
        subject: What it happened to: `checkout@prod`, `nginx`, `web-31`.
        who: Person, CI run or program; empty when not known.
    """

    time: int
    env: str
    kind: str
    subject: str
    text: str
    host: str = ""
    who: str = ""
    job: str = ""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a source answered to a question; `error` set means it could not be asked, or only `partly`.

    An empty list of changes without error means that nothing changed. With error it means nothing.

    Attributes:
        partly: With `error`: some of it was answered, and the error names the rest.
        absent: There is nothing there that this reader could tell of, so its silence counts for nothing.
    """

    source: str
    error: str = ""
    partly: bool = False
    absent: bool = False
    changes: tuple[Change, ...] = ()
    units: tuple[Unit, ...] = ()


class ReleaseFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What one host runs of a service, as read from the host just now.

    Attributes:
        version: Release that the service's link or label names; empty when none.
        digest: sha256 of the release's archive, as recorded when it was unpacked.
        since: When it was switched on; 0 when not known.
        healthy: Health check now; None when it could not be asked.
        kept: Versions that are still on the host, newest first.
        kept_at: When each of them came there, ns.
        drained: Taken out by a drain; None when not known.
        error: Why it could not be read; then every other field is unknown.
    """

    host: str
    service: str
    version: str = ""
    digest: str = ""
    since: int = 0
    healthy: bool | None = None
    health_text: str = ""
    kept: tuple[str, ...] = ()
    kept_at: tuple[int, ...] = ()
    drained: bool | None = None
    error: str = ""
