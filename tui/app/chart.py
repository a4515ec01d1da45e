"""Figures as characters: sparklines, bars and line charts in plain ASCII; a gap in the data stays blank."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import msgspec

Piece: TypeAlias = tuple[str, str]
"""Text and the role it is drawn in."""

RAMP = " .:-=+*#%@"
_POINT, _MARK = "*", "|"


class Limits(msgspec.Struct, frozen=True):
    """Values from which a figure is `warn` and `bad`; None for no such limit."""

    warn: float | None = None
    bad: float | None = None

    def role(self, value: float | None) -> str:
        """The role of a value; a value that is not known is `lost`, never fine."""
        if value is None or math.isnan(value):
            return "lost"
        if self.bad is not None and value >= self.bad:
            return "bad"
        return "warn" if self.warn is not None and value >= self.warn else ""


class ChartMark(msgspec.Struct, frozen=True):
    """Something that happened: a deploy at a time."""

    time: int
    text: str
    role: str = "accent"


def sparkline(
    values: Sequence[float | None], width: int, *, low: float | None = 0.0, high: float | None = None
) -> str:
    """The last `width` values as one line, right-aligned; None is a blank, the least value is `.`.

    `low` is what the lowest character means, `high` the highest; the least and the greatest value when None.
    """
    if width <= 0:
        return ""
    shown = list(values)[-width:]
    known = [value for value in shown if value is not None and math.isfinite(value)]
    bottom = low if low is not None else min(known, default=0.0)
    top = high if high is not None else max(known, default=0.0)
    return "".join(_ramp(value, bottom, top) for value in shown).rjust(width)


def _ramp(value: float | None, low: float, high: float) -> str:
    if value is None or not math.isfinite(value):
        return " "
    if high <= low:
        return RAMP[1]
    share = min(1.0, max(0.0, (value - low) / (high - low)))
    return RAMP[1 + round(share * (len(RAMP) - 2))]


def bar(share: float | None, width: int, limits: Limits | None = None) -> list[Piece]:
    """A horizontal bar `[####......]` of so many cells in all; an unknown share is `[?         ]`."""
    room = width - 2
    if room <= 0:
        return []
    if share is None or not math.isfinite(share):
        return [("[", "muted"), ("?".ljust(room), "lost"), ("]", "muted")]
    filled = min(room, max(0, round(share * room)))
    if share > 0 and not filled:
        filled = 1
    role = (limits or Limits()).role(share) or "accent"
    return [("[", "muted"), ("#" * filled, role), ("." * (room - filled), "muted"), ("]", "muted")]


def resample(
    values: Sequence[tuple[int, float | None]], start: int, end: int, width: int
) -> list[float | None]:
    """One value a column: the greatest in its stretch of time, None where nothing was measured.

    Values are (time, value), oldest first; times and bounds are in one unit.
    """
    columns: list[float | None] = [None] * max(0, width)
    if end <= start or width <= 0:
        return columns
    for time, value in values:
        if not start <= time <= end or value is None or not math.isfinite(value):
            continue
        at = min(width - 1, (time - start) * width // (end - start))
        old = columns[at]
        columns[at] = value if old is None else max(old, value)
    return columns


def figure(value: float) -> str:
    """A number in at most six cells: 0.25, 12.5, 310, 12k, 3.4M."""
    size = abs(value)
    for limit, unit in ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k")):
        if size >= limit:
            scaled = value / (1e3 if unit == "k" else limit)
            return f"{scaled:.0f}{unit}" if abs(scaled) >= 10 else f"{scaled:.1f}{unit}"
    if size >= 100 or value == int(value):
        return f"{value:.0f}"
    return f"{value:.1f}" if size >= 10 else f"{value:.2f}"


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """What a line chart shows.

    Attributes:
        start: Left edge; `end` the right one; in the unit of the values' times.
        low: Bottom of the scale; None takes the least value.
        high: Top of the scale; None takes a round number above the greatest.
        limits: Points at or above them are drawn in their role.
        empty: Why there is nothing, when there is nothing.
    """

    values: Sequence[tuple[int, float | None]]
    start: int
    end: int
    low: float | None = 0.0
    high: float | None = None
    marks: Sequence[ChartMark] = ()
    limits: Limits = Limits()
    unit: str = ""
    empty: str = "no data"


def line_chart(
    chart: Chart, width: int, height: int, *, clock: Callable[[int], str] = str
) -> list[list[Piece]]:
    """A chart of exactly `height` lines of `width` cells: scale on the left, times below, marks as `|`.

    Marks are numbered under the axis and spelled out on the last line, as far as there is room.
    """
    if height < 6 or width < 20:
        short = chart.empty if not chart.values else "too small for a chart"
        lines = [short[: max(0, width)], *[""] * (height - 1)][: max(0, height)]
        return [[(text.ljust(max(0, width)), "muted")] for text in lines]
    plot_height = height - (3 if chart.marks else 2)
    plot_width = width - 8
    columns = resample(chart.values, chart.start, chart.end, plot_width)
    known = [value for value in columns if value is not None]
    low, high = _scale(chart, known)
    cells = _plot(columns, plot_height, low, high, chart.limits)
    places = _mark_places(chart, plot_width)
    for at, mark in places:
        for line in cells:
            if line[at][0] == " ":
                line[at] = (_MARK, mark.role)
    if not known:
        text = chart.empty[:plot_width].center(plot_width)
        cells[plot_height // 2] = [(char, "muted") for char in text]
    drawn = [_with_scale(line, y, plot_height, (low, high), chart.unit) for y, line in enumerate(cells)]
    drawn.append([(" " * 7 + "+" + "-" * plot_width, "muted")])
    drawn.append([(_times(chart, plot_width, clock), "muted")])
    if chart.marks:
        drawn.append([(_legend(places, width, clock), "accent")])
    return drawn


def _scale(chart: Chart, known: Sequence[float]) -> tuple[float, float]:
    low = chart.low if chart.low is not None else min(known, default=0.0)
    high = chart.high if chart.high is not None else _round_up(max(known, default=1.0))
    return (low, high) if high > low else (low, low + 1.0)


def _round_up(value: float) -> float:
    if value <= 0:
        return 1.0
    step = 10.0 ** math.floor(math.log10(value))
    return next(factor * step for factor in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if value <= factor * step)


def _plot(
    columns: Sequence[float | None], height: int, low: float, high: float, limits: Limits
) -> list[list[Piece]]:
    cells: list[list[Piece]] = [[(" ", "")] * len(columns) for _ in range(height)]
    before: int | None = None
    for at, value in enumerate(columns):
        if value is None:
            before = None
            continue
        share = min(1.0, max(0.0, (value - low) / (high - low)))
        y = height - 1 - round(share * (height - 1))
        role = limits.role(value) or "accent"
        if before is not None and abs(before - y) > 1:
            for between in range(min(before, y) + 1, max(before, y)):
                cells[between][at] = (":", role)
        cells[y][at] = (_POINT, role)
        before = y
    return cells


def _mark_places(chart: Chart, width: int) -> list[tuple[int, ChartMark]]:
    inside = [
        mark for mark in chart.marks if chart.start <= mark.time <= chart.end and chart.end > chart.start
    ]
    return [
        (min(width - 1, (mark.time - chart.start) * width // (chart.end - chart.start)), mark)
        for mark in inside
    ]


def _with_scale(line: list[Piece], y: int, height: int, scale: tuple[float, float], unit: str) -> list[Piece]:
    low, high = scale
    label = ""
    if y in (0, height - 1) or (y == height // 2 and height >= 7):
        label = figure(high - (high - low) * y / (height - 1)) + unit
    return [(label[:7].rjust(7) + "|", "muted"), *_merged(line)]


def _merged(line: Sequence[Piece]) -> list[Piece]:
    found: list[Piece] = []
    for text, role in line:
        if found and found[-1][1] == role:
            found[-1] = (found[-1][0] + text, role)
        else:
            found.append((text, role))
    return found


def _times(chart: Chart, width: int, clock: Callable[[int], str]) -> str:
    first, last = clock(chart.start), clock(chart.end)
    middle = clock((chart.start + chart.end) // 2)
    line = first.ljust(width)[:width]
    if width >= len(first) + len(middle) + len(last) + 8:
        at = (width - len(middle)) // 2
        line = line[:at] + middle + line[at + len(middle) :]
    if width >= len(first) + len(last) + 2:
        line = line[: width - len(last)] + last
    return " " * 8 + line


def _legend(places: Sequence[tuple[int, ChartMark]], width: int, clock: Callable[[int], str]) -> str:
    texts = [f"| {clock(mark.time)} {mark.text}" for _, mark in places]
    while texts and len("  ".join(texts)) + 8 > width and len(texts) > 1:
        texts = texts[1:]
    more = len(places) - len(texts)
    text = "  ".join(texts) + (f"  +{more} before" if more else "")
    line = " " * 8 + text
    return (line if len(line) <= width else line[: width - 2] + "..").ljust(width)
