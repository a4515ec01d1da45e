"""How data leaves the command line: tables for people, JSON, JSON lines, CSV and names for programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

import msgspec

from ondeck import text


class Format(StrEnum):
    """What `-o` takes."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    NAME = "name"


class Rows(msgspec.Struct, frozen=True):
    """A table: titles and, per row, plain values; the first column is the name.

    Attributes:
        right: Titles of the columns that are aligned to the right.
    """

    titles: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    right: tuple[str, ...] = ()


def _cell(value: object) -> str:
    if value is None:
        return "?"
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
    cells = [[title.upper() for title in data.titles], *([_cell(v) for v in row] for row in data.rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(data.titles))]
    right = {i for i, title in enumerate(data.titles) if title in data.right}
    lines = []
    for row in cells:
        parts = [
            c.rjust(w) if i in right else c.ljust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(parts).rstrip())
    return "\n".join(lines) + "\n"


def _objects(data: Rows) -> Iterable[dict[str, Any]]:
    keys = [title.lower().replace(" ", "_") for title in data.titles]
    return (dict(zip(keys, row, strict=True)) for row in data.rows)


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
