"""The lines of a store that pass a filter, with markers at their second: what the log view reads."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Sequence

from ondeck.observe.logstore import Filtered, LogFilter, LogStore
from ondeck.observe.records import LogLine, SourceState
from tui.app.logview_lines import Marker


class LogLines:
    """A window of lines by index. Markers stand where their time puts them."""

    def __init__(self, store: LogStore) -> None:
        self.store = store
        self.filtered = Filtered(store)
        self._markers: list[Marker] = []
        self._places: list[int] = []
        self._gone = 0
        self._generation = 0

    @property
    def first_id(self) -> int:
        """Grows when old lines make room."""
        return self._gone

    @property
    def generation(self) -> int:
        """Another number after another filter or an older marker."""
        return self._generation

    def __len__(self) -> int:
        return len(self.filtered) + len(self._markers)

    def line(self, index: int) -> LogLine | Marker:
        """A line or a marker."""
        before = bisect.bisect_left(self._places, index)
        if before < len(self._places) and self._places[before] == index:
            return self._markers[before]
        return self.filtered.line(index - before)

    def number_at(self, index: int) -> int:
        """Id in the store of the line at an index, or of the next line when it is a marker."""
        row = index - bisect.bisect_left(self._places, index)
        ids = self.filtered.ids
        return ids[row] if row < len(ids) else self.store.end

    def index_of(self, number: int) -> int:
        """Index of the line with an id."""
        row = self.filtered.row_of(number)
        index = row
        for place in self._places:
            if place <= index:
                index += 1
        return index

    def choose(self, chosen: LogFilter) -> None:
        """Another filter; works from the newest line backwards."""
        self.filtered = Filtered(self.store, chosen)
        self.filtered.work()
        self._generation += 1
        self._place()

    def mark(self, markers: Sequence[Marker]) -> None:
        """These markers and no others."""
        fresh = sorted(markers, key=lambda m: m.time)
        if fresh != self._markers:
            self._markers = fresh
            self._generation += 1
            self._place()

    def take(self) -> None:
        """Look at what the store took since the last time."""
        gone = bisect.bisect_left(self.filtered.ids, self.store.first)
        self._gone += gone
        self.filtered.update()
        if not self.filtered.done:
            before = len(self.filtered)
            self.filtered.work()
            if len(self.filtered) != before:
                self._generation += 1
        self._place()

    def _place(self) -> None:
        self._places = [self.filtered.row_at(marker.time) + at for at, marker in enumerate(self._markers)]


def begin_markers(states: Iterable[SourceState], oldest: int, gone: int) -> list[Marker]:
    """Where the history of a source begins, at its place; silence means that all of it is there.

    Args:
        states: Of every source.
        oldest: Time of the first line that is held, ns.
        gone: Lines that had to make room.
    """
    found = [Marker(oldest, f"{gone} OLDER LINES had to make room here")] if gone else []
    for state in states:
        if state.cut is None or (gone and state.cut.time < oldest):
            continue
        head = "HISTORY BEGINS" if state.cut.time else "HAS NO HISTORY"
        time = max(state.cut.time, oldest) if state.cut.time else 0
        found.append(Marker(time, f"{state.source} {head}: {state.cut.why}"))
    return found
