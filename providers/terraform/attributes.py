"""Two states of one thing, attribute by attribute, as lines of a difference: `-path = old`, `+path = new`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from ondeck.text import safe_line
from providers.terraform.masking import MASK, Masks

UNKNOWN = "(known after apply)"
_WIDEST = 160
_AROUND = 40
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*\Z")

Flat = dict[str, tuple[str, object]]
"""Path -> what is shown, and what is compared."""


def difference(
    *,
    before: Any,  # noqa: ANN401 - plain data
    after: Any,  # noqa: ANN401 - plain data
    before_marks: Any,  # noqa: ANN401 - plain data
    after_marks: Any,  # noqa: ANN401 - plain data
    unknown: Any,  # noqa: ANN401 - plain data
    masks: Masks,
) -> list[str]:
    """Lines of what differs, by path; what stays is left out, null is nothing."""
    old: Flat = dict(_flat("", before, before_marks, masks))
    new: Flat = dict(_flat("", after, after_marks, masks))
    if after is not None or unknown:
        new.update(_unknown("", unknown))
    lines: list[str] = []
    for path in dict.fromkeys((*old, *new)):
        gone, came = old.get(path), new.get(path)
        if gone is not None and came is not None and gone[1] == came[1]:
            continue
        name = path or "value"
        shown = _pair(gone[0] if gone else "", came[0] if came else "")
        if gone is not None:
            lines.append(f"-{name} = {shown[0]}")
        if came is not None:
            lines.append(f"+{name} = {shown[1]}")
    return lines


def _child(path: str, key: str) -> str:
    name = safe_line(key)
    if not _PLAIN.match(name):
        return f"{path}[{json.dumps(name, ensure_ascii=False)}]"
    return f"{path}.{name}" if path else name


def _flat(path: str, value: Any, marks: Any, masks: Masks) -> Iterator[tuple[str, tuple[str, object]]]:  # noqa: ANN401 - plain data
    if value is None:
        return
    if marks is True:
        yield path, (MASK, _comparable(value))
    elif isinstance(value, dict) and value:
        under = marks if isinstance(marks, dict) else {}
        for key, part in value.items():
            yield from _flat(_child(path, masks.text(key)), part, under.get(key, False), masks)
    elif isinstance(value, list) and value:
        beside = marks if isinstance(marks, list) else ()
        for number, part in enumerate(value):
            mark = beside[number] if number < len(beside) else False
            yield from _flat(f"{path}[{number}]", part, mark, masks)
    elif masks.hides(value):
        yield path, (MASK, value)
    else:
        yield path, (_text(value), value)


def _comparable(value: object) -> object:
    return json.dumps(value, sort_keys=True) if isinstance(value, (dict, list)) else value


def _unknown(path: str, unknown: Any) -> Iterator[tuple[str, tuple[str, object]]]:  # noqa: ANN401 - plain data
    if unknown is True:
        yield path, (UNKNOWN, object())
    elif isinstance(unknown, dict):
        for key, part in unknown.items():
            yield from _unknown(_child(path, key), part)
    elif isinstance(unknown, list):
        for number, part in enumerate(unknown):
            yield from _unknown(f"{path}[{number}]", part)


def _text(value: object) -> str:
    return safe_line(json.dumps(value, ensure_ascii=False))


def _pair(old: str, new: str) -> tuple[str, str]:
    """Long values cut to where they differ, so that two that look alike are not two that are."""
    if max(len(old), len(new)) <= _WIDEST:
        return old, new
    same = 0
    for left, right in zip(old, new, strict=False):
        if left != right:
            break
        same += 1
    start = max(0, same - _AROUND) if old and new else 0
    return _cut(old, start), _cut(new, start)


def _cut(text: str, start: int) -> str:
    if len(text) <= _WIDEST:
        return text
    head = "..." if start else ""
    body = text[start : start + _WIDEST]
    tail = f"... ({len(text)} characters)" if start + _WIDEST < len(text) else ""
    return f"{head}{body}{tail}"
