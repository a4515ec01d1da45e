from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from ondeck.engine import Engine, Mailbox, StreamState
from ondeck.errors import Unreachable
from ondeck.settings import Settings


class EmptyBench:
    settings = Settings(
        state=Path("/nowhere"), cache=Path("/nowhere"), config=Path("/nowhere"), timescale=0.02
    )


@pytest.fixture
def engine() -> Iterator[Engine]:
    running = Engine(EmptyBench)  # type: ignore[arg-type]
    running.start()
    yield running
    assert running.stop()


def test_a_full_box_of_logs_drops_the_oldest_and_counts_what_they_count_for() -> None:
    box: Mailbox[str] = Mailbox(5, count=len)
    for text in ("aa", "bb", "cc"):
        box.put(text)
    items, dropped = box.drain()
    assert list(items) == ["bb", "cc"]
    assert dropped == 2
    assert box.drain() == (type(items)(), 0)
    assert box.dropped_ever == 2


def test_bytes_are_bounded_too() -> None:
    box: Mailbox[bytes] = Mailbox(100, 10, size=len)
    for _ in range(100):
        box.put(b"1234")
    assert len(box) == 2
    box.put(b"x" * 11)
    assert len(box) == 0
    assert box.drain()[1] == 101


def test_a_flood_of_lines_does_not_drop_the_state_of_a_source() -> None:
    box: Mailbox[tuple[str, int]] = Mailbox(5, count=lambda item: item[1])
    box.put(("lost", 0))
    for number in range(100):
        box.put((f"line {number}", 1))
    items, dropped = box.drain()
    assert list(items) == [("lost", 0), *((f"line {number}", 1) for number in range(95, 100))]
    assert dropped == 95
    for number in range(1000):
        box.put((f"state {number}", 0))
    assert len(box) <= 10


def test_the_reader_is_woken_once_until_it_drains() -> None:
    calls: list[int] = []
    box: Mailbox[int] = Mailbox(wake=lambda: calls.append(1))
    box.put(1)
    box.put(2)
    assert len(calls) == 1
    box.drain()
    box.put(3)
    assert len(calls) == 2


def test_calls_run_in_the_engine_thread_with_the_bench(engine: Engine) -> None:
    async def where(bench: object, word: str) -> tuple[str, bool, str]:
        return threading.current_thread().name, isinstance(bench, EmptyBench), word

    assert engine.call(where, "w").result(5) == ("ondeck-engine", True, "w")
    assert engine.lag < 5


def test_closing_a_stream_really_closes_its_iterator(engine: Engine) -> None:
    closed = threading.Event()
    woken = threading.Event()

    async def ticks(_: Any) -> AsyncIterator[int]:
        try:
            yield 1
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            closed.set()

    box: Mailbox[int] = Mailbox(wake=woken.set)
    handle = engine.stream(ticks, box)
    assert woken.wait(5)
    assert list(box.drain()[0]) == [1]
    handle.close().result(5)
    assert closed.is_set()
    assert handle.state is StreamState.CLOSED


def test_a_stream_closed_before_its_first_step_ends(engine: Engine) -> None:
    async def never(_: Any) -> AsyncIterator[int]:
        await asyncio.Event().wait()
        yield 1

    handle = engine.stream(never, Mailbox())
    handle.close().result(5)
    assert handle.state is StreamState.CLOSED


def test_an_exception_in_a_stream_is_a_state_that_wakes_the_reader(engine: Engine) -> None:
    woken = threading.Event()

    async def broken(_: Any) -> AsyncIterator[int]:
        raise Unreachable("no route \x1b[2J", where="web-1")
        yield 1

    handle = engine.stream(broken, Mailbox(wake=woken.set))
    assert woken.wait(5)
    assert handle.wait(5) is StreamState.FAILED
    assert handle.error == "web-1: no route ␛[2J"


def test_a_flood_without_a_reader_is_bounded_and_counted(engine: Engine) -> None:
    async def flood(_: Any) -> AsyncIterator[int]:
        for number in range(1000):
            yield number

    box: Mailbox[int] = Mailbox(100)
    assert engine.stream(flood, box).wait(10) is StreamState.ENDED
    items, dropped = box.drain()
    assert list(items) == list(range(900, 1000))
    assert dropped == 900


def test_a_slow_reader_holds_a_stream_back_and_loses_nothing(engine: Engine) -> None:
    async def flood(_: Any) -> AsyncIterator[int]:
        for number in range(500):
            yield number

    woken = threading.Event()
    box: Mailbox[int] = Mailbox(100, wake=woken.set)
    handle = engine.stream(flood, box)
    read: list[int] = []
    while len(read) < 500:
        assert woken.wait(5)
        woken.clear()
        items, dropped = box.drain()
        assert not dropped
        read.extend(items)
    assert read == list(range(500))
    handle.wait(5)


def test_stop_ends_calls_and_streams() -> None:
    engine = Engine(EmptyBench)  # type: ignore[arg-type]
    engine.start()

    async def hang(_: Any) -> None:
        await asyncio.Event().wait()

    future = engine.call(hang)
    assert engine.stop()
    assert future.cancelled()
    assert not engine.running


def test_a_bench_that_cannot_be_made_is_told_at_start() -> None:
    def broken() -> Any:
        raise Unreachable("no inventory")

    with pytest.raises(Unreachable):
        Engine(broken).start()
