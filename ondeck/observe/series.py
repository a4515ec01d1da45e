"""A fixed number of (time, value): what a chart draws. Gaps stay gaps."""

from __future__ import annotations

import bisect
from array import array

NS = 1_000_000_000


class Ring:
    """The last samples of one figure.

    Args:
        capacity: Samples that are kept at least.
        gap: Seconds between two samples from which on nothing is known between them.
    """

    def __init__(self, capacity: int = 1800, *, gap: float = 10.0) -> None:
        self._capacity = capacity
        self._gap = int(gap * NS)
        self._times = array("q")
        self._values = array("d")

    def __len__(self) -> int:
        return len(self._times)

    def add(self, time: int, value: float | None) -> None:
        """Take a sample (time in ns); None and times that do not go on are left out."""
        if value is None or (self._times and time <= self._times[-1]):
            return
        self._times.append(time)
        self._values.append(value)
        if len(self._times) >= self._capacity + self._capacity // 4 + 1:
            surplus = len(self._times) - self._capacity
            del self._times[:surplus]
            del self._values[:surplus]

    @property
    def last(self) -> tuple[int, float] | None:
        """The newest sample."""
        return (self._times[-1], self._values[-1]) if self._times else None

    def at(self, time: int) -> float | None:
        """The value at a time (ns): the newest sample before it, None across a gap."""
        row = bisect.bisect_right(self._times, time) - 1
        if row < 0 or time - self._times[row] > self._gap:
            return None
        return self._values[row]

    def buckets(self, width: int, start: int, end: int) -> list[float | None]:
        """The highest value of each of `width` equal stretches from start to end (ns); None in gaps.

        Stretches shorter than the sampling show the sample before, as long as it is not a gap away.
        """
        step = max(1, (end - start) // max(1, width))
        row = bisect.bisect_left(self._times, start)
        found: list[float | None] = []
        for index in range(width):
            until = start + (index + 1) * step
            stop = bisect.bisect_left(self._times, until, row)
            if stop > row:
                found.append(max(self._values[row:stop]))
            else:
                found.append(self.at(until - 1))
            row = stop
        return found

    def slope(self, seconds: float) -> float | None:
        """Change a second over the last so many seconds (least squares); None with too little to say."""
        if len(self._times) < 3:
            return None
        first = bisect.bisect_left(self._times, self._times[-1] - int(seconds * NS))
        times = [(time - self._times[-1]) / NS for time in self._times[first:]]
        values = self._values[first:]
        if len(times) < 3 or times[-1] - times[0] < seconds / 10:
            return None
        middle = sum(times) / len(times)
        level = sum(values) / len(values)
        spread = sum((time - middle) ** 2 for time in times)
        pairs = zip(times, values, strict=True)
        return sum((time - middle) * (value - level) for time, value in pairs) / spread
