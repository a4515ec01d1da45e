"""The lines above the logs: how each source is, what is filtered, and how many lines when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ondeck.observe.records import Health, Level
from tui.app.chart import sparkline
from tui.app.phrases import zone_word
from tui.app.rows import Part, Row, fit, row

if TYPE_CHECKING:
    from tui.app.panes.logs import LogsPane


def head_rows(pane: LogsPane, width: int) -> list[Row]:
    """Sources, filter, histogram, heads of the columns with the zone of the times."""
    columns = pane.view.columns(zone_word(_moment(pane), pane.desk.zone))
    return [
        _sources(pane, width),
        _filter(pane, width),
        _histogram(pane, width),
        row((fit(columns, width), "head")),
    ]


def _moment(pane: LogsPane) -> int:
    """The time at hand: summer and winter time have different names."""
    line = pane.view.current_line
    return line.time if line is not None and line.time > 0 else pane.session.now()


def _sources(pane: LogsPane, width: int) -> Row:
    states = pane.feed.states()
    ok = sum(1 for state in states.values() if state.health is Health.OK)
    hosts = len({name.partition("/")[0] for name in states})
    whole = f"{hosts} host{'' if hosts == 1 else 's'}" if pane.is_service else "one host"
    parts: list[Part] = [(pane.thing, "heading"), f"  {whole}, {len(states)} sources: "]
    parts.append((f"{ok} ok", "ok" if ok == len(states) else ""))
    troubled = [state for state in states.values() if state.health not in (Health.OK, Health.ENDED)]
    troubled.sort(key=lambda state: (state.health is not Health.LOST, state.source))
    dropped = f"dropped {pane.feed.dropped}" if pane.feed.dropped or not troubled else ""
    room = width - sum(len(p if isinstance(p, str) else p[0]) for p in parts) - len(dropped) - 3
    for number, state in enumerate(troubled):
        word = f"LOST {pane.desk.age(state.since)}" if state.health is Health.LOST else str(state.health)
        text = f", {state.source} {word}"
        last = number == len(troubled) - 1
        if room < len(text) + (0 if last else 9):
            parts.append((f", {len(troubled) - number} more", "lost"))
            break
        room -= len(text)
        parts.append((text, "lost" if state.health is Health.LOST else "warn"))
    return row(*parts, right=[(dropped, "warn" if pane.feed.dropped else "dim")])


def _filter(pane: LogsPane, width: int) -> Row:
    if pane.search.trouble:
        return row((fit(pane.search.trouble, width).rstrip(), "bad"))
    chosen = pane.lines.filtered.filter
    words = [f"&{p.text}" for p in chosen.keep] + [f"&!{p.text}" for p in chosen.drop]
    if any(words):
        words.append(f"{len(pane.lines.filtered)} of {len(pane.feed.store)}")
    words.append(pane.search.words(pane.number))
    text = "  ".join(filter(None, words)) or f"all {len(pane.feed.store)} lines"
    at = _at(pane)
    state = pane.view.status_text()
    return row(fit(text, max(10, width - len(at) - len(state) - 2)).rstrip(),
               right=[(at, "warn"), (state, "ok" if pane.view.following else "warn")])  # fmt: skip


def _at(pane: LogsPane) -> str:
    """The time cursor, and how far back its lines reach."""
    desk, store = pane.desk, pane.feed.store
    at = f"AT {desk.clock(desk.at)}" if desk.at else ""
    oldest = store[store.first].time if len(store) else 0
    if pane.feed.asking:
        return f"{at}  asking since {desk.clock(pane.feed.asking)}  ".lstrip()
    if desk.at and oldest > desk.at:
        return f"{at}, nothing before {desk.clock(oldest)}  "
    return f"{at}  " if at else ""


def _histogram(pane: LogsPane, width: int) -> Row:
    if not len(pane.lines.filtered):
        return row("")
    buckets = max(10, width - 42)
    found = pane.lines.filtered.histogram(buckets)
    errors = sum(sum(count[Level.ERROR :]) for count in found.counts)
    warnings = sum(count[Level.WARN] for count in found.counts)
    used = max((i for i, c in enumerate(found.counts) if sum(c)), default=0) + 1
    counts = found.counts[:used]
    bars = sparkline([float(sum(count)) if sum(count) else None for count in counts], used)
    first = pane.desk.clock(found.start)[:5]
    last = pane.desk.clock(found.start + found.step * used)[:5]
    tail = f"{last}  err {errors}  warn {warnings}"
    return row((f"{first} ", "dim"), (bars, "key"), (f" {tail}", "bad" if errors else "dim"))
