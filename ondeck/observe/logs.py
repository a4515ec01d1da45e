"""Logs of many sources as one, ordered by time, with the state of every source.

History is merged whole: a source that has more to tell holds the others back, for a bounded time. Live
lines wait a short window for those of slower sources; a line that comes after its window is delivered
at once, marked late, and never holds the others. Nothing is dropped here: a consumer that does not
read stops the sources (their buffers are bounded), and mailboxes drop and count.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import msgspec

from ondeck.bench import Bench
from ondeck.errors import OndeckError
from ondeck.inventory.model import LogSource, Place
from ondeck.observe.parse import LATE, SECOND
from ondeck.observe.ports import LogReader
from ondeck.observe.records import Health, LogBatch, LogLine, SourceState
from ondeck.text import safe_line

# Seconds that a live line waits for earlier ones of other sources.
WINDOW = 0.5
# Seconds that anything waits at most: a line for its order, live readers for a slow source's history.
LONGEST = 2.0
# Seconds that a source without follow may be silent before the others go on without it.
SILENT = 10.0
# Lines that a source may hold before it is not read any more.
BUFFER = 5_000
# Lines of one delivered batch.
BATCH = 500


class Tail(msgspec.Struct, frozen=True):
    """One source to read, and the reader (capability `logs`) that knows how."""

    reader: LogReader
    place: Place
    source: LogSource

    @property
    def name(self) -> str:
        """How its lines and states name it."""
        return f"{self.place.name}/{self.source.name}"


# Lines that came together: when (monotonic seconds), their latest time (ns), and they themselves.
_Part = tuple[float, int, tuple[LogLine, ...]]


class _Feed:
    """What has come from one source and was not delivered yet."""

    def __init__(self, tail: Tail) -> None:
        self.tail = tail
        self.parts: deque[_Part] = deque()
        self.held = 0
        self.caught_up = False
        self.ended = False
        self.heard = time.monotonic()
        self.room = asyncio.Event()
        self.room.set()
        self.state = SourceState(tail.name, Health.CONNECTING, time.time_ns())

    def add(self, lines: tuple[LogLine, ...]) -> None:
        self.parts.append((time.monotonic(), max(line.time for line in lines), lines))
        self.held += len(lines)
        if self.held >= BUFFER:
            self.room.clear()

    def newest(self) -> int:
        """Time up to which the source is known; its history comes in order."""
        return self.parts[-1][2][-1].time

    def take(self, before: int, arrived: float) -> list[LogLine]:
        """Lines up to a time (ns), and all that arrived before a moment of the monotonic clock."""
        taken: list[LogLine] = []
        kept: deque[_Part] = deque()
        for part in self.parts:
            came, latest, lines = part
            if came <= arrived or latest <= before:
                taken.extend(lines)
                continue
            now = [line for line in lines if line.time <= before]
            taken.extend(now)
            kept.append((came, latest, tuple(line for line in lines if line.time > before)) if now else part)
        self.parts = kept
        self.held -= len(taken)
        if taken and self.held < BUFFER:
            self.room.set()
        return taken


class _Merge:
    def __init__(self, sources: Sequence[Tail], bench: Bench, since: int, follow: bool) -> None:
        self._feeds = [_Feed(tail) for tail in sources]
        self._bench = bench
        self._since = since
        self._follow = follow
        self._states: deque[SourceState] = deque()
        self._news = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def run(self) -> AsyncGenerator[LogBatch, None]:
        self._tasks = [asyncio.create_task(self._pump(feed)) for feed in self._feeds]
        told = False
        try:
            while True:
                over = all(feed.ended for feed in self._feeds)
                for batch in self._ready():
                    yield batch
                if not told and all(feed.caught_up or feed.ended for feed in self._feeds):
                    told = True
                    yield LogBatch(caught_up=True)
                if over:
                    return
                await self._wait()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _wait(self) -> None:
        """Until something came, then a moment for more; at most until a window may have passed."""
        seconds = self._bench.settings.seconds
        waiting = any(feed.parts for feed in self._feeds)
        try:
            async with asyncio.timeout(seconds(WINDOW / 5) if waiting else seconds(LONGEST)):
                await self._news.wait()
        except TimeoutError:
            return
        finally:
            self._news.clear()
        if len(self._feeds) > 1:
            await asyncio.sleep(seconds(0.02))

    def _ready(self) -> list[LogBatch]:
        batches = []
        while self._states:
            batches.append(LogBatch(state=self._states.popleft()))
        before, arrived = self._watermark()
        ready: list[LogLine] = []
        for feed in self._feeds:
            if feed.parts:
                ready.extend(feed.take(before, arrived))
        ready.sort(key=_time_of)
        batches.extend(LogBatch(tuple(ready[at : at + BATCH])) for at in range(0, len(ready), BATCH))
        return batches

    def _watermark(self) -> tuple[int, float]:
        """Lines up to this time may go, and those that arrived before this moment."""
        seconds = self._bench.settings.seconds
        now = time.monotonic()
        history = [feed for feed in self._feeds if not (feed.ended or feed.caught_up)]
        patience = seconds(LONGEST if self._follow else SILENT)
        holding = [
            f for f in history if f.parts or (now - f.heard < patience and f.state.health is not Health.LOST)
        ]
        if holding:
            before = min((feed.newest() if feed.parts else -1) for feed in holding)
            return before, float("-inf")
        if len(self._feeds) == 1 or all(feed.ended for feed in self._feeds):
            return 1 << 63, now
        return time.time_ns() - int(seconds(WINDOW) * SECOND), now - seconds(LONGEST)

    async def _pump(self, feed: _Feed) -> None:
        tail = feed.tail
        try:
            iterator = tail.reader.follow(
                tail.place, tail.source, self._bench, since=self._since, follow=self._follow
            )
            async with aclosing(iterator) as batches:
                async for batch in batches:
                    await self._take(feed, batch)
            self._say(feed, Health.ENDED)
        except OndeckError as error:
            self._say(feed, Health.LOST, error.message)
        except Exception as error:  # noqa: BLE001 - becomes the recorded state of its source
            self._say(feed, Health.LOST, f"{type(error).__name__}: {error}")
        finally:
            feed.ended = True
            self._news.set()

    async def _take(self, feed: _Feed, batch: LogBatch) -> None:
        feed.heard = time.monotonic()
        if batch.state is not None:
            feed.state = batch.state
            self._states.append(batch.state)
        if batch.lines:
            feed.add(batch.lines)
            self._judge(feed, batch.lines[-1])
        if batch.caught_up:
            feed.caught_up = True
        self._news.set()
        await feed.room.wait()

    def _judge(self, feed: _Feed, last: LogLine) -> None:
        """A source whose lines come late is slow, until they come in time again."""
        if last.late >= LATE and feed.state.health is Health.OK:
            self._say(feed, Health.SLOW, f"{last.late // SECOND} s late")
        elif last.late == 0 and feed.state.health is Health.SLOW:
            self._say(feed, Health.OK)

    def _say(self, feed: _Feed, health: Health, error: str = "") -> None:
        if feed.state.health is Health.LOST and health is Health.ENDED:
            return
        now = time.time_ns()
        feed.state = msgspec.structs.replace(feed.state, health=health, since=now, error=safe_line(error))
        self._states.append(feed.state)


def _time_of(line: LogLine) -> int:
    return line.time


async def merged(
    sources: Sequence[Tail], bench: Bench, *, since: int = 0, follow: bool = True
) -> AsyncGenerator[LogBatch, None]:
    """Lines of all sources by time, and every change of a source's state as it comes.

    Ends when every source has ended; with `follow` that is when its consumer closes it. One batch with
    `caught_up` and no lines says that the history of every source has been delivered.

    Args:
        sources: What to read; a source that fails is a state, never an exception.
        bench: What the readers work with.
        since: Nanoseconds since 1970; 0 means the last lines of each source.
        follow: Go on with lines as they come.
    """
    merge = _Merge(sources, bench, since, follow)
    async with aclosing(merge.run()) as batches:
        async for batch in batches:
            yield batch
