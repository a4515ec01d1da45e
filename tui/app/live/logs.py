"""Logs of a service or of hosts: which sources, merged into one stream."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence

from ondeck.bench import Bench
from ondeck.capabilities import Capabilities
from ondeck.engine import Engine
from ondeck.errors import OndeckError
from ondeck.inventory.model import Inventory
from ondeck.observe.logs import Tail, merged
from ondeck.observe.records import LogBatch
from tui.app.live.feed import LiveFeed

MOST_SOURCES = 60
"""Sources that are followed at once from one view."""


def open_feed(
    inventory: Inventory, engine: Engine, capabilities: Capabilities, subject: str, hosts: Sequence[str]
) -> LiveFeed:
    """Follow every source of a service, or of hosts."""
    name = f"logs {subject}"
    try:
        tails = _tails(inventory, capabilities, subject, hosts)
    except OndeckError as error:
        feed = LiveFeed(engine, None, name)
        feed.trouble(subject or " ".join(hosts), error.message)
        return feed

    def opener(since: int) -> Callable[[Bench], AsyncIterator[LogBatch]]:
        return lambda bench: merged(tails[:MOST_SOURCES], bench, since=since)

    feed = LiveFeed(engine, opener, name)
    for tail in tails[MOST_SOURCES:]:
        feed.trouble(tail.name, f"not followed: only {MOST_SOURCES} sources at once")
    return feed


def _tails(
    inventory: Inventory, capabilities: Capabilities, subject: str, hosts: Sequence[str]
) -> tuple[Tail, ...]:
    from ondeck.observe import choosing

    if subject:
        name, _, env = subject.partition("@")
        return choosing.of_service(inventory, name, env, capabilities.logs)
    return choosing.of_hosts(inventory, [inventory.hosts[name] for name in hosts], capabilities.logs)
