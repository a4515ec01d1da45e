"""LiveSession: deck, engine and record behind the panes' door."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from ondeck.errors import Refused
from ondeck.inventory.model import Inventory
from ondeck.settings import Settings
from tui.app.live.agent import AgentWatch
from tui.app.session import Assent, Card, Rules, Wish
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
    from ondeck.deck import Deck
    from ondeck.job.listing import ListSpec
    from ondeck.job.spec import OperationSpec
    from ondeck.observe.asking import Question
    from ondeck.observe.checks import CheckLook
    from ondeck.operate.interactive import Opened
    from tui.app.live.feed import LiveFeed
    from tui.app.live.parts import Parts


class LiveSession:
    """One per app. All its methods are called in the face's thread.

    It is cheap to make: deck, engine, log store, selectors and the road are loaded by a thread after the first
    frame was drawn; until then nothing is known, and says so.
    """

    def __init__(self, inventory: Inventory, settings: Settings, opened: Callable[[], Deck]) -> None:
        self._inventory = inventory
        self._settings = settings
        self._opened = opened
        self.machine = socket.gethostname()
        self._record: deque[LogEntry] = deque(maxlen=500)
        self._specs: tuple[OperationSpec, ...] | None = None
        self._lists: dict[str, tuple[ListSpec, ...]] | None = None
        self._agent = AgentWatch(os.environ, settings.seconds(AgentWatch.EVERY))
        self._parts: Parts | None = None
        self._built: Parts | BaseException | None = None
        self._closed = False

    @cached_property
    def _deck(self) -> Deck:
        return self._opened()

    @property
    def inventory(self) -> Inventory:
        """What exists."""
        return self._inventory

    @property
    def settings(self) -> Settings:
        """Settings of this process."""
        return self._settings

    def now(self) -> int:
        """The time, ns."""
        return time.time_ns()

    def start(self) -> None:
        """After the first frame: everything that takes time to load."""
        self._agent.start()
        threading.Thread(target=self._build, name="ondeck-opening", daemon=True).start()

    def _build(self) -> None:
        try:
            from tui.app.live.parts import Parts

            parts = Parts(self._deck, self._note)
            parts.start()
            self._built = parts
        except BaseException as error:  # noqa: BLE001 - handed to the face's thread, which raises it
            self._built = error

    def close(self) -> None:
        """Stop reading; jobs go on."""
        self._agent.stop()
        parts = self._parts
        if parts is not None and not self._closed:
            self._closed = True
            parts.stop(self.settings.seconds(1.0))

    def drain(self) -> bool:
        """Everything that came since the last turn.

        Raises:
            OndeckError: The engine could not start.
        """
        if self._parts is None:
            built = self._built
            if built is None:
                return False
            if isinstance(built, BaseException):
                raise built
            self._parts = built
            return True
        return self._parts.drain()

    def _ready(self) -> Parts:
        if self._parts is None:
            raise Refused("still opening: try again in a second")
        return self._parts

    def credentials(self) -> str:
        """Keys at hand, as the agent said last."""
        return self._agent.words(self.now())

    def look_at(self, hosts: Sequence[str], services: Sequence[str]) -> None:
        """What is on screen is asked, nothing else."""
        if self._parts is not None:
            self._parts.hosts.look_at(hosts)
            self._parts.services.look_at(services)

    # -- inventory --------------------------------------------------------------------------------

    def subjects(self) -> tuple[str, ...]:
        """Every `service@env`."""
        return tuple(self._parts.services.looks) if self._parts is not None else ()

    def hosts_of(self, subject: str) -> tuple[str, ...]:
        """Hosts of a `service@env`."""
        look = self._parts.services.looks.get(subject) if self._parts is not None else None
        return look.hosts if look else ()

    def services_on(self, host: str) -> tuple[str, ...]:
        """Services on a host."""
        return self._parts.services.services_on(host) if self._parts is not None else ()

    def select(self, text: str) -> Matched:
        """Hosts that a selector names, live facts included; unknown figures match nothing."""
        from ondeck.inventory.selector import parse

        found = parse([text]).judge(self.inventory, self._parts.live(self.now()) if self._parts else None)
        return Matched(frozenset(host.name for host in found.hosts), found.unjudged)

    # -- what is known ----------------------------------------------------------------------------

    def host(self, name: str) -> HostLook:
        """A host as far as it is known."""
        found = self.known().get(name)
        if found is None:
            host = self.inventory.hosts.get(name)
            return HostLook(name=name, env=host.env if host else "")
        return found

    def known(self) -> Mapping[str, HostLook]:
        """Hosts of which something is known."""
        return self._parts.hosts.known if self._parts is not None else {}

    def history(self, host: str, figure: str) -> tuple[tuple[int, float], ...]:
        """A figure over time."""
        return self._parts.hosts.history(host, figure) if self._parts is not None else ()

    def service(self, subject: str) -> ServiceLook:
        """A service as far as it is known."""
        if self._parts is None:
            name, _, env = subject.partition("@")
            return ServiceLook(subject=subject, name=name, env=env, hosts=())
        return self._parts.services.look(subject)

    def refresh(self, subject: str) -> None:
        """Ask its hosts at the next turn."""
        if self._parts is not None:
            self._parts.services.refresh(subject)

    def jobs(self) -> tuple[JobLook, ...]:
        """Jobs, newest first."""
        return self._parts.jobs.known.jobs if self._parts is not None else ()

    def job(self, name: str) -> JobLook | None:
        """One job."""
        return self._parts.jobs.job(name) if self._parts is not None else None

    def output(self, job: str, target: str, *, whole: bool = False, everything: bool = False) -> OutputLook:
        """What a target printed, as far as a thread has read it."""
        if self._parts is None:
            return OutputLook(reading=True)
        return self._parts.outputs.look(job, target, whole=whole, everything=everything)

    def locks(self) -> tuple[LockLook, ...]:
        """Locks that are held."""
        return self._parts.jobs.known.locks if self._parts is not None else ()

    def record_look(self) -> RecordLook:
        """How old jobs and locks are, and whether the record can be read."""
        return self._parts.jobs.look() if self._parts is not None else RecordLook()

    def dropped(self) -> int:
        """Batches of figures that nobody could take in time."""
        return self._parts.hosts.dropped if self._parts is not None else 0

    def changes(self, hosts: Sequence[str] = ()) -> tuple[Answer, ...]:
        """Own record, and every host that was asked (or those named, asked or not yet)."""
        if self._parts is None:
            return (Answer(source="own record", error="still opening"),)
        answers, own = self._parts.questions.answers, self._parts.jobs.known.changes
        if not hosts:
            return (own, *answers.values())
        return (own, *(answers[name] for name in hosts if name in answers))

    def ask_changes(self, hosts: Sequence[str]) -> None:
        """Ask hosts what changed."""
        if self._parts is not None:
            self._parts.questions.want_changes(hosts)

    def checks(self) -> tuple[CheckLook, ...]:
        """Declared checks."""
        return self._parts.checks.looks() if self._parts is not None else ()

    def creds(self, *, ask: bool = False) -> CredsLook:
        """References to secrets and credentials."""
        return self._parts.creds.look(ask=ask) if self._parts is not None else CredsLook()

    def units(self, host: str) -> UnitsLook:
        """Units of a host."""
        return self._parts.questions.units(host) if self._parts is not None else UnitsLook(host=host)

    def lists(self) -> Mapping[str, tuple[ListSpec, ...]]:
        """Kinds of live things."""
        if self._lists is None:
            self._lists = self._deck.registry.lists()
        return self._lists

    def asked(self, question: Question, every: float = 10.0) -> Known:
        """What is known of a question."""
        return self._parts.answers.look(question, every) if self._parts is not None else Known(busy=True)

    def ask_again(self, question: Question) -> None:
        """Ask it now."""
        if self._parts is not None:
            self._parts.answers.again(question)

    def record(self) -> tuple[LogEntry, ...]:
        """Commands of this session."""
        return tuple(self._record)

    def _note(self, what: str, command: str, result: str) -> None:
        self._record.append(LogEntry(self.now(), what, command, result))

    # -- doing ------------------------------------------------------------------------------------

    def specs(self) -> tuple[OperationSpec, ...]:
        """Every operation."""
        if self._specs is None:
            self._specs = tuple(spec for spec, _ in self._deck.registry.operations().values())
        return self._specs

    async def available(self, subject: str) -> tuple[str, ...]:
        """Versions that can be deployed, newest first."""
        return await self._ready().available(subject)

    async def plan(self, wish: Wish) -> Card:
        """Look, and say what would happen."""
        return await self._ready().road.plan(wish)

    async def begin(self, card: Card, assent: Assent) -> str:
        """Start a worker."""
        parts = self._ready()
        job = await parts.road.begin(card, assent)
        parts.jobs.hurry()
        for _ in range(100):
            if parts.jobs.job(job) is not None:
                break
            await asyncio.sleep(0.05)
        return job

    async def going_on(self, job: str) -> Rules | None:
        """What has to be said before a job goes on."""
        return await self._ready().road.going_on(job)

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
        """Ask something of a job; what was asked, in words."""
        parts = self._ready()
        words = await parts.road.order(
            job, order, target=target, text=text, reason=reason, hard=hard, assent=assent
        )
        parts.jobs.hurry()
        return words

    def open_logs(self, subject: str, hosts: Sequence[str]) -> LiveFeed:
        """Follow logs."""
        return self._ready().open_logs(subject, hosts)

    @contextmanager
    def shell(self, card: Card, assent: Assent) -> Iterator[Opened]:
        """What to run on the user's terminal, while it is open."""
        from ondeck.job.consent import Consent
        from ondeck.operate import interactive

        consent = Consent(
            confirmed=True, typed=assent.typed, reason=assent.reason, break_glass=assent.break_glass
        )
        with interactive.opened(self._deck, card.handle, consent) as opened:
            self._note("shell", card.command, "opened")
            yield opened
