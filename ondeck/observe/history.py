"""What changed: asked of many hosts at once, with an answer for every source."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

from ondeck.errors import OndeckError
from ondeck.inventory.model import Host
from ondeck.observe.ports import ChangeReader
from ondeck.observe.records import Asked, Change
from ondeck.operate.ports import Bench
from ondeck.text import safe_line

# Hosts that are asked at the same time, and seconds that one may take.
AT_ONCE = 16
LONGEST = 30.0

Own = Callable[[int], Sequence[Change]]


async def gather_changes(
    bench: Bench, reader: ChangeReader, hosts: Iterable[Host], since: int, *, own: Own | None = None
) -> list[Asked]:
    """Answers of every host, in the order given, then those of the record (`own jobs and marks`).

    Never raises for a source: one that did not answer is an `Asked` with its error.

    Args:
        bench: What the reader works with.
        reader: Capability `changes`.
        hosts: Whom to ask.
        since: Nanoseconds since 1970.
        own: The record's own changes since a time.
    """
    gate = asyncio.Semaphore(AT_ONCE)

    async def ask(host: Host) -> Asked:
        async with gate:
            try:
                async with asyncio.timeout(bench.settings.seconds(LONGEST)):
                    return await reader.changes(host, bench, since=since)
            except TimeoutError:
                return Asked(source=host.name, error=f"no answer within {LONGEST:.0f} s")
            except OndeckError as error:
                return Asked(source=host.name, error=safe_line(error.message))
            except Exception as error:  # noqa: BLE001 - becomes the recorded answer of its source
                return Asked(source=host.name, error=safe_line(f"{type(error).__name__}: {error}"))

    answers = list(await asyncio.gather(*(ask(host) for host in hosts)))
    if own is not None:
        answers.append(await asyncio.to_thread(_own, own, since))
    return answers


def _own(own: Own, since: int) -> Asked:
    try:
        return Asked(source="own jobs and marks", changes=tuple(own(since)))
    except (OndeckError, OSError) as error:
        return Asked(source="own jobs and marks", error=safe_line(str(error)))


def newest_first(answers: Iterable[Asked]) -> list[Change]:
    """All changes of all answers, the newest first."""
    found = [change for answer in answers for change in answer.changes]
    found.sort(key=lambda change: (-change.time, change.host, change.subject))
    return found


def silent(answers: Iterable[Asked]) -> list[Asked]:
    """Sources that could not (fully) be asked: to be named beside every list of changes."""
    return [answer for answer in answers if answer.error]
