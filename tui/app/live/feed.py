"""A followed stream of logs: parked while nobody looks, read again from where it was, or from further back."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

from ondeck.bench import Bench
from ondeck.engine import Engine, Handle, Mailbox
from ondeck.observe.logjoin import Joint
from ondeck.observe.logstore import LogStore
from ondeck.observe.records import Health, LogBatch, LogLine, SourceState

SECOND = 1_000_000_000
OVERLAP = 60 * SECOND
"""How far before the last held line sources are read again: clocks differ, and lines come late."""
MOST_BACK = 3600 * SECOND
"""A longer stretch that nobody looked is not read afterwards: it is said."""
MOST_LINES = 150_000
"""Lines of a history; what is newer is left for another look."""
WHOLE = 3.0
"""Seconds that lines wait for the rest of their history, so that held ones are told from new ones."""

Opener = Callable[[int], Callable[[Bench], AsyncIterator[LogBatch]]]
"""What reads every source since a time, 0 for the last lines of each."""


class LiveFeed:
    """Belongs to the face's thread; what nobody drained in time is dropped and counted."""

    def __init__(self, engine: Engine, opener: Opener | None, name: str, capacity: int = MOST_LINES) -> None:
        self.store = LogStore(200_000)
        self.gaps: list[tuple[int, int]] = []
        self.stopped = 0
        self._engine = engine
        self._opener = opener
        self._name = name
        self._capacity = capacity
        self._states: dict[str, SourceState] = {}
        self._handle: Handle | None = None
        self._mailbox = _mailbox()
        self._dropped = 0
        self._since = 0
        self._opened = 0
        self._gone = 0
        self._fixed: set[str] = set()
        self._caught_up = False
        self._parked = False
        self._joint: Joint | None = None
        self._waiting: list[LogLine] | None = None
        self._until = 0.0
        self._open(0)

    # -- opening and closing ----------------------------------------------------------------------

    def _open(self, since: int) -> None:
        self.close()
        self._since, self._opened = since, time.time_ns()
        self._caught_up, self.stopped, self._parked = False, 0, False
        for source, state in self._states.items():
            if source not in self._fixed:
                self._dropped += state.dropped
                fresh = SourceState(source, Health.CONNECTING, self._opened, state.seen)
                self._states[source] = fresh
        if self._opener is not None:
            self._handle = self._engine.stream(self._opener(since), self._mailbox, name=self._name)

    def _begin_anew(self, since: int) -> None:
        self.store.clear()
        self._gone = self.store.gone
        self.gaps, self._joint, self._waiting = [], None, None
        self._open(since)

    def close(self) -> None:
        """Stop following."""
        if self._handle is not None:
            self._handle.close()
            self._handle = None
        self._dropped += self._mailbox.dropped_ever
        self._mailbox = _mailbox()

    def park(self) -> None:
        """Close every source; lines stay, and `resume` goes on from them."""
        if self._handle is not None:
            self.drain()
            self._flush()
            self.close()
            self._parked = True

    def resume(self) -> None:
        """Read again from a little before the last held line; a stretch too long to read is a gap."""
        if not self._parked:
            return
        if not self._caught_up:
            self._begin_anew(self._since)  # its first lines never came whole
            return
        since = self._behind()
        held = self.store.lines(self.store.at_time(since), self.store.end)
        self._joint, self._waiting = Joint(held), []
        self._until = time.monotonic() + WHOLE
        self._open(since)

    def _behind(self) -> int:
        """From when to read after it was parked."""
        now = time.time_ns()
        if not len(self.store):
            return max(self._opened, now) - MOST_BACK
        last = self.store[self.store.end - 1].time
        troubled = [
            state.seen or state.since for state in self._states.values() if state.health is not Health.OK
        ]
        since = min(last, *troubled) - OVERLAP if troubled else last - OVERLAP
        if since >= now - MOST_BACK:
            return since
        if last < now - MOST_BACK:
            self.gaps.append((last, now - MOST_BACK))
        return now - MOST_BACK

    def reach(self, time: int) -> None:
        """Begin anew from a little before a time, unless it was asked for already or is held."""
        cut = bool(self.stopped) and time >= self.stopped
        asked = 0 < self._since <= time and self.store.gone == self._gone
        if cut or not (asked or self._holds(time)):
            self._begin_anew(time - OVERLAP)

    def _holds(self, time: int) -> bool:
        """Every source that said anything is held from a time on."""
        firsts: dict[str, int] = {}
        for line in self.store.lines(self.store.first, self.store.end):
            firsts.setdefault(line.source, line.time)
        return bool(firsts) and max(firsts.values()) <= time

    def live(self) -> None:
        """The newest lines, after a history was cut off; between them is a gap that nobody sees."""
        if self.stopped:
            self._begin_anew(0)

    # -- what came ----------------------------------------------------------------------------------

    def drain(self) -> int:
        """Move what has arrived into the store."""
        items, _dropped = self._mailbox.drain()
        before = self.store.end
        for batch in items:
            if batch.state is not None:
                self._states[batch.state.source] = batch.state
            if batch.lines:
                self._take(batch.lines)
            self._caught_up = self._caught_up or batch.caught_up
            if self.stopped:
                break
        if self._waiting is not None and (self._caught_up or time.monotonic() > self._until):
            self._flush()
        if self._handle is not None and self._handle.error and "stream" not in self._states:
            self._states["stream"] = SourceState(
                "stream", Health.LOST, time.time_ns(), error=self._handle.error
            )
        return self.store.end - before

    def _take(self, lines: Sequence[LogLine]) -> None:
        if self._waiting is not None:
            self._waiting += lines
        elif self._joint is not None:
            self.store.append(self._joint.fresh(lines, time.time_ns()))
        else:
            self.store.append(lines)
        last = lines[-1].time
        long = len(self.store) >= self._capacity and last < time.time_ns() - OVERLAP
        if long and self._since and not self._caught_up and self._joint is None:
            self.close()
            self.stopped = last

    def _flush(self) -> None:
        """Lines that waited for the rest of their history."""
        waiting, self._waiting = self._waiting, None
        if waiting and self._joint is not None:
            self.store.append(self._joint.fresh(waiting, time.time_ns()))

    def trouble(self, source: str, error: str) -> None:
        """A source that cannot even be asked."""
        self._fixed.add(source)
        self._states[source] = SourceState(source, Health.LOST, time.time_ns(), error=error)

    @property
    def asking(self) -> int:
        """Since when history is asked for that has not come whole yet."""
        return self._since if self._since and not self._caught_up and not self.stopped else 0

    def states(self) -> Mapping[str, SourceState]:
        """How each source is."""
        return self._states

    @property
    def dropped(self) -> int:
        """Lines that were thrown away, here or at their source."""
        here = self._dropped + self._mailbox.dropped_ever
        return here + sum(state.dropped for state in self._states.values())


def _mailbox() -> Mailbox[LogBatch]:
    return Mailbox(20_000, 32 << 20, size=_bytes, count=lambda batch: max(1, len(batch.lines)))


def _bytes(batch: LogBatch) -> int:
    return sum(len(line.message) for line in batch.lines) + 160 * len(batch.lines)
