"""Plain data of any shape as indented lines of key and value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ondeck.text import safe_line
from tui.app.rows import Row, fit, row

_SEPARATOR = (" ", "   ")  # between plain words, and between entries that have several words
_LABEL = 22


def plain_rows(value: Any) -> list[Row]:  # noqa: ANN401 - plain data of any shape
    """Key and value; nested values are indented."""
    rows = []
    for depth, key, text in _lines(value, 0):
        label = f"{'  ' * depth}{key}"
        rows.append(row((safe_line(fit(label, _LABEL) if text else label), "dim"), safe_line(text)))
    return rows


def _lines(value: Any, depth: int) -> Iterator[tuple[int, str, str]]:  # noqa: ANN401 - plain data of any shape
    if not isinstance(value, dict):
        return
    for key, inner in value.items():
        if isinstance(inner, dict):
            yield depth, str(key), ""
            yield from _lines(inner, depth + 1)
        elif isinstance(inner, list | tuple) and inner and isinstance(inner[0], dict):
            yield depth, str(key), ""
            for item in inner:
                yield from _lines(item, depth + 1)
        elif isinstance(inner, list | tuple):
            separator = _SEPARATOR[any(isinstance(i, list | tuple) for i in inner)]
            yield depth, str(key), separator.join(map(_word, inner))
        else:
            yield depth, str(key), str(inner)


def _word(item: object) -> str:
    """An entry of a list; one that is a list itself (a command's words) as one text."""
    return " ".join(map(str, item)) if isinstance(item, list | tuple) else str(item)
