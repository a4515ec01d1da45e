"""Rows of text with roles: what a board draws. Built by panes, free of widgets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size

Part = str | tuple[str, str]
"""A text, or a text and its role."""


class Row(NamedTuple):
    """One line.

    Attributes:
        parts: Texts from the left, each with a role.
        right: Texts at the right edge; the left gives way to them.
        key: What the cursor stands on; empty for a line it skips.
    """

    parts: tuple[tuple[str, str], ...]
    right: tuple[tuple[str, str], ...] = ()
    key: str = ""

    @property
    def text(self) -> str:
        """All of it, for filters and tests."""
        return "".join(text for text, _ in (*self.parts, *self.right))


def _parts(values: Iterable[Part]) -> tuple[tuple[str, str], ...]:
    return tuple((value, "") if isinstance(value, str) else value for value in values)


def row(*parts: Part, right: Sequence[Part] = (), key: str = "") -> Row:
    """A line of parts."""
    return Row(_parts(parts), _parts(right), key)


BLANK = Row(())


def heading(text: str, *, right: Sequence[Part] = ()) -> Row:
    """The line above a section."""
    return Row(((text, "heading"),), _parts(right))


def rule(text: str, width: int, note: str = "") -> Row:
    """`-- checkout@prod  40 hosts ------------------ data 3s`."""
    tail = f" {note}" if note else ""
    head = f"-- {text} " if text else ""
    dashes = max(2, width - cell_len(head) - cell_len(tail) - 2)
    return Row(((head, "heading"), ("-" * dashes, "dim"), (tail, "dim")))


def fit(text: str, width: int) -> str:
    """Exactly so many cells; what is cut off ends in `~`."""
    if width <= 0:
        return ""
    if text.isascii():
        if len(text) <= width:
            return text.ljust(width)
        return text[: width - 1] + "~"
    if cell_len(text) <= width:
        return set_cell_size(text, width)
    return set_cell_size(text, width - 1) + "~"


def right_fit(text: str, width: int) -> str:
    """As `fit`, at the right of the column."""
    length = cell_len(text)
    return " " * (width - length) + text if length <= width else fit(text, width)


class Column(NamedTuple):
    """A column of a grid: its head, least and greatest width, and whether it is a figure."""

    head: str
    least: int = 0
    most: int = 60
    figure: bool = False


class Line(NamedTuple):
    """A line of a grid: one cell a column and the key of the row."""

    cells: tuple[Part, ...]
    key: str = ""


def grid(columns: Sequence[Column], lines: Sequence[Line], width: int, *, head: bool = True) -> list[Row]:
    """Lines as aligned rows. Columns take what they need; where room lacks those at the right give way.

    No column gets narrower than its head and its `least`, a figure is never cut: it vanishes whole.
    """
    needed = _widths(columns, lines, width)
    rows = [_head(columns, needed)] if head else []
    for line in lines:
        rows.append(Row(tuple(_cells(columns, line, needed)), key=line.key))
    return rows


def _head(columns: Sequence[Column], widths: Sequence[int]) -> Row:
    words = [
        (right_fit if column.figure else fit)(column.head, width)
        for column, width in zip(columns, widths, strict=True)
        if width
    ]
    return Row((("  ".join(words), "head"),))


def _cells(columns: Sequence[Column], line: Line, widths: Sequence[int]) -> Iterable[tuple[str, str]]:
    first = True
    for column, cell, width in zip(columns, line.cells, widths, strict=True):
        if not width:
            continue
        text, role = (cell, "") if isinstance(cell, str) else cell
        if not first:
            yield "  ", ""
        first = False
        yield (right_fit if column.figure else fit)(text, width), role


def _widths(columns: Sequence[Column], lines: Sequence[Line], width: int) -> list[int]:
    needed = []
    for index, column in enumerate(columns):
        longest = max((cell_len(_text(line.cells[index])) for line in lines), default=0)
        needed.append(min(column.most, max(column.least, len(column.head), longest)))
    floors = [
        needed[at] if column.figure else min(needed[at], max(len(column.head), column.least))
        for at, column in enumerate(columns)
    ]
    for at in range(len(columns) - 1, 0, -1):
        if sum(floors) + 2 * (sum(1 for f in floors if f) - 1) <= width:
            break
        floors[at] = needed[at] = 0
    for at in range(len(columns) - 1, -1, -1):
        over = sum(needed) + 2 * (sum(1 for n in needed if n) - 1) - width
        if over <= 0:
            break
        needed[at] = max(floors[at], needed[at] - over)
    return needed


def _text(cell: Part) -> str:
    return cell if isinstance(cell, str) else cell[0]
