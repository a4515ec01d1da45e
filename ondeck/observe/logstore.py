"""The lines that a face holds: a ring with stable ids, and filters that follow it as it moves.

A `LogStore` keeps the last lines, bounded by count and bytes. A `Filtered` is one view of it: filter,
search hits, errors. It costs what is new, not what is there; a new filter is worked off in slices from
the newest line backwards, so that what is on screen is right at once.
"""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import TypeAlias

import msgspec

from ondeck.observe.logwords import Term, visible
from ondeck.observe.patterns import Pattern
from ondeck.observe.records import Level, LogLine

# Bytes that a line costs beside its message.
OVERHEAD = 160
SECOND = 1_000_000_000
LEVELS = len(Level)


class LogStore:
    """The last lines, in the order they were delivered. The id of a line never changes.

    Args:
        capacity_lines: Lines that are kept at least until there are more bytes than allowed.
        capacity_bytes: Estimated bytes of memory for them.
    """

    def __init__(self, capacity_lines: int = 200_000, capacity_bytes: int = 128 << 20) -> None:
        self._capacity = capacity_lines
        self._capacity_bytes = capacity_bytes
        self._lines: list[LogLine] = []
        self._reached: list[int] = []
        self._first = 0
        self._bytes = 0
        self._gone = 0

    @property
    def first(self) -> int:
        """Id of the oldest line that is still held."""
        return self._first

    @property
    def end(self) -> int:
        """Id that the next line will get."""
        return self._first + len(self._lines)

    @property
    def size(self) -> int:
        """Estimated bytes of what is held."""
        return self._bytes

    @property
    def gone(self) -> int:
        """Lines that had to make room."""
        return self._gone

    def __len__(self) -> int:
        return len(self._lines)

    def __getitem__(self, number: int) -> LogLine:
        """The line with an id.

        Raises:
            IndexError: It is not held any more, or not yet.
        """
        at = number - self._first
        if at < 0:
            raise IndexError(f"line {number} had to make room")
        return self._lines[at]

    def lines(self, first: int, end: int) -> list[LogLine]:
        """Lines from one id up to, not including, another; what is not held is left out."""
        return self._lines[max(first - self._first, 0) : max(end - self._first, 0)]

    def append(self, lines: Sequence[LogLine]) -> None:
        """Take lines; the oldest make room in strides of a sixteenth, so that it costs next to nothing."""
        if not lines:
            return
        reached = self._reached[-1] if self._reached else 0
        self._lines.extend(lines)
        self._reached.extend(list(accumulate((line.time for line in lines), max, initial=reached))[1:])
        self._bytes += sum(len(line.message) for line in lines) + OVERHEAD * len(lines)
        surplus = len(self._lines) - self._capacity
        if surplus > 0 or self._bytes > self._capacity_bytes:
            self._make_room(surplus)

    def clear(self) -> None:
        """Forget every line, on purpose: none of them had to make room. Ids go on."""
        self._drop(len(self._lines))
        self._gone = 0

    def at_time(self, time: int) -> int:
        """Id of the first line at or after a time (ns); `end` when there is none."""
        return self._first + bisect.bisect_left(self._reached, time)

    def _make_room(self, surplus: int) -> None:
        if surplus > 0:
            self._drop(min(surplus + self._capacity // 16, len(self._lines)))
        while self._bytes > self._capacity_bytes and self._lines:
            self._drop(max(1, len(self._lines) // 16))

    def _drop(self, count: int) -> None:
        old = self._lines[:count]
        self._bytes -= sum(len(line.message) for line in old) + OVERHEAD * len(old)
        del self._lines[:count]
        del self._reached[:count]
        self._first += count
        self._gone += count


Test: TypeAlias = Pattern | Term
"""What a line is held against: the level word, the source and the message of it."""


class LogFilter(msgspec.Struct, frozen=True):
    """What a view shows.

    Attributes:
        keep: A line has to match every one of them.
        drop: A line that matches one of them is not shown.
    """

    keep: tuple[Test, ...] = ()
    drop: tuple[Test, ...] = ()

    def plus(self, test: Test) -> LogFilter:
        """The filter that also keeps to a test: the hits of a search within it."""
        return LogFilter((*self.keep, test), self.drop)

    def minus(self, test: Test) -> LogFilter:
        """The filter that also drops what passes a test."""
        return LogFilter(self.keep, (*self.drop, test))

    def pick(self, lines: Sequence[LogLine]) -> list[int]:
        """Indexes of the lines that pass."""
        rows: Sequence[int] = range(len(lines))
        for test in self.keep:
            hits = _hits(test, lines, rows)
            rows = [row for row in rows if row in hits]
        for test in self.drop:
            hits = _hits(test, lines, rows)
            rows = [row for row in rows if row not in hits]
        return list(rows)


def _hits(test: Test, lines: Sequence[LogLine], rows: Sequence[int]) -> set[int]:
    pattern = test.pattern if isinstance(test, Term) else test
    if isinstance(test, Term):
        rows = test.narrow(lines, rows)
    if pattern is None:
        return set(rows)
    found = _matching(pattern, [visible(lines[row]) for row in rows], rows)
    if "^" in pattern.text:  # the begin of the message is the begin of a line as well
        found |= _matching(pattern, [lines[row].message for row in rows], rows)
    return found


def _matching(pattern: Pattern, texts: Sequence[str], rows: Sequence[int]) -> set[int]:
    if not rows:
        return set()
    encoded = [text.encode() for text in texts]
    starts = list(accumulate((len(data) + 1 for data in encoded), initial=0))[:-1]
    return {rows[index] for index in pattern.rows(b"\n".join(encoded), starts)}


class Histogram(msgspec.Struct, frozen=True):
    """Counts of lines by level over equal stretches of time.

    Attributes:
        start: ns of the first bucket's begin.
        step: ns of one bucket.
        counts: For every bucket, the count of each `Level` by its number.
    """

    start: int
    step: int
    counts: tuple[tuple[int, ...], ...]


class Filtered:
    """The lines of a store that pass a filter, kept up to date.

    Call `update` after the store took lines, and `work` until it says that it is done after the
    filter was made. Rows are positions in `ids`; use ids to remember a line.
    """

    def __init__(self, store: LogStore, chosen: LogFilter | None = None) -> None:
        self._store = store
        self.filter = chosen or LogFilter()
        self._all = self.filter == LogFilter()
        self._ids: list[int] = []
        self._oldest = self._newest = store.end
        self._seconds: dict[int, list[int]] = {}

    @property
    def ids(self) -> Sequence[int]:
        """Ids of the lines that pass, oldest first."""
        return range(self._oldest, self._newest) if self._all else self._ids

    @property
    def done(self) -> bool:
        """True when every held line has been looked at."""
        return self._oldest <= self._store.first

    def __len__(self) -> int:
        return self._newest - self._oldest if self._all else len(self._ids)

    def work(self, lines: int = 10_000) -> bool:
        """Look at some older lines; True when there are none left. 10,000 take about 10 ms."""
        self._forget()
        if not self.done:
            start = max(self._oldest - lines, self._store.first)
            found = self._look(start, self._oldest)
            self._oldest = start
            if found:
                self._ids[:0] = found
        return self.done

    def finish(self) -> Filtered:
        """Look at everything now; for one-shot commands and tests."""
        while not self.work():
            pass
        self.update()
        return self

    def update(self) -> int:
        """Look at what the store took since the last time; how many new lines pass."""
        self._forget()
        end = self._store.end
        start = max(self._newest, self._store.first)
        if start >= end:
            return 0
        found = self._look(start, end)
        self._newest = end
        self._ids.extend(found)
        return end - start if self._all else len(found)

    def line(self, row: int) -> LogLine:
        """The line at a row."""
        return self._store[self.ids[row]]

    def row_of(self, number: int) -> int:
        """Row of the line with an id, or of the next one that passes; `len` when there is none."""
        return bisect.bisect_left(self.ids, number)

    def row_at(self, time: int) -> int:
        """Row of the first line at or after a time (ns)."""
        return self.row_of(self._store.at_time(time))

    def next(self, number: int, *, back: bool = False) -> int | None:
        """Id of the nearest line that passes after (or before) the one with an id: `n` and `N`."""
        ids = self.ids
        row = bisect.bisect_left(ids, number) - 1 if back else bisect.bisect_right(ids, number)
        return ids[row] if 0 <= row < len(ids) else None

    def next_error(self, number: int, *, back: bool = False) -> int | None:
        """Id of the nearest line of level ERROR or FATAL among those that pass: `e` and `E`."""
        found = self.next(number, back=back)
        if found is None:
            return None
        row = self.row_of(found)
        rows = range(row, -1, -1) if back else range(row, len(self))
        ids = self.ids
        return next((ids[r] for r in rows if self._store[ids[r]].level >= Level.ERROR), None)

    def by_source(self) -> Counter[str]:
        """How many lines of each source pass."""
        store = self._store
        return Counter(store[number].source for number in self.ids)

    def histogram(self, buckets: int, start: int = 0, end: int = 0) -> Histogram:
        """Counts by level from the first to the last second, or between two times (ns)."""
        oldest = self._store[self._store.first].time if len(self._store) else 0
        live = [second for second in self._seconds if second >= (start or oldest) // SECOND]
        first = start or (min(live) * SECOND if live else oldest)
        last = end or ((max(live) + 1) * SECOND if live else first + SECOND)
        step = max(SECOND, -(-(last - first) // buckets))
        counts = [[0] * LEVELS for _ in range(buckets)]
        for second in live:
            bucket = (second * SECOND - first) // step
            if 0 <= bucket < buckets:
                into = counts[bucket]
                for level, count in enumerate(self._seconds[second]):
                    into[level] += count
        return Histogram(first, step, tuple(tuple(count) for count in counts))

    def _look(self, start: int, end: int) -> list[int]:
        lines = self._store.lines(start, end)
        if self._all:
            self._tally(lines)
            return []
        rows = self.filter.pick(lines)
        self._tally([lines[row] for row in rows])
        return [start + row for row in rows]

    def _tally(self, lines: Iterable[LogLine]) -> None:
        seconds = self._seconds
        for line in lines:
            second = line.time // SECOND
            if second not in seconds:
                seconds[second] = [0] * LEVELS
            seconds[second][line.level] += 1

    def _forget(self) -> None:
        first = self._store.first
        if self._oldest >= first:
            return
        self._oldest = first
        self._newest = max(self._newest, first)
        if self._ids:
            del self._ids[: bisect.bisect_left(self._ids, first)]
        if len(self._store):
            oldest = self._store[first].time // SECOND
            for second in [second for second in self._seconds if second < oldest]:
                del self._seconds[second]
