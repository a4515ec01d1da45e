"""Metrics: figures over time of the hosts of a service, or of one host."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from math import isfinite
from typing import ClassVar

from ondeck.observe.fleet import limit
from tui.app.chart import Chart, ChartMark, Limits, line_chart, sparkline
from tui.app.commands import selector_of
from tui.app.context import Desk
from tui.app.panes.base import BoardView
from tui.app.panes.pieces import FIGURE_ROLES, host_state, known_changes, standing_of
from tui.app.phrases import SECOND, count_of, percent, size
from tui.app.rows import BLANK, Row, fit, heading, right_fit, row
from tui.app.views import NOTHING, Kind, Selected

FIGURES = (
    ("cpu", "cpu"),
    ("memory", "mem"),
    ("disk", "disk"),
    ("load1", "load"),
    ("received", "in"),
    ("sent", "out"),
)
SHARES = ("cpu", "memory", "disk")
WINDOWS = (60, 300, 900, 3600)


class MetricsPane(BoardView):
    """A chart of the selected host and figure; below, every host with a small curve of each figure."""

    pane = "metrics"
    hints: ClassVar[tuple[str, ...]] = (
        "list.sort", "go.open", "see.time", "see.logs", "do.shell", "do.run", "copy.name", "go.back",
    )  # fmt: skip

    def __init__(self, desk: Desk, name_of: str) -> None:
        super().__init__(desk, name_of)
        named = name_of.partition(" ")[2]
        self.thing = (
            named or next(iter(self.session.subjects()), "") or next(iter(self.session.inventory.hosts), "")
        )
        self.figure = 0
        self.window = 1

    @property
    def hosts(self) -> tuple[str, ...]:
        """Hosts shown, at most forty."""
        if "@" in self.thing:
            return self.session.hosts_of(self.thing)[:40]
        return tuple(name for name in self.thing.split(",") if name in self.session.inventory.hosts)[:40]

    @property
    def env(self) -> str:
        """Of the hosts."""
        return self.session.inventory.hosts[self.hosts[0]].env if self.hosts else ""

    def looking_at(self) -> tuple[Sequence[str], Sequence[str]]:
        """Figures come while somebody looks."""
        return self.hosts, ()

    def of_key(self, key: str) -> Selected:
        """A host."""
        name = key.partition(" ")[2]
        host = self.session.inventory.hosts.get(name)
        return Selected(Kind.HOST, name, host.env, (name,)) if host else NOTHING

    def act(self, name: str) -> bool:
        """`o` takes the next figure, `O` another stretch of time."""
        if name == "list.sort":
            self.figure = (self.figure + 1) % len(FIGURES)
        elif name == "list.reverse":
            self.window = (self.window + 1) % len(WINDOWS)
        else:
            return super().act(name)
        self.show()
        return True

    @property
    def at_words(self) -> str:
        """The chart goes back as far as somebody looked; the list does not."""
        return f"list is now, chart {self.desk.minute(self.desk.at)}"

    def _title(self, name: str) -> str:
        """What all of it is about, where that is more than the host of the chart."""
        if self.thing == name:
            return ""
        return f"{self.thing if '@' in self.thing else count_of(len(self.hosts), 'host')}   "

    def rows(self, width: int) -> list[Row]:
        """Chart, then hosts."""
        if not self.hosts:
            return [row(("select a host or a service, then m", "warn"))]
        name = self.board.key.partition(" ")[2] or self.hosts[0]
        figure, short = FIGURES[self.figure]
        height = max(8, min(16, self.board.size.height - len(self.hosts) - 4))
        head = heading(
            f"{self._title(name)}{name} {short}, last {_stretch(WINDOWS[self.window])}",
            right=[("o next figure   O other time", "dim")],
        )
        rows = [head]
        for pieces in line_chart(
            self._chart(name, figure), width, height, clock=lambda t: self.desk.clock(t)
        ):
            rows.append(row(*[(text, role) for text, role in pieces]))
        return [*rows, BLANK, self._columns(width), *(self._host(host, width) for host in self.hosts)]

    def _chart(self, host: str, figure: str) -> Chart:
        end = self.desk.at + WINDOWS[self.window] * SECOND // 2 if self.desk.at else self.session.now()
        start = end - WINDOWS[self.window] * SECOND
        values = [
            (time, value * 100 if figure in SHARES else value)
            for time, value in self.session.history(host, figure)
        ]
        marks = [
            ChartMark(change.time, f"{change.kind} {change.text}"[:40])
            for change in known_changes(self.session.changes((host,)))
            if start <= change.time <= end
            and (change.job or change.kind in ("deploy", "rollback", "restart", "reboot", "mark"))
        ]
        limits = Limits()
        if figure in SHARES:
            bound = limit(self.session.inventory.hosts[host], figure)
            limits = Limits(bound.warn, bound.bad if isfinite(bound.bad) else None)
        return Chart(
            values=values, start=start, end=end, marks=marks[-6:], limits=limits, unit="%" if figure in SHARES else "",
            high=100.0 if figure in SHARES else None, empty=self._empty(start, end, bool(values)),
        )  # fmt: skip

    def _empty(self, start: int, end: int, measured: bool) -> str:
        """Why a chart has no point."""
        if not measured or not self.desk.at:
            return "nothing measured yet: figures come while you look"
        stretch = f"{self.desk.clock(start)} to {self.desk.clock(end)}"
        return f"nothing measured from {stretch}: figures are kept only while you look"

    def _span(self, width: int) -> int:
        return max(6, (width - 32) // len(FIGURES) - 7)

    def _fitting(self, width: int) -> int:
        """How many figures stand side by side whole."""
        return (width - 26) // (self._span(width) + 6)

    def _columns(self, width: int) -> Row:
        span = self._span(width)
        words = [fit("HOST", 14), fit("STATE", 12)]
        words += [right_fit(short.upper(), 6) + " " * span for _, short in FIGURES[: self._fitting(width)]]
        return row(("".join(words), "head"))

    def _host(self, name: str, width: int) -> Row:
        span = self._span(width)
        look = self.session.host(name)
        standing = standing_of(self.desk, look)
        state, role = host_state(self.desk, look, standing)
        parts: list[tuple[str, str]] = [(fit(name, 14), ""), (fit(state, 12), role)]
        for index, (figure, _) in enumerate(FIGURES[: self._fitting(width)]):
            values = self.session.history(name, figure)
            last = values[-1][1] if values else None
            high = 1.0 if figure in SHARES else None
            word = percent(last) if figure in SHARES else _number(figure, last)
            hot = FIGURE_ROLES.get(standing.of(figure), "dim") if figure in SHARES else ""
            parts.append((right_fit(word, 6), hot or ("bold" if index == self.figure else "")))
            parts.append(
                (fit(f" {sparkline([v for _, v in values[-span + 1 :]], span - 1, high=high)}", span), "dim")
            )
        return row(*parts, key=f"host {name}")

    def command(self) -> str:
        """The same as text."""
        hosts = self.hosts
        return f"ondeck top -l {shlex.quote(selector_of(hosts))}" if hosts else "ondeck top"


def _number(figure: str, value: float | None) -> str:
    if value is None:
        return "?"
    return f"{value:.2f}" if figure == "load1" else size(value)


def _stretch(seconds: int) -> str:
    return f"{seconds // 60} min" if seconds < 3600 else "hour"
