"""One log line whole: when, how severe, from where, its message wrapped, and its fields."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, ClassVar

import msgspec
from rich.cells import chop_cells
from textual.binding import BindingType

from ondeck.observe.records import Level, LogLine
from ondeck.text import safe_line
from tui.app.bindings import binding
from tui.app.context import Desk
from tui.app.dialogs.scrolled import Scrolled
from tui.app.logview_lines import Marker
from tui.app.rows import BLANK, Row, fit, heading, row, rule

_FIELD = re.compile(r'(?:^|(?<=[\s,{(]))([A-Za-z_][\w.-]*)=("(?:[^"\\]|\\.)*"|[^\s,]+)')
_LABEL = 10


class WholeLine(Scrolled):
    """Esc, q and enter lead back; `y` copies the message."""

    BINDINGS: ClassVar[list[BindingType]] = [
        binding("line.back", "leave"),
        binding("line.copy", "copy_line"),
    ]

    def __init__(self, desk: Desk, line: LogLine | Marker) -> None:
        super().__init__(desk)
        self.line = line

    def action_copy_line(self) -> None:
        """The message to the clipboard."""
        self.copy(self.line.text if isinstance(self.line, Marker) else self.line.message)

    def rows(self, width: int) -> list[Row]:
        """Facts, message, fields."""
        line, width = self.line, max(20, width)
        title = "LOG LINE" if isinstance(line, LogLine) else "WHAT HAPPENED"
        rows = [heading(title, right=[("y copy", "dim")])]
        rows.append(_fact("time", f"{self._when()}  {self.desk.age(line.time)} ago"))
        if isinstance(line, Marker):
            return [*rows, BLANK, *_wrapped(line.text, width)]
        host, _, name = line.source.partition("/")
        if line.late:
            rows.append(_fact("late", f"came {line.late / 1e9:.1f} s after its time"))
        rows.append(_fact("level", line.level.name if line.level else "none said", _role(line.level)))
        rows += [_fact("host", host), _fact("source", f"{name}  ({line.source})")]
        rows += [rule("message", width), *_wrapped(line.message, width)]
        fields = fields_of(line.message)
        if fields:
            rows.append(rule("fields", width))
            label = min(24, max(len(key) for key, _ in fields)) + 2
            for key, value in fields:
                first, *more = chop_cells(value, max(8, width - label)) or [""]
                rows.append(row((fit(key, label), "dim"), first))
                rows += [row(" " * label, piece) for piece in more]
        return rows

    def _when(self) -> str:
        try:
            moment = datetime.fromtimestamp(self.line.time // 1_000_000_000, UTC).astimezone(self.desk.zone)
        except (OverflowError, ValueError, OSError):
            return "not known"
        return f"{moment:%Y-%m-%d %H:%M:%S}.{self.line.time // 1_000_000 % 1000:03d} {moment:%Z}"


def fields_of(message: str) -> list[tuple[str, str]]:
    """Fields of a message: of a JSON object, else `key=value` words."""
    start = message.find("{")
    if start >= 0 and message.rstrip().endswith("}"):
        try:
            found: Any = msgspec.json.decode(message[start:])
        except msgspec.DecodeError:
            found = None
        if isinstance(found, dict):
            return [(safe_line(str(key)), safe_line(_plain(value))) for key, value in found.items()]
    return [(key, value) for key, value in _FIELD.findall(message)]


def _plain(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _fact(label: str, text: str, role: str = "") -> Row:
    return row((fit(label, _LABEL), "dim"), (text, role))


def _wrapped(text: str, width: int) -> list[Row]:
    return [row(piece) for piece in chop_cells(text, width) or [""]]


def _role(level: Level) -> str:
    return "bad" if level >= Level.ERROR else "warn" if level is Level.WARN else ""
