"""How data leaves the command line: tables for people, JSON, JSON lines, CSV and names for programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Any

import msgspec

from ondeck import text, times
from tui.cli import fitting


class Format(StrEnum):
    """What `-o` takes."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    NAME = "name"


class At(msgspec.Struct, frozen=True):
    """A point in time as a cell, ns since 1970: whole in data, as short as it can be told on a terminal."""

    ns: int

    def __str__(self) -> str:
        return times.iso(self.ns)


class Rows(msgspec.Struct, frozen=True):
    """A table: titles and, per row, plain values or `At`; the first column is the name.

    Attributes:
        right: Titles of the columns that are aligned to the right.
        spare: Titles of the columns whose text is cut on a narrow terminal, the least important first; empty
            means all but the first, from the last on.
        drop: Titles of the columns that are left out on a narrow terminal, the least important first.
        below: Titles of the columns that stand whole below their row on a narrow terminal, folded at words.
    """

    titles: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    right: tuple[str, ...] = ()
    spare: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    below: tuple[str, ...] = ()


def _cell(value: object, *, short: bool = False) -> str:
    if value is None:
        return "?"
    if isinstance(value, At):
        return times.short(value.ns) if short else times.iso(value.ns)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ",".join(_cell(v) for v in value) or "-"
    if isinstance(value, Mapping):
        return ",".join(f"{k}={_cell(v)}" for k, v in value.items()) or "-"
    return text.safe_line(str(value)) or "-"


def table(data: Rows) -> str:
    """Aligned columns, two blanks apart, titles in upper case; unknown is `?`, empty is `-`."""
    if not data.rows:
        return ""
    cells = _cells(data, short=False)
    every = tuple(range(len(data.titles)))
    widths = tuple(max(fitting.columns_of(row[i]) for row in cells) for i in every)
    return "".join(_lines(data, cells, fitting.Fitted(every, widths, False)))


def fitted(data: Rows, width: int) -> tuple[str, bool]:
    """The table within so many columns of a terminal; True when something of it had to be cut."""
    cells = _cells(data, short=True)
    index = {title: i for i, title in enumerate(data.titles)}
    spare = [index[title] for title in data.spare] or list(range(len(index) - 1, 0, -1))
    drop = [index[title] for title in data.drop]
    below = [index[title] for title in data.below]
    found = fitting.fit(cells, width, spare=spare, drop=[] if below else drop)
    if not found.cut or not below:
        return "".join(_lines(data, cells, found)), found.cut
    beside = [[cell for i, cell in enumerate(row) if i not in below] for row in cells]
    rest = Rows(tuple(title for title in data.titles if title not in data.below), data.rows, data.right)
    found = fitting.fit(beside, width, spare=range(len(rest.titles) - 1, 0, -1), drop=())
    lines = []
    for line, row in zip(_lines(rest, beside, found), cells, strict=True):
        lines.append(line)
        if row is not cells[0]:
            lines += [part for i in below if row[i] != "-" for part in fitting.folded(row[i], width)]
    return "".join(lines), found.cut


def _cells(data: Rows, *, short: bool) -> list[list[str]]:
    titles = [title.upper() for title in data.titles]
    return [titles, *([_cell(v, short=short) for v in row] for row in data.rows)]


def _lines(data: Rows, cells: list[list[str]], found: fitting.Fitted) -> Iterator[str]:
    right = {i for i, title in enumerate(data.titles) if title in data.right}
    for row in cells:
        parts = (
            fitting.padded(fitting.cut(row[i], width), width, right=i in right)
            for i, width in zip(found.columns, found.widths, strict=True)
        )
        yield (" " * fitting.GAP).join(parts).rstrip() + "\n"


def _objects(data: Rows) -> Iterable[dict[str, Any]]:
    keys = [title.lower().replace(" ", "_") for title in data.titles]
    return (
        {key: str(value) if isinstance(value, At) else value for key, value in zip(keys, row, strict=True)}
        for row in data.rows
    )


def _csv(data: Rows) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(data.titles)
    writer.writerows([_cell(v) for v in row] for row in data.rows)
    return buffer.getvalue()


def render(data: Rows, form: Format) -> str:
    """Rows in the asked form; a list in JSON is never truncated."""
    match form:
        case Format.TABLE:
            return table(data)
        case Format.JSON:
            return dumps(list(_objects(data))) + "\n"
        case Format.JSONL:
            return "".join(compact(entry) + "\n" for entry in _objects(data))
        case Format.CSV:
            return _csv(data)
        case Format.NAME:
            return "".join(f"{_cell(row[0])}\n" for row in data.rows)


def dumps(value: object) -> str:
    """Indented JSON of plain data and records."""
    return _escaped(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def compact(value: object) -> str:
    """JSON on one line."""
    return _escaped(msgspec.json.encode(value).decode())


def _escaped(json: str) -> str:
    r"""The same JSON with what a terminal would obey or hide written as `\uXXXX`."""
    if json.isascii() and "\x7f" not in json:
        return json
    return "".join(_code(char) if char > "~" and not text.is_safe(char) else char for char in json)


def _code(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
