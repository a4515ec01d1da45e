"""Everything behind the session that takes time to load, made in a thread after the first frame."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from ondeck.bench import Bench
from ondeck.capabilities import Capabilities
from ondeck.deck import Deck
from ondeck.engine import Engine
from ondeck.errors import BadInput
from ondeck.inventory import discovering
from ondeck.inventory.live import Live
from ondeck.observe import discovery
from ondeck.observe.fleet import judge
from ondeck.observe.live import live, versions_of
from ondeck.operate.bench import FaceBench
from tui.app.live.answers import LiveAnswers
from tui.app.live.asking import LiveQuestions
from tui.app.live.checks import LiveChecks
from tui.app.live.creds import LiveCreds
from tui.app.live.feed import LiveFeed
from tui.app.live.hosts import LiveHosts
from tui.app.live.jobs import LiveJobs
from tui.app.live.logs import open_feed
from tui.app.live.outputs import LiveOutputs
from tui.app.live.road import LiveRoad
from tui.app.live.services import LiveServices


class Parts:
    """Hosts, services, questions, jobs and the road, over one engine."""

    def __init__(self, deck: Deck, note: Callable[[str, str, str], None]) -> None:
        self._deck = deck
        inventory, settings = deck.inventory, deck.settings
        self.engine = Engine(lambda: FaceBench(deck))
        self.capabilities = Capabilities(deck.registry)
        self.services = LiveServices(
            inventory, self.engine, self.capabilities, self._last_good, self._remembered
        )
        self.hosts = LiveHosts(inventory, self.engine, self.capabilities, settings)
        self.checks = LiveChecks(inventory, self.engine, self.capabilities)
        self.creds = LiveCreds(deck, self.engine)
        self.questions = LiveQuestions(inventory, self.engine, self.capabilities)
        self.answers = LiveAnswers(self.engine, self.capabilities)
        self.jobs = LiveJobs(deck.record, lambda: tuple(self.services.looks), settings.seconds(0.5))
        self.outputs = LiveOutputs(deck.record, settings.seconds(0.5))
        self.road = LiveRoad(deck, self.engine, note)

    def _last_good(self, subject: str) -> str:
        return self.jobs.known.last_good.get(subject, "")

    def _remembered(self, key: str) -> str:
        return self.jobs.known.remembered.get(key, "")

    def start(self) -> None:
        """Engine, old figures, record."""
        self.engine.start()
        self.hosts.load()
        self.jobs.start()
        self._ask_sources()
        self.outputs.start()

    def _ask_sources(self) -> None:
        """Live sources whose answers are old are asked beside everything else; the next start shows what is new."""
        entries = discovering.entries(self._deck.inventory)
        if not entries:
            return

        async def ask(bench: Bench) -> None:
            await discovery.refresh(self._deck.registry, bench, entries, older=discovery.STALE)

        self.engine.call(ask)

    def stop(self, within: float) -> None:
        """Stop reading."""
        self.jobs.stop()
        self.outputs.stop()
        self.hosts.save()
        self.engine.stop(within)

    def drain(self) -> bool:
        """Everything that came since the last turn."""
        waited = (self.checks, self.creds, self.hosts, self.services, self.questions, self.answers)
        changed = [*[one.drain() for one in waited], self.jobs.changed(), self.outputs.changed()]
        return any(changed)

    def live(self, now: int) -> Live:
        """What is known of every host, for selectors; `now` in ns."""
        known, hosts = self.hosts.known, self._deck.inventory.hosts
        states = {
            name: judge(host, look.facts, look.source, now, cached=look.cached)
            if (look := known.get(name)) is not None
            else judge(host, None, None, now)
            for name, host in hosts.items()
        }
        facts = {
            n: s.facts for n, s in known.items() if s.facts is not None and n in states and states[n].current
        }
        looks = self.services.looks.values()
        versions = versions_of((look.name, look.hosts, look.releases) for look in looks if look.deployed)
        return live(facts, states, versions)

    async def available(self, subject: str) -> tuple[str, ...]:
        """Versions that can be deployed, newest first.

        Raises:
            OndeckError: No such service, or the place of its archives cannot be read.
        """
        name, _, env = subject.partition("@")
        service = self._deck.inventory.services.get(name)
        if service is None:
            raise BadInput(f"no service {name!r}")
        reader = self.capabilities.releases(service)

        async def ask(bench: Bench) -> Sequence[str]:
            found: Sequence[str] = await reader.available(service, env, bench)
            return found

        return tuple(await asyncio.wrap_future(self.engine.call(ask)))

    def open_logs(self, subject: str, hosts: Sequence[str]) -> LiveFeed:
        """Follow logs."""
        return open_feed(self._deck.inventory, self.engine, self.capabilities, subject, hosts)
