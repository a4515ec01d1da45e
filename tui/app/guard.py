"""The last door before the terminal: no control or invisible character of any text gets through it.

Records are made safe where they enter (`ondeck.text`). This filter holds even when somebody forgot: it sees
every line that Textual is about to write, of every widget, title, border and notification. Each character it
replaces was drawn without width by Rich or as one cell; replacements keep the number of cells of the line.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from functools import lru_cache

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.app import App
from textual.color import Color
from textual.filter import LineFilter

# C0 and C1 controls, DEL, soft hyphen, bidi and zero-width controls, line separators, surrogates, invisible
# operators, byte-order mark, interlinear annotation, tags and unassigned plane-14 characters.
UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]"
)
_MOST_MARKS = 4
_STACKED = re.compile("([\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]{4})"
                      "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+")


def _replacement(char: str, *, ascii_only: bool) -> str:
    """What stands for a character: nothing where it had no width, so that the line keeps its cells."""
    if cell_len(char) == 0:
        return ""
    if ascii_only or ord(char) >= 0x20:
        return "?" * cell_len(char)
    return chr(0x2400 + ord(char))


def visible(text: str, *, ascii_only: bool = False) -> str:
    """Text with nothing in it that a terminal would obey, in the same number of cells."""
    if text.isascii() and text.isprintable():
        return text
    cleaned = UNSAFE.sub(lambda match: _replacement(match[0], ascii_only=ascii_only), text)
    return _STACKED.sub(r"\1", cleaned)
