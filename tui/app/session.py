"""What the app needs from the domain: one thin door, so that panes can be shown without a fleet.

`tui.app.live.LiveSession` is the real one, over a deck and an engine; tests hand in one of their own.
Getters answer at once from what is known; `look_at` says what is on screen, and only that is asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from ondeck.inventory.model import Inventory
from ondeck.observe.records import SourceState
from ondeck.settings import Settings
from tui.app.views import (
    Answer,
    CredsLook,
    HostLook,
    JobLook,
    Known,
    LockLook,
    LogEntry,
    Matched,
    OutputLook,
    RecordLook,
    ServiceLook,
    UnitsLook,
)

if TYPE_CHECKING:
    from ondeck.job.listing import ListSpec
    from ondeck.job.plan import Plan
    from ondeck.job.spec import OperationSpec
    from ondeck.observe.asking import Question
    from ondeck.observe.checks import CheckLook
    from ondeck.operate.interactive import Opened


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What a person asked for, before it is a plan.

    Attributes:
        subject: `checkout@prod`, or a selector text.
        hosts: Exact hosts when rows were marked; empty when the subject says it all.
    """

    operation: str
    subject: str
    hosts: tuple[str, ...] = ()
    params: dict[str, Any] = {}
    reason: str = ""


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What the guard says of a plan.

    Attributes:
        level: Word of `Protection`.
        refused: Why it may not start at all; empty when it may.
        type_this: What has to be typed; empty when nothing has.
        break_glass: It may pass the rule alone, with a reason, loudly.
        pause: Since when the job stands that the rules are about, in ns; 0 for a plan.
    """

    level: str = "confirm"
    refused: str = ""
    type_this: str = ""
    why: tuple[str, ...] = ()
    break_glass: bool = False
    pause: int = 0


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """A plan that can be shown and started.

    Attributes:
        seconds: How long the reading took.
        handle: The session's own; handed back to `start`.
        unjudged: Hosts that a live figure might have chosen, but that did not say.
    """

    plan: Plan
    digest: str
    rules: Rules
    command: str
    seconds: float = 0.0
    handle: Any = None
    unjudged: int = 0


class Assent(msgspec.Struct, frozen=True, kw_only=True):
    """What the person did at the confirm; `pause` names what they looked at, as `Rules.pause` does."""

    typed: str = ""
    reason: str = ""
    break_glass: bool = False
    pause: int = 0


class LogFeed(Protocol):
    """Lines that arrive while somebody looks.

    Attributes:
        store: `ondeck.observe.logstore.LogStore` that grows.
    """

    store: Any

    def drain(self) -> int:
        """Move what has arrived into the store; how many lines came."""
        ...

    def states(self) -> Mapping[str, SourceState]:
        """How each source is."""
        ...

    @property
    def dropped(self) -> int:
        """Lines nobody could keep."""
        ...

    @property
    def gaps(self) -> Sequence[tuple[int, int]]:
        """Stretches (from, to) in ns that nobody followed and nobody read afterwards."""
        ...

    @property
    def asking(self) -> int:
        """Since when history is asked for that has not come whole yet; 0 when nothing is awaited."""
        ...

    @property
    def stopped(self) -> int:
        """Where a long history was cut off, nothing newer is held; 0 while it follows."""
        ...

    def park(self) -> None:
        """Nobody looks: close every source, keep the lines."""
        ...

    def resume(self) -> None:
        """Go on from where it was parked; nothing happens when it was not."""
        ...

    def reach(self, time: int) -> None:
        """Hold the lines from a time (ns) on, in place of what is held, when it does not reach that far."""
        ...

    def live(self) -> None:
        """Follow the newest lines again after a history was cut off."""
        ...

    def close(self) -> None:
        """Stop following."""
        ...


class Session(Protocol):
    """The app's door to inventory, engine, road and record."""

    @property
    def inventory(self) -> Inventory:
        """What exists."""
        ...

    @property
    def settings(self) -> Settings:
        """Settings of this process."""
        ...

    @property
    def machine(self) -> str:
        """Name of the machine the app runs on."""
        ...

    def now(self) -> int:
        """The time, ns."""
        ...

    def start(self) -> None:
        """Begin to wait for things; called after the first frame is drawn."""
        ...

    def close(self) -> None:
        """Stop reading; jobs go on."""
        ...

    def drain(self) -> bool:
        """Take in what arrived for what is on screen; True when something shown may differ."""
        ...

    def credentials(self) -> str:
        """The keys at hand: `agent 2 keys`, `no agent`, `agent gone 4m: why`; a colon stands before the why."""
        ...

    def look_at(self, hosts: Sequence[str], services: Sequence[str]) -> None:
        """Exactly what is on screen now; streams of everything else are closed."""
        ...

    def subjects(self) -> tuple[str, ...]:
        """Every `service@env`."""
        ...

    def hosts_of(self, subject: str) -> tuple[str, ...]:
        """Hosts of a `service@env`."""
        ...

    def services_on(self, host: str) -> tuple[str, ...]:
        """Every `service@env` that stands on a host."""
        ...

    def host(self, name: str) -> HostLook:
        """A host as far as it is known."""
        ...

    def select(self, text: str) -> Matched:
        """Hosts that a selector names, live facts included; raises BadInput."""
        ...

    def known(self) -> Mapping[str, HostLook]:
        """Hosts of which something is known, now or from before; never asks."""
        ...

    def history(self, host: str, figure: str) -> tuple[tuple[int, float], ...]:
        """(time, value) of `cpu`, `memory`, `load1`, `disk`, `received`, `sent` since it is looked at."""
        ...

    def service(self, subject: str) -> ServiceLook:
        """A service as far as it is known."""
        ...

    def refresh(self, subject: str) -> None:
        """Ask a service's hosts again now."""
        ...

    def jobs(self) -> tuple[JobLook, ...]:
        """Jobs, newest first."""
        ...

    def job(self, name: str) -> JobLook | None:
        """One job, None when there is none of that id."""
        ...

    def output(self, job: str, target: str, *, whole: bool = False, everything: bool = False) -> OutputLook:
        """The end of what a target printed; never waits for a file.

        With `whole` its begin and digest, with `everything` every line of it within bounds.
        """
        ...

    def locks(self) -> tuple[LockLook, ...]:
        """Locks that are held."""
        ...

    def record_look(self) -> RecordLook:
        """How old jobs and locks are, and whether the record can be read."""
        ...

    def dropped(self) -> int:
        """Batches of figures that nobody could take in time."""
        ...

    def changes(self, hosts: Sequence[str] = ()) -> tuple[Answer, ...]:
        """What is known of changes: own record always, hosts once they were asked."""
        ...

    def ask_changes(self, hosts: Sequence[str]) -> None:
        """Ask hosts what changed in the last hour."""
        ...

    def checks(self) -> tuple[CheckLook, ...]:
        """Every declared check on every member, as far as it is known; asks again when it is old."""
        ...

    def creds(self, *, ask: bool = False) -> CredsLook:
        """References to secrets and credentials, as far as they are known; asks again when that is old.

        With `ask` every reference is asked for, also at servers, keyrings and commands.
        """
        ...

    def units(self, host: str) -> UnitsLook:
        """Units of a host; the first call asks."""
        ...

    def lists(self) -> Mapping[str, tuple[ListSpec, ...]]:
        """Kinds of live things that providers list, by name."""
        ...

    def asked(self, question: Question, every: float = 10.0) -> Known:
        """What is known of a question; asks when that is older than so many seconds. Never waits."""
        ...

    def ask_again(self, question: Question) -> None:
        """Ask it now."""
        ...

    def record(self) -> tuple[LogEntry, ...]:
        """Every command ondeck planned or ran in this session, newest last."""
        ...

    def specs(self) -> tuple[OperationSpec, ...]:
        """Every operation."""
        ...

    async def available(self, subject: str) -> tuple[str, ...]:
        """Versions that can be deployed, newest first; raises OndeckError."""
        ...

    async def plan(self, wish: Wish) -> Card:
        """Look, change nothing, and say what would happen; raises OndeckError."""
        ...

    async def begin(self, card: Card, assent: Assent) -> str:
        """Start a worker on the plan; its job's id. Raises OndeckError."""
        ...

    async def order(
        self,
        job: str,
        order: str,
        *,
        target: str = "",
        text: str = "",
        reason: str = "",
        hard: bool = False,
        assent: Assent | None = None,
    ) -> str:
        """Ask a job to `pause continue cancel settle reconcile`; what was asked, in words.

        A `hard` cancel stops what runs too; `assent` is a person's word where `going_on` wants one.
        Raises OndeckError.
        """
        ...

    async def going_on(self, job: str) -> Rules | None:
        """What has to be said before a job goes on, and why; None when nothing. Raises OndeckError."""
        ...

    def open_logs(self, subject: str, hosts: Sequence[str]) -> LogFeed:
        """Follow the logs of a service (or of hosts, when the subject is empty)."""
        ...

    def shell(self, card: Card, assent: Assent) -> AbstractContextManager[Opened]:
        """What to run on the user's terminal: rules met, opening and end on record; raises OndeckError."""
        ...
