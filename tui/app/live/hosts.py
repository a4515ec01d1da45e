"""Figures of hosts that are looked at: one stream a host, closed when nobody looks any more."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import Any

from ondeck.bench import Bench
from ondeck.capabilities import Capabilities
from ondeck.engine import Engine, Handle, Mailbox, StreamState
from ondeck.errors import OndeckError
from ondeck.inventory.live import HostFacts
from ondeck.inventory.model import Host, Inventory
from ondeck.observe import facts_cache
from ondeck.observe.fleet import fullest
from ondeck.observe.records import FactsBatch, Health, SourceState
from ondeck.observe.trend import Trends
from ondeck.settings import Settings
from tui.app.views import HostLook

MOST = 60
"""Hosts that are followed at once."""
LINGER = 15.0
"""Seconds a stream goes on after nobody looks at its host: paging back and forth is no new login."""
KEPT = 1800
"""Figures of a host that are kept for curves."""
KEPT_HOSTS = 80
"""Hosts of which figures are kept for curves: those that gave none for longest are let go first."""


class LiveHosts:
    """Belongs to the face's thread; everything comes over a mailbox."""

    def __init__(
        self, inventory: Inventory, engine: Engine, capabilities: Capabilities, settings: Settings
    ) -> None:
        self._inventory = inventory
        self._engine = engine
        self._capabilities = capabilities
        self._settings = settings
        self._mailbox: Mailbox[FactsBatch] = Mailbox(5_000)
        self._handles: dict[str, Handle] = {}
        self._wanted: dict[str, float] = {}
        self._again: dict[str, float] = {}
        self._history: dict[str, deque[HostFacts]] = {}
        self._trends = Trends(KEPT_HOSTS)
        self.known: dict[str, HostLook] = {}
        self.dropped = 0

    def load(self) -> None:
        """Figures of an earlier session, marked as old; a broken cache is no loss."""
        found = facts_cache.load(self._settings)
        for facts in found:
            host = self._inventory.hosts.get(facts.host)
            if host is not None and facts.host not in self.known:
                self.known[facts.host] = HostLook(name=facts.host, env=host.env, facts=facts, cached=True)

    def save(self) -> None:
        """Keep the latest figures for the next session's first screen."""
        found = [look.facts for look in self.known.values() if look.facts is not None]
        with contextlib.suppress(OSError):  # without the cache only the next start lacks its old figures
            if found:
                facts_cache.save(self._settings, found)

    def look_at(self, names: Sequence[str]) -> None:
        """Follow these hosts; let go of others after a while."""
        now = time.monotonic()
        for name in names[:MOST]:
            if name in self._inventory.hosts:
                self._wanted[name] = now
        for name in [n for n, seen in self._wanted.items() if now - seen > LINGER]:
            del self._wanted[name]
            handle = self._handles.pop(name, None)
            if handle is not None:
                handle.close()
                self._let_go(name)
        for name in list(self._wanted)[-MOST:]:
            if name not in self._handles and self._again.get(name, 0.0) <= now:
                self._follow(self._inventory.hosts[name])

    def _let_go(self, name: str) -> None:
        look = self.known.get(name)
        if look is not None:
            self.known[name] = HostLook(
                name=name, env=look.env, facts=look.facts, cached=look.facts is not None
            )

    def _follow(self, host: Host) -> None:
        try:
            reader = self._capabilities.host("facts")
        except OndeckError as error:
            self._lost(host.name, error.message)
            self._again[host.name] = time.monotonic() + 60.0
            return

        def begin(bench: Bench) -> AsyncIterator[FactsBatch]:
            found: AsyncIterator[FactsBatch] = reader.watch(host, bench)
            return found

        self._handles[host.name] = self._engine.stream(begin, self._mailbox, name=f"facts {host.name}")
        old = self.known.get(host.name)
        if old is None or old.health is None:
            facts = old.facts if old else None
            self.known[host.name] = HostLook(
                name=host.name, env=host.env, health=Health.CONNECTING, since=time.time_ns(), facts=facts,
                cached=facts is not None,
            )  # fmt: skip

    def _lost(self, name: str, error: str) -> None:
        host = self._inventory.hosts[name]
        old = self.known.get(name)
        since = old.since if old is not None and old.health is Health.LOST else time.time_ns()
        facts = old.facts if old else None
        self.known[name] = HostLook(
            name=name,
            env=host.env,
            health=Health.LOST,
            since=since,
            error=error,
            facts=facts,
            cached=facts is not None,
        )

    def drain(self) -> bool:
        """Take in what came."""
        items, dropped = self._mailbox.drain()
        self.dropped += dropped
        for batch in items:
            if batch.state is not None:
                self._state(batch.state)
            if batch.facts is not None:
                self._facts(batch.facts)
        return bool(items) | self._ended()

    def _state(self, state: SourceState) -> None:
        name = state.source.partition("/")[0]
        host = self._inventory.hosts.get(name)
        if host is None:
            return
        old = self.known.get(name)
        self.known[name] = HostLook(
            name=name, env=host.env, health=state.health, since=state.since, error=state.error,
            facts=old.facts if old else None, cached=bool(old and old.cached), full_in=old.full_in if old else {},
        )  # fmt: skip

    def _facts(self, facts: HostFacts) -> None:
        host = self._inventory.hosts.get(facts.host)
        if host is None:
            return
        old = self.known.get(facts.host)
        health = old.health if old and old.health in (Health.OK, Health.SLOW) else Health.OK
        since = old.since if old and old.health is health else facts.time
        self._trends.take(facts)
        self.known[facts.host] = HostLook(
            name=facts.host, env=host.env, health=health, since=since, facts=facts,
            full_in=self._trends.full_in(facts.host),
        )  # fmt: skip
        kept = self._history.pop(facts.host, None) or deque(maxlen=KEPT)
        kept.append(facts)
        self._history[facts.host] = kept
        while len(self._history) > KEPT_HOSTS:
            del self._history[next(iter(self._history))]

    def _ended(self) -> bool:
        """A stream that ended by itself is a lost host; it is tried again later."""
        ended = [name for name, handle in self._handles.items() if handle.state is not StreamState.RUNNING]
        for name in ended:
            handle = self._handles.pop(name)
            self._again[name] = time.monotonic() + 10.0
            self._lost(name, handle.error or "the stream of its figures ended")
        return bool(ended)

    def history(self, name: str, figure: str) -> tuple[tuple[int, float], ...]:
        """(time, value) since it is looked at."""
        found = []
        for facts in self._history.get(name, ()):
            value = figure_of(facts, figure)
            if value is not None:
                found.append((facts.time, value))
        return tuple(found)


def figure_of(facts: HostFacts, figure: str) -> float | None:
    """One figure of a sample."""
    if figure == "disk":
        found = fullest(facts)
        return found[1] if found else None
    if figure in ("received", "sent"):
        return facts.network[0 if figure == "received" else 1] if facts.network else None
    value: Any = getattr(facts, figure, None)
    return float(value) if value is not None else None
