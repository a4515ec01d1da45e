"""What changed: asked of many hosts at once, with an answer for every source."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from ondeck.bench import Bench
from ondeck.errors import OndeckError
from ondeck.inventory.model import Host
from ondeck.observe.ports import ChangeReader
from ondeck.observe.records import Asked, Change
from ondeck.text import safe_line

# Hosts that are asked at the same time, and seconds that one may take.
AT_ONCE = 16
LONGEST = 30.0


class EveryChange:
    """All readers of changes as one: each tells what its kind of thing changed on a host."""

    def __init__(self, readers: Iterable[ChangeReader]) -> None:
        self._readers = tuple(readers)

    async def changes(self, host: Host, bench: Bench, *, since: int) -> Asked:
        """What all of them answer, oldest first; whatever one could not ask is named."""
        asked = await asyncio.gather(*(ask_changes(bench, reader, host, since) for reader in self._readers))
        answers = [answer for answer in asked if not answer.absent]
        found = sorted((c for answer in answers for c in answer.changes), key=lambda change: change.time)
        errors = [answer.error for answer in answers if answer.error]
        silent_all = all(answer.error and not answer.partly for answer in answers)
        return Asked(
            source=host.name,
            error="; ".join(errors),
            partly=bool(errors) and not silent_all,
            changes=tuple(found),
        )


async def gather_changes(
    bench: Bench, reader: ChangeReader, hosts: Iterable[Host], since: int
) -> list[Asked]:
    """Answers of every host, in the order given; never raises for one that did not answer.

    Args:
        bench: What the reader works with.
        reader: Capability `changes`.
        hosts: Whom to ask.
        since: Nanoseconds since 1970.
    """
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(host: Host) -> Asked:
        async with gate:
            return await ask_changes(bench, reader, host, since)

    return list(await asyncio.gather(*(one(host) for host in hosts)))


async def ask_changes(bench: Bench, reader: ChangeReader, host: Host, since: int) -> Asked:
    """The answer of one host, within `LONGEST` seconds; a reader that hangs or breaks is an answer with its error."""
    try:
        async with asyncio.timeout(bench.settings.seconds(LONGEST)):
            return await reader.changes(host, bench, since=since)
    except TimeoutError:
        return Asked(source=host.name, error=f"no answer within {LONGEST:.0f} s")
    except OndeckError as error:
        return Asked(source=host.name, error=safe_line(error.message))
    except Exception as error:  # noqa: BLE001 - becomes the recorded answer of its source
        return Asked(source=host.name, error=safe_line(f"{type(error).__name__}: {error}"))


def newest_first(answers: Iterable[Asked]) -> list[Change]:
    """All changes of all answers, the newest first."""
    found = [change for answer in answers for change in answer.changes]
    found.sort(key=lambda change: (-change.time, change.host, change.subject))
    return found


def silent(answers: Iterable[Asked]) -> list[Asked]:
    """Sources that could not (fully) be asked: to be named beside every list of changes."""
    return [answer for answer in answers if answer.error]
