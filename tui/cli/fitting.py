"""A table on a terminal: columns cut or left out until every row fits one line of it."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Sequence

import msgspec

GAP = 2
_CUT = ".."
_FLOOR = 12  # columns of text that still say something
_LEAST = 4


class Fitted(msgspec.Struct, frozen=True):
    """What is left of a table.

    Attributes:
        columns: Indexes of the columns that are shown.
        widths: Of each of them, in columns of the terminal.
        cut: Something of it is not shown.
    """

    columns: tuple[int, ...]
    widths: tuple[int, ...]
    cut: bool


def columns_of(text: str) -> int:
    """How many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )


def cut(text: str, width: int) -> str:
    """The text within a width, its end replaced by `..` where it is longer."""
    if columns_of(text) <= width:
        return text
    while text and columns_of(text) > width - len(_CUT):
        text = text[:-1]
    return (text + _CUT)[:width]


def padded(text: str, width: int, *, right: bool = False) -> str:
    """The text with blanks up to a width."""
    blanks = " " * (width - columns_of(text))
    return blanks + text if right else text + blanks


def folded(text: str, width: int) -> list[str]:
    """The text on lines of its own, indented and folded at words."""
    # A letter of two columns is counted as one by textwrap: such a text gets half the room.
    room = width if columns_of(text) <= len(text) else width // 2
    indent = " " * min(4, room - 1)
    lines = textwrap.wrap(text, room, initial_indent=indent, subsequent_indent=indent)
    return [f"{line}\n" for line in lines]


def fit(cells: Sequence[Sequence[str]], width: int, *, spare: Sequence[int], drop: Sequence[int]) -> Fitted:
    """Widths of columns so that a row takes at most `width`.

    Args:
        cells: Rows, the titles first.
        width: Columns of the terminal.
        spare: Columns whose text may be cut, the least important first.
        drop: Columns that may be left out, the least important first.
    """
    wanted = {i: max(columns_of(row[i]) for row in cells) for i in range(len(cells[0]))}
    widths = dict(wanted)
    waiting = list(drop)
    while not _shrunk(widths, width, [i for i in spare if i in widths], _FLOOR) and waiting:
        widths.pop(waiting.pop(0), None)
        widths = {i: wanted[i] for i in widths}
    if _total(widths) > width:
        _shrunk(widths, width, [*(i for i in spare if i in widths), *reversed(widths)], _LEAST)
    while _total(widths) > width and len(widths) > 1:
        widths.popitem()
    first = min(widths)
    if len(widths) == 1:
        widths[first] = min(widths[first], width)
    return Fitted(tuple(widths), tuple(widths.values()), widths != wanted)


def _total(widths: dict[int, int]) -> int:
    return sum(widths.values()) + GAP * (len(widths) - 1)


def _shrunk(widths: dict[int, int], width: int, spare: Sequence[int], floor: int) -> bool:
    """Narrow what may be cut, in order; True when the table fits then."""
    for i in spare:
        over = _total(widths) - width
        if over > 0 and widths[i] > floor:
            widths[i] = max(floor, widths[i] - over)
    return _total(widths) <= width
