"""The lines of a table as strips: titles, a row, a heading between rows. Nothing here keeps state."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tui.app.table_rows import Column, Row

GUTTER = 2
"""Cells before the first column: where the cursor and the mark stand."""


def titles(
    columns: Sequence[Column], widths: Sequence[int], sorted_by: tuple[int, bool] | None, style: Style
) -> Strip:
    """The titles, with an arrow behind the one that sorts."""
    parts = [" " * GUTTER]
    for at, (column, width) in enumerate(zip(columns, widths, strict=False)):
        if width:
            arrow = ("v" if sorted_by[1] else "^") if sorted_by is not None and sorted_by[0] == at else ""
            title = shorten(column.title, width - len(arrow)) + arrow
            parts.append(aligned(title, width, column.align) + " ")
    return Strip([Segment("".join(parts), style)])


def section_line(item: Row, width: int, style: Style) -> Strip:
    """A heading between rows."""
    text = item.cells[0] if item.cells else ""
    return Strip([Segment(shorten(text, max(width, 1)), style)])


def row_line(
    item: Row,
    columns: Sequence[Column],
    widths: Sequence[int],
    style_of: Callable[[str], Style],
    fill: Style,
    *,
    here: bool,
    marked: bool,
) -> Strip:
    """One row; `here` has the cursor, whose band is already in `fill`."""
    pieces: list[tuple[str, Style]] = [(">" if here else " ", fill)]
    mark = fill + style_of("mark") if marked and not here else fill
    pieces.append(("*" if marked else " ", mark))
    for at, (column, width) in enumerate(zip(columns, widths, strict=False)):
        if not width:
            continue
        text, role = cell(item, at)
        style = fill + style_of(role) if role and not here else fill
        pieces.append((aligned(shorten(text, width), width, column.align), style))
        # The gap keeps a plain colour of text: equal neighbours then share one escape sequence.
        plain = not role or (not style.underline and not style.reverse and style.bgcolor == fill.bgcolor)
        pieces.append((" ", style if plain else fill))
    return Strip(_joined(pieces))


def cell(item: Row, at: int) -> tuple[str, str]:
    """Text and role of a cell; empty where the row has none."""
    return (item.cells[at] if at < len(item.cells) else "", item.role(at))


def _joined(pieces: Iterable[tuple[str, Style]]) -> list[Segment]:
    """Neighbours of the same style as one segment: every style change costs up to forty bytes."""
    found: list[Segment] = []
    text, style = "", Style.null()
    for more, its_style in pieces:
        if its_style == style or (not text and not found):
            text, style = text + more, its_style
        else:
            found.append(Segment(text, style))
            text, style = more, its_style
    found.append(Segment(text, style))
    return found


def aligned(text: str, width: int, align: str) -> str:
    """Text filled up to exactly so many cells."""
    if text.isascii():
        return text.rjust(width) if align == "right" else text.ljust(width)
    if align == "right":
        return " " * max(0, width - cell_len(text)) + set_cell_size(text, min(width, cell_len(text)))
    return set_cell_size(text, width)


def shorten(text: str, width: int) -> str:
    """Text in at most so many cells; `..` says that there is more."""
    if text.isascii() and len(text) <= width:
        return text
    if cell_len(text) <= width:
        return text
    if width <= 2:
        return set_cell_size(text, max(0, width))
    return set_cell_size(text, width - 2).rstrip() + ".."
