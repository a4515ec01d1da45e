"""Logs of a service or of hosts: one merged stream into a bounded store."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping, Sequence

from ondeck.capabilities import Capabilities
from ondeck.engine import Engine, Handle, Mailbox
from ondeck.errors import OndeckError
from ondeck.inventory.model import Host, Inventory
from ondeck.observe.logs import Tail, merged
from ondeck.observe.logstore import LogStore
from ondeck.observe.ports import LogReader
from ondeck.observe.records import Health, LogBatch, SourceState
from ondeck.operate.ports import Bench

MOST_SOURCES = 60
"""Sources that are followed at once from one view."""


class LiveFeed:
    """A followed stream; what nobody drained in time is dropped and counted."""

    def __init__(self) -> None:
        self.store = LogStore(200_000)
        self.handle: Handle | None = None
        self.mailbox: Mailbox[LogBatch] = Mailbox(
            20_000, 32 << 20, size=_bytes, count=lambda batch: max(1, len(batch.lines))
        )
        self._states: dict[str, SourceState] = {}
        self._late = 0

    def trouble(self, source: str, error: str) -> None:
        """A source that cannot even be asked."""
        self._states[source] = SourceState(source, Health.LOST, time.time_ns(), error=error)

    def drain(self) -> int:
        """Move what has arrived into the store."""
        items, _dropped = self.mailbox.drain()
        count = 0
        for batch in items:
            if batch.state is not None:
                self._states[batch.state.source] = batch.state
            if batch.lines:
                self.store.append(batch.lines)
                count += len(batch.lines)
        if self.handle is not None and self.handle.error and "stream" not in self._states:
            self.trouble("stream", self.handle.error)
        return count

    def states(self) -> Mapping[str, SourceState]:
        """How each source is."""
        return self._states

    @property
    def dropped(self) -> int:
        """Lines that were thrown away, here or at their source."""
        return self.mailbox.dropped_ever + sum(state.dropped for state in self._states.values())

    def close(self) -> None:
        """Stop following."""
        if self.handle is not None:
            self.handle.close()
            self.handle = None


def _bytes(batch: LogBatch) -> int:
    return sum(len(line.message) for line in batch.lines) + 160 * len(batch.lines)


def open_feed(
    inventory: Inventory, engine: Engine, capabilities: Capabilities, subject: str, hosts: Sequence[str]
) -> LiveFeed:
    """Follow every source of a service, or of hosts."""
    from ondeck.observe import choosing

    feed = LiveFeed()
    try:
        reader: LogReader = capabilities.host("logs")

        def of(host: Host) -> LogReader:
            del host
            return reader

        tails: tuple[Tail, ...]
        if subject:
            name, _, env = subject.partition("@")
            tails = choosing.of_service(inventory, name, env, of)
        else:
            tails = choosing.of_hosts(inventory, [inventory.hosts[name] for name in hosts], of)
    except OndeckError as error:
        feed.trouble(subject or " ".join(hosts), error.message)
        return feed
    for tail in tails[MOST_SOURCES:]:
        feed.trouble(tail.name, f"not followed: only {MOST_SOURCES} sources at once")

    def begin(bench: Bench) -> AsyncIterator[LogBatch]:
        return merged(tails[:MOST_SOURCES], bench)

    feed.handle = engine.stream(begin, feed.mailbox, name=f"logs {subject}")
    return feed
