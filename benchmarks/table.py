"""A hundred thousand rows: our table beside Textual's DataTable, in one process, without a terminal."""

from __future__ import annotations

import asyncio
import time

from textual.app import App, ComposeResult
from textual.widgets import DataTable

from tui.app.table import Column, LiveTable, Row

ROWS = 100_000
TITLES = ("host", "state", "cpu", "memory", "disk", "load", "version", "since")


def cells(number: int) -> tuple[str, ...]:
    percent = f"{number % 100} %"
    return (
        f"web-{number}",
        "ok",
        percent,
        percent,
        percent,
        f"{number % 7}.5",
        f"2.{number % 30}.0",
        "14:02",
    )


class _Screen(App[None]):
    def compose(self) -> ComposeResult:
        yield LiveTable([Column(title, title.upper()) for title in TITLES], id="live")
        yield DataTable(id="data")


async def _refreshed(app: App[None]) -> None:
    done = asyncio.Event()
    app.call_after_refresh(done.set)
    await done.wait()


async def _live(app: App[None]) -> tuple[float, float]:
    table = app.query_one(LiveTable)
    texts = [cells(number) for number in range(ROWS)]
    start = time.perf_counter()
    table.set_rows(Row(line[0], line) for line in texts)
    await _refreshed(app)
    ready = time.perf_counter() - start
    start = time.perf_counter()
    table.filter("77")
    await _refreshed(app)
    return ready, time.perf_counter() - start


async def _data(app: App[None]) -> tuple[float, float]:
    table = app.query_one("#data", DataTable)
    table.add_columns(*TITLES)
    texts = [cells(number) for number in range(ROWS)]
    start = time.perf_counter()
    table.add_rows(texts)
    await _refreshed(app)
    ready = time.perf_counter() - start
    start = time.perf_counter()
    found = [line for line in texts if "77" in line[0]]
    table.clear()
    table.add_rows(found)
    await _refreshed(app)
    return ready, time.perf_counter() - start


async def _run() -> list[tuple[str, float, str]]:
    app = _Screen()
    async with app.run_test(size=(200, 50)) as pilot:
        app.query_one("#data").display = False
        await pilot.pause()
        live = await _live(app)
        app.query_one("#live").display = False
        app.query_one("#data").display = True
        await pilot.pause()
        data = await _data(app)
    names = ("ready_100k", "filter_100k")
    return [
        (name, ours / theirs, f"{ours:.3f} s and {theirs:.3f} s")
        for name, ours, theirs in zip(names, live, data, strict=True)
    ]


def measure() -> list[tuple[str, float, str]]:
    """Ratios of our times to DataTable's."""
    return asyncio.run(_run())


if __name__ == "__main__":
    for line in measure():
        print(*line)
