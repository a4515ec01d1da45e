"""Lines that say the same but for numbers fold into one row: `~ 212 like "timeout <n>ms ..."`."""

from __future__ import annotations

import re

from ondeck.observe.logstore import SECOND, Filtered, LogStore
from ondeck.observe.records import Level, LogLine

_VARYING = re.compile(r"\b0x[0-9a-fA-F]+\b|\b[0-9a-fA-F]{8}[0-9a-fA-F-]*\b|\d+(?:\.\d+)*")
# A line joins a fold that was one of the last so many rows, and within so many seconds.
REACH = 8
WITHIN = 30


def shape(message: str) -> str:
    """The message with numbers, addresses and ids as `<n>`."""
    return _VARYING.sub("<n>", message[:200])


class Fold:
    """One row of a folded view: a line, and those like it that came after it.

    Attributes:
        ids: All of them; the first is the line that is shown.
        shape: What they have in common.
        sources: Where they came from.
        first: ns of the first.
        last: ns of the latest.
    """

    __slots__ = ("first", "ids", "last", "level", "shape", "sources")

    def __init__(self, number: int, line: LogLine, form: str) -> None:
        self.ids = [number]
        self.shape = form
        self.sources = {line.source}
        self.level: Level = line.level
        self.first = self.last = line.time

    def takes(self, line: LogLine, form: str) -> bool:
        """True when the line belongs to it."""
        return (
            form == self.shape and line.level == self.level and abs(line.time - self.last) <= WITHIN * SECOND
        )

    def add(self, number: int, line: LogLine) -> None:
        """Take a line in."""
        self.ids.append(number)
        self.sources.add(line.source)
        self.last = max(self.last, line.time)

    @property
    def folded(self) -> bool:
        """True when it stands for more than its first line."""
        return len(self.ids) > 1

    def text(self) -> str:
        """What it says when folded, such as `212 like "timeout <n>ms" from 3 sources, 6 s`."""
        sources = f"{len(self.sources)} sources" if len(self.sources) > 1 else next(iter(self.sources))
        return f'{len(self.ids)} like "{self.shape}" from {sources}, {(self.last - self.first) // SECOND} s'


class Folded:
    """The rows of a view with repeats folded; costs what is new since the last `update`.

    Start it on a view that is `done`; a new filter needs a new one.

    Args:
        store: Holds the lines.
        view: Those of them that are folded.
        start: Id of the oldest line that is looked at.
    """

    def __init__(self, store: LogStore, view: Filtered, start: int = 0) -> None:
        self._store = store
        self._view = view
        self._next = max(start, store.first)
        self.rows: list[Fold] = []

    def update(self) -> None:
        """Take in what passes the view and is new, and forget rows whose lines had to make room."""
        first = self._store.first
        while self.rows and self.rows[0].ids[-1] < first:
            del self.rows[: max(1, self._gone(first))]
        for number in self._view.ids[self._view.row_of(max(self._next, first)) :]:
            line = self._store[number]
            form = shape(line.message)
            for row in self.rows[: -REACH - 1 : -1]:
                if row.takes(line, form):
                    row.add(number, line)
                    break
            else:
                self.rows.append(Fold(number, line, form))
        self._next = self._store.end

    def _gone(self, first: int) -> int:
        return next((at for at, row in enumerate(self.rows) if row.ids[-1] >= first), len(self.rows))


def repeats(store: LogStore, view: Filtered, most: int) -> list[Fold]:
    """What repeats in the newest `most` lines of a store that pass a view, the most frequent first."""
    folded = Folded(store, view, store.end - most)
    folded.update()
    return sorted((row for row in folded.rows if row.folded), key=lambda row: -len(row.ids))
