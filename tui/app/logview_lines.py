"""How one log line becomes cells: time, level word, source, message; or a marker across the whole width."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, tzinfo
from itertools import pairwise
from typing import Protocol, TypeAlias

import msgspec
from rich.cells import cell_len, chop_cells, set_cell_size
from rich.color import Color
from rich.segment import Segment
from rich.style import Style

from ondeck.observe.logwords import NAMES, visible
from ondeck.observe.records import Level, LogLine
from tui.app.theming import Palette

Spans: TypeAlias = Callable[[str], Sequence[tuple[int, int]]]
"""Where a search hits in a visible line (`ondeck.observe.logwords.visible`), as (start, end)."""

_Hits: TypeAlias = Sequence[tuple[int, int]]
_ROLES = {
    Level.DEBUG: "muted",
    Level.INFO: "muted",
    Level.WARN: "warn",
    Level.ERROR: "bad",
    Level.FATAL: "bad",
}
LEVELS = {level: (f"{level.word:5}", _ROLES.get(level, "")) for level in Level}
MOST_ROWS = 40
"""A wrapped line never takes more rows than this."""


class Marker(msgspec.Struct, frozen=True):
    """A line that is no log line: a deploy, a lost source, a gap. Drawn as `== 14:02:11 text ====`."""

    time: int
    text: str
    role: str = "marker"


class LineSource(Protocol):
    """What a log view reads: a window of lines by index, oldest first.

    `first_id` is the id of line 0 and grows when a bounded store lets old lines go; `generation` changes when
    the window itself does (another filter), so that indexes from before mean nothing.
    """

    @property
    def first_id(self) -> int:
        """Id of the line with index 0."""
        ...

    @property
    def generation(self) -> int:
        """Another number after another filter."""
        ...

    def __len__(self) -> int: ...

    def line(self, index: int) -> LogLine | Marker:
        """The line at an index below the length."""
        ...


def clock_of(zone: tzinfo) -> Callable[[int], str]:
    """Writes the time of day in a zone with milliseconds; `--:--:--.---` where there is none."""

    def clock(time: int) -> str:
        if time <= 0:
            return "--:--:--.---"
        try:
            moment = datetime.fromtimestamp(time // 1_000_000_000, zone)
        except (OverflowError, ValueError, OSError):
            return "??:??:??.???"
        return f"{moment:%H:%M:%S}.{time // 1_000_000 % 1000:03d}"

    return clock


utc_clock = clock_of(UTC)


class LineStyle(msgspec.Struct, frozen=True):
    """What stands in front of every message, and how the message is cut.

    Attributes:
        source_width: Cells of the source column; 0 leaves it out.
        side: Cells scrolled to the right; ignored when wrapped.
    """

    width: int
    clock: Callable[[int], str] = utc_clock
    source_width: int = 16
    wrap: bool = False
    side: int = 0
    spans: Spans | None = None
    time_cursor: int = 0

    @property
    def prefix(self) -> int:
        """Cells in front of the message, the first for the sign of the current line."""
        return 1 + len(self.clock(0)) + 1 + 6 + (self.source_width + 1 if self.source_width else 0)

    @property
    def room(self) -> int:
        """Cells for the message, at least eight."""
        return max(8, self.width - self.prefix)


def rows_of(line: LogLine | Marker, style: LineStyle) -> int:
    """Rows that a line takes on the screen."""
    if isinstance(line, Marker) or not style.wrap:
        return 1
    text = line.message
    if text.isascii():
        return max(1, min(MOST_ROWS, -(-len(text) // style.room)))
    return max(1, min(MOST_ROWS, len(chop_cells(text[: style.room * MOST_ROWS], style.room))))


def draw(
    line: LogLine | Marker, row: int, style: LineStyle, colours: Palette, base: Style, *, here: bool
) -> list[Segment]:
    """Segments of one row of a line, not yet cut or padded to the width."""
    fill = base + colours.style("cursor") if here else base
    sign = Segment(">" if here and row == 0 else " ", fill + colours.style("marker") if here else fill)
    if isinstance(line, Marker):
        return [sign, *_marker(line, style, colours, base)]
    hits = tuple(style.spans(visible(line))) if style.spans is not None else ()
    found = [sign]
    if row == 0:
        found += _prefix(line, style, colours, fill, hits, here=here)
    else:
        found.append(Segment(" " * (style.prefix - 1), fill))
    found += _message(line, row, style, colours, fill, hits)
    return found


def _prefix(
    line: LogLine, style: LineStyle, colours: Palette, fill: Style, hits: _Hits, *, here: bool
) -> list[Segment]:
    def role(name: str) -> Style:
        return fill if here or not name else fill + colours.style(name)

    found: list[Segment] = []
    at_cursor = style.time_cursor and line.time == style.time_cursor
    late = "~" if line.late else " "
    found.append(Segment(style.clock(line.time) + late, role("marker" if at_cursor else "muted")))
    word, level = LEVELS[line.level]
    match = colours.style("match")
    found += _marked(word + " ", role(level), hits, match)
    if style.source_width:
        name = _tail(line.source, style.source_width)
        look = fill if here else fill + colours.source(line.source)
        if len(name) < len(line.source):
            at = _source_at(line) + len(line.source) - len(name) + 2
            found += [Segment(name[:2], look), *_marked(name[2:] + " ", look, _moved(hits, at), match)]
        else:
            found += _marked(name + " ", look, _moved(hits, _source_at(line)), match)
    return found


def _source_at(line: LogLine) -> int:
    """Where the source begins in the visible line."""
    return len(NAMES[line.level]) + 1 if NAMES[line.level] else 0


def _moved(hits: _Hits, by: int) -> _Hits:
    return tuple((max(0, first - by), last - by) for first, last in hits if last > by)


def _marked(text: str, look: Style, hits: _Hits, match: Style) -> list[Segment]:
    """A piece of text with its hits marked; hits count from its begin and may go on behind its end."""
    found, done = [], 0
    for first, last in hits:
        if first < len(text):
            found += [Segment(text[done:first], look), Segment(text[first:last], look + match)]
            done = last
    return [segment for segment in [*found, Segment(text[done:], look)] if segment.text]


def _tail(name: str, width: int) -> str:
    """A name in exactly so many cells; its end says more than its start."""
    if name.isascii():
        return name.ljust(width) if len(name) <= width else ".." + name[2 - width :]
    return set_cell_size(name, width)


def _marker(line: Marker, style: LineStyle, colours: Palette, base: Style) -> list[Segment]:
    text = f"== {style.clock(line.time)} {line.text} " if line.time > 0 else f"== {line.text} "
    width = style.width - 1
    if cell_len(text) > width - 2:
        text = set_cell_size(text, max(0, width - 5)) + ".. "
    rest = "=" * max(0, width - cell_len(text))
    return [Segment(text + rest, base + colours.style(line.role))]


def _message(
    line: LogLine, row: int, style: LineStyle, colours: Palette, fill: Style, hits: _Hits
) -> list[Segment]:
    text = line.message
    start, end = _window(text, row, style)
    cut_left = not style.wrap and start > 0
    more = end < len(text) and (not style.wrap or row == MOST_ROWS - 1)
    hits = _moved(hits, _source_at(line) + len(line.source) + 1)
    if not line.run and not hits:
        found = [Segment(text[start:end], fill)]
    else:
        found = _styled(line, start, end, hits, colours, fill)
    return _with_dots(found, style.room, colours, fill, left=cut_left, right=more)


def _window(text: str, row: int, style: LineStyle) -> tuple[int, int]:
    """Which characters of a message stand on a row."""
    room = style.room
    if text.isascii():
        start = row * room if style.wrap else min(style.side, len(text))
        return start, min(len(text), start + room)
    if style.wrap:
        pieces = chop_cells(text[: room * MOST_ROWS], room) or [""]
        start = sum(map(len, pieces[:row]))
        return start, start + len(pieces[row]) if row < len(pieces) else start
    start = min(style.side, len(text))
    taken = chop_cells(text[start : start + room], room) or [""]
    return start, start + len(taken[0])


def _styled(line: LogLine, start: int, end: int, hits: _Hits, colours: Palette, fill: Style) -> list[Segment]:
    edges = {start, end}
    runs = [(first, last, sgr_style(code)) for first, last, code in line.run if last > start and first < end]
    match = colours.style("match")
    painted = [*runs, *((first, last, match) for first, last in hits if last > start and first < end)]
    for first, last, _ in painted:
        edges.update((max(start, first), min(end, last)))
    found: list[Segment] = []
    marks = sorted(edges)
    for left, right in pairwise(marks):
        look = fill
        for first, last, more in painted:
            if first <= left and right <= last:
                look += more
        found.append(Segment(line.message[left:right], look))
    return found


def _with_dots(
    found: list[Segment], room: int, colours: Palette, fill: Style, *, left: bool, right: bool
) -> list[Segment]:
    if not left and not right:
        return found
    dots = Segment("..", fill + colours.style("muted"))
    cells = sum(cell_len(segment.text) for segment in found)
    if left and cells > 2:
        _, found = _split(found, 2)
        found = [dots, *found]
    if right and cells > 2:
        found, _ = _split(found, min(cells, room) - 2)
        found = [*found, dots]
    return found


def _split(segments: list[Segment], at: int) -> tuple[list[Segment], list[Segment]]:
    before, after = Segment.divide(segments, [at, sum(cell_len(part.text) for part in segments)])
    return list(before), list(after)


_SGR_ATTRIBUTES = {1: Style(bold=True), 3: Style(italic=True), 4: Style(underline=True)}


def sgr_style(codes: str) -> Style:
    """The style of SGR codes (`1;31`) that a log line carried; black, white and backgrounds are left out.

    Those are chosen for somebody else's background and would vanish on ours.
    """
    style = Style.null()
    for word in codes.split(";"):
        code = int(word) if word.isascii() and word.isdigit() else 0
        if code in _SGR_ATTRIBUTES:
            style += _SGR_ATTRIBUTES[code]
        elif 31 <= code <= 36:
            style += Style(color=Color.from_ansi(code - 30))
        elif 91 <= code <= 96:
            style += Style(color=Color.from_ansi(code - 82))
        elif code in (38, 48):
            break
    return style
