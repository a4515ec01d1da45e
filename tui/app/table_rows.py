"""What a live table shows: its columns and rows, filtering, sorting and the widths of columns."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any, Literal, TypeAlias

import msgspec
from rich.cells import cell_len

Cell: TypeAlias = str | tuple[str, str]
"""Text, or text and the role it is drawn in."""

_DIGITS = re.compile(r"(\d+)")
_MEASURED = 4000


class Column(msgspec.Struct, frozen=True):
    """A column of a table.

    Attributes:
        key: Stable name; never shown.
        title: What stands above it.
        min: Cells it needs to make sense.
        max: Cells it never exceeds; 0 means as wide as its text.
        flex: Share of the room that is left over; 0 takes none.
        align: Where the text stands; numbers go right.
        priority: 0 always stays; on a narrow screen the highest numbers vanish first.
        sort_key: Turns a cell's text into what is compared; natural order when None.
        high_first: The first sort by this column puts the highest on top.
    """

    key: str
    title: str
    min: int = 4
    max: int = 0
    flex: int = 0
    align: Literal["left", "right"] = "left"
    priority: int = 0
    sort_key: Callable[[str], Any] | None = None
    high_first: bool = False


class Row(msgspec.Struct, frozen=True, gc=False):
    """A row: texts and, beside them, roles (`ok`, `bad`, ...) or nothing at all.

    Attributes:
        roles: One role a cell, or empty when every cell is plain text.
        section: A line between rows that cannot be chosen; only its first cell is shown.
    """

    key: str
    cells: tuple[str, ...]
    roles: tuple[str, ...] = ()
    section: bool = False

    def role(self, index: int) -> str:
        """The role of a cell; empty for plain text."""
        return self.roles[index] if index < len(self.roles) else ""


def row(key: str, *cells: Cell) -> Row:
    """A row from cells that are text or (text, role)."""
    texts = tuple(cell if isinstance(cell, str) else cell[0] for cell in cells)
    if all(isinstance(cell, str) for cell in cells):
        return Row(key, texts)
    return Row(key, texts, tuple("" if isinstance(cell, str) else cell[1] for cell in cells))


def section(key: str, text: str, role: str = "title") -> Row:
    """A line of its own above a group of rows; vanishes with the last row of its group."""
    return Row(key, (text,), (role,), section=True)


def natural(text: str) -> tuple[Any, ...]:
    """Sort key that reads numbers as numbers: web-9 before web-10, 9 % before 80 %; `?` comes last."""
    if not text or (text[0] in "?-" and not text[1:2].isdigit()):
        return (1,)
    parts: list[Any] = _DIGITS.split(text.casefold())
    parts[1::2] = map(int, parts[1::2])
    return (0, *parts)


def matcher(text: str) -> Callable[[str], bool]:
    """Whether lower-case text holds every word, and none of the words written with `!` before them."""
    words = text.casefold().split()
    keep = [word for word in words if not word.startswith("!")]
    drop = [word[1:] for word in words if word.startswith("!") and len(word) > 1]
    if len(keep) == 1 and not drop:
        only = keep[0]
        return lambda hay: only in hay
    return lambda hay: all(word in hay for word in keep) and not any(word in hay for word in drop)


class Rows:
    """All rows of a table in the caller's order, and the view of them that is shown."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self.columns = tuple(columns)
        self.by_key: dict[str, Row] = {}
        self.view: list[Row] = []
        self.sorted_by: tuple[int, bool] | None = None
        self._filter: str | Callable[[Row], bool] = ""
        self._hay: dict[str, str] = {}
        self._positions: dict[str, int] | None = None
        self._has_sections = False

    @property
    def filter(self) -> str | Callable[[Row], bool]:
        """The filter as it was set."""
        return self._filter

    def replace(self, rows: Iterable[Row]) -> None:
        """Take new rows in the caller's order; a key that stands twice keeps its last row."""
        fresh = {item.key: item for item in rows}
        if self._hay:
            old = self.by_key
            self._hay = {key: hay for key, hay in self._hay.items() if fresh.get(key) is old.get(key)}
        self.by_key = fresh
        self._has_sections = any(item.section for item in fresh.values())
        self.rebuild()

    def put(self, item: Row) -> bool:
        """Replace or add one row; True when the order or number of shown rows may have changed."""
        old = self.by_key.get(item.key)
        self.by_key[item.key] = item
        self._hay.pop(item.key, None)
        if old is None or old.section != item.section:
            self._has_sections = self._has_sections or item.section
            self.rebuild()
            return True
        at = self.position(item.key)
        if self._filter and (at is not None) != self._passes(item):
            self.rebuild()
            return True
        if at is None:
            return False
        if self.sorted_by is not None and self._sort_value(old) != self._sort_value(item):
            self.rebuild()
            return True
        self.view[at] = item
        return False

    def drop(self, keys: Iterable[str]) -> None:
        """Forget rows; keys that are not there are fine."""
        for key in keys:
            self.by_key.pop(key, None)
            self._hay.pop(key, None)
        self.rebuild()

    def sort(self, column: int | None, reverse: bool = False) -> None:
        """Order by a column, or as the caller gave them."""
        self.sorted_by = None if column is None else (column, reverse)
        self.rebuild()

    def filter_by(self, wanted: str | Callable[[Row], bool]) -> None:
        """Show only rows that hold the words, or that a function accepts; empty text shows all."""
        self._filter = wanted if callable(wanted) else wanted.strip()
        self.rebuild()

    def position(self, key: str) -> int | None:
        """Where a row stands in the view; None when it is not shown."""
        if self._positions is None:
            self._positions = {item.key: at for at, item in enumerate(self.view)}
        return self._positions.get(key)

    def shown_count(self) -> int:
        """Rows that are shown, without sections."""
        if not self._has_sections:
            return len(self.view)
        return sum(not item.section for item in self.view)

    def count(self) -> int:
        """All rows, without sections."""
        if not self._has_sections:
            return len(self.by_key)
        return sum(not item.section for item in self.by_key.values())

    def rebuild(self) -> None:
        """Make the view again from the rows, the filter and the order."""
        view = list(self.by_key.values())
        if self._filter:
            view = self._filtered(view)
        if self._has_sections:
            view = self._grouped(view)
        elif self.sorted_by is not None:
            view.sort(key=self._sort_value, reverse=self.sorted_by[1])
        self.view = view
        self._positions = None

    def _filtered(self, rows: list[Row]) -> list[Row]:
        if callable(self._filter):
            accept = self._filter
            return [item for item in rows if item.section or accept(item)]
        test = matcher(self._filter)
        hay = self._hay
        if len(hay) < len(self.by_key):
            for item in rows:
                if item.key not in hay:
                    hay[item.key] = _searched(item)
        return [item for item in rows if item.section or test(hay[item.key])]

    def _passes(self, item: Row) -> bool:
        if item.section or not self._filter:
            return True
        return self._filter(item) if callable(self._filter) else matcher(self._filter)(_searched(item))

    def _grouped(self, rows: list[Row]) -> list[Row]:
        groups: list[tuple[Row | None, list[Row]]] = [(None, [])]
        for item in rows:
            if item.section:
                groups.append((item, []))
            else:
                groups[-1][1].append(item)
        view: list[Row] = []
        for head, members in groups:
            if self.sorted_by is not None:
                members.sort(key=self._sort_value, reverse=self.sorted_by[1])
            if head is not None and (members or not self._filter):
                view.append(head)
            view += members
        return view

    def _sort_value(self, item: Row) -> Any:  # noqa: ANN401 - whatever the column's key makes of its text
        column = self.sorted_by[0] if self.sorted_by else 0
        text = item.cells[column] if column < len(item.cells) else ""
        key = self.columns[column].sort_key
        return key(text) if key is not None else natural(text)

    def widths_wanted(self) -> list[int]:
        """Cells that each column's text needs, from the first rows and a sample of the others."""
        step = max(1, len(self.view) // _MEASURED)
        sample = [item for item in islice(self.view, 0, None, step) if not item.section]
        wanted = [max(column.min, cell_len(column.title) + 2) for column in self.columns]
        for index in range(len(self.columns)):
            widest = max((_width(item.cells[index]) for item in sample if index < len(item.cells)), default=0)
            wanted[index] = max(wanted[index], widest)
        return wanted


def _searched(item: Row) -> str:
    return "\n".join(item.cells).casefold()


def _width(text: str) -> int:
    return len(text) if text.isascii() else cell_len(text)


def fit(columns: Sequence[Column], wanted: Sequence[int], room: int) -> list[int]:
    """The width of each column on a line of `room` cells; 0 hides it. One cell stands between columns.

    Columns vanish from the highest priority down until the least widths fit; then text gets what it wants
    from left to right, and what is left over goes to the columns that flex.
    """
    caps = [
        min(want, column.max) if column.max else want for column, want in zip(columns, wanted, strict=True)
    ]
    least = [min(column.min, cap) for column, cap in zip(columns, caps, strict=True)]
    shown = [True] * len(columns)

    def need() -> int:
        return sum(width + 1 for width, on in zip(least, shown, strict=True) if on)

    for index in sorted(range(len(columns)), key=lambda at: (-columns[at].priority, -at)):
        if need() <= room or columns[index].priority == 0:
            break
        shown[index] = False
    widths = [width if on else 0 for width, on in zip(least, shown, strict=True)]
    left = room - need()
    for index in sorted((at for at, on in enumerate(shown) if on), key=lambda at: (columns[at].flex > 0, at)):
        more = max(0, min(left, caps[index] - widths[index]))
        widths[index] += more
        left -= more
    flexing = [at for at, on in enumerate(shown) if on and columns[at].flex]
    total = sum(columns[at].flex for at in flexing)
    for at in flexing:
        limit = columns[at].max or room
        widths[at] = min(limit, widths[at] + max(0, left) * columns[at].flex // total)
    return widths
