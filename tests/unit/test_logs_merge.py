from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

from ondeck.errors import LinkLost
from ondeck.inventory.model import Host, LogSource
from ondeck.observe.logs import BUFFER, Tail, merged
from ondeck.observe.records import Health, HistoryCut, Level, LogBatch, LogLine, SourceState
from ondeck.settings import Settings

SCALE = 0.05


class EmptyBench:
    settings = Settings(state=Path("/n"), cache=Path("/n"), config=Path("/n"), timescale=SCALE)


BENCH: Any = EmptyBench()


class Scripted:
    """A reader that plays what a function yields."""

    def __init__(self, play: Callable[[str], AsyncIterator[LogBatch]]) -> None:
        self._play = play
        self.closed = 0

    async def follow(self, host: Host, source: LogSource, *_: Any, **__: Any) -> AsyncIterator[LogBatch]:
        try:
            async for batch in self._play(f"{host.name}/{source.name}"):
                yield batch
        finally:
            self.closed += 1


def tail(name: str, play: Callable[[str], AsyncIterator[LogBatch]]) -> Tail:
    return Tail(Scripted(play), Host(name=name, env="prod"), LogSource(name="app"))  # type: ignore[arg-type]


def lines(source: str, *times: int) -> LogBatch:
    return LogBatch(tuple(LogLine(t, source, Level.INFO, str(t)) for t in times))


async def collect(*tails: Tail) -> tuple[list[LogLine], list[SourceState]]:
    found: list[LogLine] = []
    states: list[SourceState] = []
    async for batch in merged(tails, BENCH, follow=False):
        found.extend(batch.lines)
        if batch.state is not None:
            states.append(batch.state)
    return found, states


async def test_history_of_many_sources_is_one_ordered_story() -> None:
    def every(offset: int) -> Callable[[str], AsyncIterator[LogBatch]]:
        async def play(source: str) -> AsyncIterator[LogBatch]:
            for start in range(0, 20_000, 400):
                yield lines(source, *range(start + offset, start + 400, 4))
                await asyncio.sleep(0)

        return play

    found, states = await collect(*(tail(f"web-{n}", every(n)) for n in range(4)))
    assert [line.time for line in found] == list(range(20_000))
    assert {state.health for state in states} == {Health.ENDED}


async def test_a_source_that_fails_is_named_and_the_others_go_on() -> None:
    async def broken(source: str) -> AsyncIterator[LogBatch]:
        yield lines(source, 1, 2)
        raise LinkLost("connection lost", where=source)

    async def good(source: str) -> AsyncIterator[LogBatch]:
        yield lines(source, 3, 4)

    found, states = await collect(tail("web-1", broken), tail("web-2", good))
    assert [line.time for line in found] == [1, 2, 3, 4]
    lost = [state for state in states if state.health is Health.LOST]
    assert [(state.source, state.error) for state in lost] == [("web-1/app", "connection lost")]


async def test_where_a_history_begins_is_told_before_its_lines_and_kept_to_the_end() -> None:
    cut = HistoryCut(1, "nothing older")

    async def short(source: str) -> AsyncIterator[LogBatch]:
        yield LogBatch(state=SourceState(source, Health.OK, 1, cut=cut))
        yield lines(source, 1)

    told: list[str] = []
    async for batch in merged([tail("web-1", short)], BENCH, follow=False):
        told += ["line"] * len(batch.lines)
        if batch.state is not None:
            told.append("cut" if batch.state.cut == cut else "not cut")
    assert told[0] == "cut"
    assert "line" in told
    assert "not cut" not in told


async def test_an_unexpected_error_is_a_state_too() -> None:
    async def broken(source: str) -> AsyncIterator[LogBatch]:
        raise ValueError("boom \x1b[2J")
        yield lines(source)

    _, states = await collect(tail("web-1", broken))
    assert states[-1].error == "ValueError: boom ␛[2J"


async def test_a_late_line_is_delivered_and_holds_nobody() -> None:
    now = time.time_ns()

    async def live(source: str) -> AsyncIterator[LogBatch]:
        yield LogBatch(caught_up=True)
        for n in range(5):
            yield lines(source, now + n)
        await asyncio.Event().wait()

    async def late(source: str) -> AsyncIterator[LogBatch]:
        yield LogBatch(state=SourceState(source, Health.OK, now), caught_up=True)
        await asyncio.sleep(0.2)
        yield LogBatch((LogLine(now - 12_000_000_000, source, Level.INFO, "old", late=12_000_000_000),))
        await asyncio.Event().wait()

    found: list[LogLine] = []
    health: list[Health] = []
    async with aclosing(merged([tail("web-1", live), tail("web-2", late)], BENCH)) as batches:  # type: ignore[type-var]
        async for batch in batches:
            found.extend(batch.lines)
            if batch.state is not None:
                health.append(batch.state.health)
            if found and found[-1].late:
                break
    assert [line.time - now for line in found[:5]] == [0, 1, 2, 3, 4]
    assert found[5].message == "old"
    assert Health.SLOW in health


async def test_a_silent_source_does_not_hold_live_reading() -> None:
    async def silent(source: str) -> AsyncIterator[LogBatch]:
        await asyncio.Event().wait()
        yield lines(source)

    async def live(source: str) -> AsyncIterator[LogBatch]:
        yield lines(source, 1)
        yield LogBatch(caught_up=True)
        await asyncio.Event().wait()

    tails = [tail("web-1", silent), tail("web-2", live)]
    async with aclosing(merged(tails, BENCH)) as batches:  # type: ignore[type-var]
        async for batch in batches:
            if batch.lines:
                break
    assert all(t.reader.closed == 1 for t in tails)  # type: ignore[attr-defined]


async def test_a_consumer_that_does_not_read_stops_the_sources() -> None:
    made = 0

    async def flood(source: str) -> AsyncIterator[LogBatch]:
        nonlocal made
        while True:
            made += 100
            yield lines(source, *range(made, made + 100))
            await asyncio.sleep(0)

    async with aclosing(merged([tail("web-1", flood)], BENCH)) as batches:  # type: ignore[type-var]
        await anext(aiter(batches))
        await asyncio.sleep(0.1)
        assert made <= 3 * BUFFER
