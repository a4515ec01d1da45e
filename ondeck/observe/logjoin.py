"""Sources that are read again from a time before the last held line: which of their lines are new."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from ondeck.observe.records import LogLine

LONGEST = 50
"""Lines that are compared at most to find the place in a history without times."""


class Joint:
    """Held lines on one side, the same sources once more on the other; gives what only the other has.

    Lines are the same when source, time and text are. The lines of a file that carry no time get one for
    all each time that it is read: there the place is found where the last held texts stand in the same order.
    """

    def __init__(self, held: Iterable[LogLine]) -> None:
        self._held: dict[str, list[LogLine]] = {}
        for line in held:
            self._held.setdefault(line.source, []).append(line)
        self._counts = Counter(_key(line) for lines in self._held.values() for line in lines)
        self._newest = max((lines[-1].time for lines in self._held.values()), default=0)
        self._joined: set[str] = set()

    def fresh(self, lines: Sequence[LogLine], now: int) -> list[LogLine]:
        """Lines that are not held, in their order; those older than the newest held one say that they are late.

        The first lines of a source should be as many of its history as there are.
        """
        parts: dict[str, list[LogLine]] = {}
        for line in lines:
            parts.setdefault(line.source, []).append(line)
        kept: set[int] = set()
        for source, part in parts.items():
            kept.update(id(line) for line in self._of(source, part))
        return [self._late(line, now) for line in lines if id(line) in kept]

    def _of(self, source: str, lines: list[LogLine]) -> list[LogLine]:
        first, known = source not in self._joined, self._held.get(source, [])
        self._joined.add(source)
        new = [line for line in lines if not self._take(line)]
        if not first or not known:
            return new
        if len(new) == len(lines) and len({line.time for line in lines}) == 1:
            return lines[_behind(known[-LONGEST:], lines) :]
        return [line for line in new if line.time >= known[0].time]

    def _take(self, line: LogLine) -> bool:
        """True when it is held, once for each time that it is."""
        key = _key(line)
        if not self._counts[key]:
            return False
        self._counts[key] -= 1
        return True

    def _late(self, line: LogLine, now: int) -> LogLine:
        if line.late or line.time >= self._newest:
            return line
        return msgspec.structs.replace(line, late=max(1, now - line.time))


def _key(line: LogLine) -> tuple[str, int, str]:
    return line.source, line.time, line.message


def _behind(known: Sequence[LogLine], lines: Sequence[LogLine]) -> int:
    """Index behind the longest run of `lines` that the held ones end with; 0 when there is none."""
    best, place = 0, 0
    for end in range(1, len(lines) + 1):
        length = 0
        while length < min(end, len(known)) and lines[end - 1 - length].message == known[-1 - length].message:
            length += 1
        if length > best:
            best, place = length, end
    return place
