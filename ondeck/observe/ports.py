"""The ports of reading. A port yields batches; its consumer holds back-pressure or drops with a count.

Every iterator goes on until its consumer closes it (`contextlib.aclosing`): a source that is lost says
so in a state, tries again with growing pauses, and never ends the iteration of the others.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

from ondeck.inventory.model import Host, LogSource, Service
from ondeck.observe.records import Asked, FactsBatch, LogBatch, ReleaseFacts
from ondeck.operate.ports import Bench

LAST = 200
"""Lines of history that a source gives when no time is asked for."""


class LogReader(Protocol):
    """Capability `logs`."""

    def follow(
        self, host: Host, source: LogSource, bench: Bench, *, since: int = 0, follow: bool = True
    ) -> AsyncGenerator[LogBatch, None]:
        """Lines of a source, oldest first, then as they come; `since` in ns, 0 means the `LAST` ones."""
        ...


class FactsReader(Protocol):
    """Capability `facts`."""

    def watch(self, host: Host, bench: Bench, *, every: float = 2.0) -> AsyncGenerator[FactsBatch, None]:
        """Figures of a host every so many seconds, over one stream that ends with its connection."""
        ...


class UnitReader(Protocol):
    """Capability `units`."""

    async def units(self, host: Host, bench: Bench) -> Asked:
        """Every loaded service unit, failed first; never raises for an unreachable host."""
        ...


class ChangeReader(Protocol):
    """Capability `changes`."""

    async def changes(self, host: Host, bench: Bench, *, since: int) -> Asked:
        """What changed on a host since a time (ns): restarts, packages, reboots."""
        ...


class ReleaseReader(Protocol):
    """Capability `releases`: what a service runs, read from its hosts."""

    async def running(self, service: Service, hosts: Sequence[Host], bench: Bench) -> Sequence[ReleaseFacts]:
        """One entry a host, in the order asked; errors are entries, not exceptions."""
        ...

    async def available(self, service: Service, env: str, bench: Bench) -> Sequence[str]:
        """Versions that can be deployed, newest first.

        Raises:
            Missing: The place that holds the archives is not there.
        """
        ...
