"""The last door before the terminal: no control or invisible character of any text gets through it.

Records are made safe where they enter (`ondeck.text`). This filter holds even when somebody forgot: it sees
every line that Textual is about to write, of every widget, title, border and notification. What it shows
instead takes its cells from the spaces behind it, so that a line never grows into its neighbour.
"""

from __future__ import annotations

import re
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
_STACK = "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
_STACKED = re.compile(f"({_STACK}{{4}}){_STACK}+")
_NOT_ASCII = re.compile("[^\x20-\x7e]")
_LINES = str.maketrans(
    {
        **dict.fromkeys("─━═╌╍┄┅┈┉▔▁╴╶╸╺▀▄", "-"),
        **dict.fromkeys("│┃║╎╏┆┇┊┋▏▕▎▌▐▊╵╷", "|"),
        **dict.fromkeys("┌┐└┘├┤┬┴┼╭╮╰╯╔╗╚╝╠╣╦╩╬┏┓┗┛", "+"),
        **dict.fromkeys("█▓▒", "#"),
        **dict.fromkeys("•·●○", "*"),
        **dict.fromkeys("▶►", ">"),
        **dict.fromkeys("▼▾", "v"),
        **dict.fromkeys("▲▴", "^"),
    }
)


def visible(text: str, *, ascii_only: bool = False) -> str:
    """Text with nothing in it that a terminal would obey or hide: controls show as `␛`, the invisible as `?`."""
    if text.isascii() and text.isprintable():
        return text
    if ascii_only:
        plain = UNSAFE.sub("?", text).translate(_LINES)
        return _NOT_ASCII.sub(lambda match: "?" * cell_len(match[0]), plain)
    if text.isprintable() and UNSAFE.search(text) is None:
        return _STACKED.sub(r"\1", text)
    return _STACKED.sub(r"\1", UNSAFE.sub(_shown, text))


def _shown(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code == 9:
        return " "
    return chr(0x2400 + code) if code < 0x20 else "?"


@lru_cache(4096)
def harmless(style: Style) -> Style:
    """A style without hyperlink and without actions that a click would run; looks the same."""
    if style.link is None and not style.meta:
        return style
    kept = {key: value for key, value in style.meta.items() if not key.startswith("@")}
    bare = style.clear_meta_and_links()
    return bare + Style.from_meta(kept) if kept else bare


class SafeFilter(LineFilter):
    """For `App.get_line_filters()`: put it last, behind the filters that change colours."""

    def __init__(self, *, ascii_only: bool = False) -> None:
        """`ascii_only` for a terminal that is not UTF-8: lines become `-|+`, other characters `?`."""
        super().__init__()
        self.ascii_only = ascii_only

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The line as it may go out; the same list when nothing had to change."""
        del background
        for text, style, control in segments:
            if control or not self._clean(text) or (style is not None and harmless(style) is not style):
                return self._cleaned(segments)
        return segments

    def _clean(self, text: str) -> bool:
        if text.isascii():
            return text.isprintable()
        return (
            not self.ascii_only
            and text.isprintable()
            and not UNSAFE.search(text)
            and not _STACKED.search(text)
        )

    def _cleaned(self, segments: list[Segment]) -> list[Segment]:
        found: list[Segment] = []
        grown = 0
        for text, style, control in segments:
            if control:
                continue
            shown = visible(text, ascii_only=self.ascii_only)
            if shown is not text:
                grown += cell_len(shown) - cell_len(text)
            found.append(Segment(shown, harmless(style) if style is not None else None))
        return _same_width(found, grown) if grown else found


def _same_width(segments: list[Segment], grown: int) -> list[Segment]:
    """Take so many cells back: from runs of spaces, right to left, else from the end of the line."""
    if grown < 0:
        return [*segments, Segment(" " * -grown, segments[-1].style if segments else None)]
    for index in range(len(segments) - 1, -1, -1):
        text, style, _ = segments[index]
        room = min(grown, len(text) - len(text.rstrip(" ")) - 1)
        if room > 0:
            segments[index] = Segment(text[:-room], style)
            grown -= room
        if not grown:
            return segments
    total = sum(cell_len(segment.text) for segment in segments)
    return list(Segment.adjust_line_length(segments, total - grown))


class GuardedApp(App[int]):
    """An app of which no widget can send text to the terminal unchecked."""

    ascii_only: bool = False

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Textual's filters and, last, ours."""
        guard: SafeFilter | None = getattr(self, "_safe_filter", None)
        if guard is None or guard.ascii_only != self.ascii_only:
            guard = self._safe_filter = SafeFilter(ascii_only=self.ascii_only)
        return [*super().get_line_filters(), guard]
