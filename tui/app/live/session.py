"""LiveSession: deck, engine and record behind the panes' door."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence

from ondeck.deck import Deck
from ondeck.engine import Engine
from ondeck.errors import BadInput
from ondeck.inventory.model import Inventory
from ondeck.operate.bench import FaceBench
from ondeck.operate.ports import Bench
from ondeck.operate.spec import OperationSpec
from ondeck.settings import Settings
from tui.app.live.agent import keys_at_hand
from tui.app.live.asking import LiveQuestions
from tui.app.live.capabilities import Capabilities
from tui.app.live.hosts import LiveHosts
from tui.app.live.jobs import LiveJobs
from tui.app.live.logs import LiveFeed, open_feed
from tui.app.live.road import LiveRoad
from tui.app.live.services import LiveServices
from tui.app.session import Assent, Card, Wish
from tui.app.views import Answer, HostLook, JobLook, LockLook, LogEntry, ServiceLook, UnitsLook


class LiveSession:
    """One per app. All its methods are called in the face's thread."""

    def __init__(self, deck: Deck) -> None:
        self._deck = deck
        self.machine = socket.gethostname()
        self._engine = Engine(lambda: FaceBench(deck))
        self._capabilities = Capabilities(deck.registry)
        inventory, settings = deck.inventory, deck.settings
        self._services = LiveServices(inventory, self._engine, self._capabilities, self._last_good)
        self._hosts = LiveHosts(inventory, self._engine, self._capabilities, settings)
        self._questions = LiveQuestions(inventory, self._engine, self._capabilities)
        self._jobs = LiveJobs(deck.record, self.subjects, settings.seconds(0.5))
        self._record: deque[LogEntry] = deque(maxlen=500)
        self._road = LiveRoad(deck, self._engine, self._note)
        self._specs: tuple[OperationSpec, ...] | None = None
        self._credentials = ""
        self._started = False

    @property
    def inventory(self) -> Inventory:
        """What exists."""
        return self._deck.inventory

    @property
    def settings(self) -> Settings:
        """Settings of this process."""
        return self._deck.settings

    def now(self) -> int:
        """The time, ns."""
        return time.time_ns()

    def start(self) -> None:
        """After the first frame: engine, record and agent."""
        self._engine.start()
        self._hosts.load()
        self._jobs.start()
        threading.Thread(target=self._ask_agent, name="ondeck-agent", daemon=True).start()
        self._started = True

    def _ask_agent(self) -> None:
        self._credentials = keys_at_hand(os.environ)

    def close(self) -> None:
        """Stop reading; jobs go on."""
        if self._started:
            self._jobs.stop()
            self._hosts.save()
            self._engine.stop(self.settings.seconds(1.0))

    def drain(self) -> bool:
        """Everything that came since the last turn."""
        if not self._started:
            return False
        changed = [self._hosts.drain(), self._services.drain(), self._questions.drain(), self._jobs.changed()]
        return any(changed)

    def credentials(self) -> str:
        """Keys at hand."""
        return self._credentials

    def look_at(self, hosts: Sequence[str], services: Sequence[str]) -> None:
        """What is on screen is asked, nothing else."""
        if self._started:
            self._hosts.look_at(hosts)
            self._services.look_at(services)

    # -- inventory --------------------------------------------------------------------------------

    def subjects(self) -> tuple[str, ...]:
        """Every `service@env`."""
        return tuple(self._services.looks)

    def hosts_of(self, subject: str) -> tuple[str, ...]:
        """Hosts of a `service@env`."""
        look = self._services.looks.get(subject)
        return look.hosts if look else ()

    def services_on(self, host: str) -> tuple[str, ...]:
        """Services on a host."""
        return self._services.services_on(host)

    def select(self, text: str) -> frozenset[str]:
        """Hosts that a selector names, live facts included; unknown figures match nothing."""
        from ondeck.inventory.selector import parse

        live = {
            name: look.facts for name, look in self._hosts.known.items() if look.facts and not look.cached
        }
        states = {
            name: str(look.health) for name, look in self._hosts.known.items() if look.health is not None
        }
        return frozenset(host.name for host in parse([text]).select(self.inventory, live, states))

    # -- what is known ----------------------------------------------------------------------------

    def host(self, name: str) -> HostLook:
        """A host as far as it is known."""
        found = self._hosts.known.get(name)
        if found is None:
            host = self.inventory.hosts.get(name)
            return HostLook(name=name, env=host.env if host else "")
        return found

    def known(self) -> Mapping[str, HostLook]:
        """Hosts of which something is known."""
        return self._hosts.known

    def history(self, host: str, figure: str) -> tuple[tuple[int, float], ...]:
        """A figure over time."""
        return self._hosts.history(host, figure)

    def service(self, subject: str) -> ServiceLook:
        """A service as far as it is known."""
        return self._services.look(subject)

    def refresh(self, subject: str) -> None:
        """Ask its hosts at the next turn."""
        self._services.refresh(subject)

    def _last_good(self, subject: str) -> str:
        return self._jobs.known.last_good.get(subject, "")

    def jobs(self) -> tuple[JobLook, ...]:
        """Jobs, newest first."""
        return self._jobs.known.jobs

    def job(self, name: str) -> JobLook | None:
        """One job."""
        return self._jobs.job(name)

    def output(self, job: str, target: str) -> tuple[str, ...]:
        """The end of what a target printed."""
        return self._jobs.output(job, target)

    def locks(self) -> tuple[LockLook, ...]:
        """Locks that are held."""
        return self._jobs.known.locks

    def changes(self, hosts: Sequence[str] = ()) -> tuple[Answer, ...]:
        """Own record, and every host that was asked (or those named, asked or not yet)."""
        answers = self._questions.answers
        if not hosts:
            return (self._jobs.known.changes, *answers.values())
        return (self._jobs.known.changes, *(answers[name] for name in hosts if name in answers))

    def ask_changes(self, hosts: Sequence[str]) -> None:
        """Ask hosts what changed."""
        if self._started:
            self._questions.want_changes(hosts)

    def units(self, host: str) -> UnitsLook:
        """Units of a host."""
        return self._questions.units(host) if self._started else UnitsLook(host=host)

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
        name, _, env = subject.partition("@")
        service = self.inventory.services.get(name)
        if service is None:
            raise BadInput(f"no service {name!r}")
        reader = self._capabilities.releases(service)

        async def ask(bench: Bench) -> Sequence[str]:
            found: Sequence[str] = await reader.available(service, env, bench)
            return found

        return tuple(await asyncio.wrap_future(self._engine.call(ask)))

    async def plan(self, wish: Wish) -> Card:
        """Look, and say what would happen."""
        return await self._road.plan(wish)

    async def begin(self, card: Card, assent: Assent) -> str:
        """Start a worker."""
        job = await self._road.begin(card, assent)
        self._jobs.hurry()
        for _ in range(100):
            if self._jobs.job(job) is not None:
                break
            await asyncio.sleep(0.05)
        return job

    async def order(
        self, job: str, order: str, *, target: str = "", text: str = "", reason: str = ""
    ) -> None:
        """Ask something of a job."""
        await self._road.order(job, order, target=target, text=text, reason=reason)
        self._jobs.hurry()

    def open_logs(self, subject: str, hosts: Sequence[str]) -> LiveFeed:
        """Follow logs."""
        return open_feed(self.inventory, self._engine, self._capabilities, subject, hosts)

    def shell(self, host: str) -> Sequence[str]:
        """What to run on the user's terminal; it is written to the audit first."""
        if self.settings.read_only:
            raise BadInput("read-only: a shell could change things")
        found = self.inventory.hosts[host]
        argv: Sequence[str] = self._capabilities.transport(found.transport, "shell").shell_argv(
            self.inventory, found
        )
        self._deck.record.shell_opened(host, found.env, "")
        self._note("shell", f"ondeck shell {host}", "opened")
        return argv
