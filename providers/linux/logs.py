"""Capability `logs`: files with rotation, and the systemd journal."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from ondeck.bench import Bench
from ondeck.errors import BadInput, OndeckError
from ondeck.inventory.model import Host, LogSource, Place
from ondeck.observe.records import Health, LogBatch
from ondeck.observe.sources import Pauses, States, words
from providers.linux.asking import linked
from providers.linux.files import FileTail
from providers.linux.journal import JournalTail


class LinuxLogs:
    """Follows a source, and goes on where it was after its connection was lost."""

    async def follow(
        self, place: Place, source: LogSource, bench: Bench, *, since: int = 0, follow: bool = True
    ) -> AsyncGenerator[LogBatch, None]:
        """Lines of a source; see `ondeck.observe.ports.LogReader`.

        Raises:
            BadInput: The source is neither a file nor a unit, or stands on no host.
        """
        if not isinstance(place, Host):
            raise BadInput(f"log source {source.name!r} is read on hosts", where=place.name)
        host = place
        states = States(f"{host.name}/{source.name}")
        tail = _tail(host, source, bench, states, since)
        pauses = Pauses(bench.settings)
        yield LogBatch(state=states.begin())
        while True:
            error: BaseException | None = None
            try:
                async with linked(host, bench) as link, aclosing(tail.read(link, follow)) as batches:
                    async for batch in batches:
                        pauses.reset()
                        yield batch
            except (OndeckError, TimeoutError, OSError) as caught:
                error = caught
            if not follow and error is None:
                return
            lost = states.to(Health.LOST, words(error) if error else "the reading command ended")
            if lost is not None:
                yield LogBatch(state=lost)
            if not follow:
                return
            await pauses.wait(error)


def _tail(host: Host, source: LogSource, bench: Bench, states: States, since: int) -> FileTail | JournalTail:
    if source.file:
        return FileTail(host, source, bench.settings, states, since)
    if source.unit:
        return JournalTail(host, source, bench.settings, states, since)
    raise BadInput(f"log source {source.name!r} names neither a file nor a unit", where=host.name)
