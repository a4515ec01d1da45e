from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from textual.app import ComposeResult
from textual.pilot import Pilot

from ondeck.observe.records import Level, LogLine
from tui.app import theming
from tui.app.logview import LogView, Marker

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND


class Store:
    """A ring of lines."""

    def __init__(self, capacity: int = 1000) -> None:
        self.lines: list[LogLine | Marker] = []
        self.first_id = 0
        self.generation = 0
        self.capacity = capacity

    def __len__(self) -> int:
        return len(self.lines)

    def line(self, index: int) -> LogLine | Marker:
        return self.lines[index]

    def add(self, count: int, text: str = "line") -> None:
        for _ in range(count):
            number = self.first_id + len(self.lines)
            level = Level(number % 6)
            self.lines.append(
                LogLine(START + number * SECOND, f"web-{number % 3}/app", level, f"{text} {number} end")
            )
        over = max(0, len(self.lines) - self.capacity)
        del self.lines[:over]
        self.first_id += over


class Screen(theming.ThemedApp):
    def __init__(self, store: Store) -> None:
        super().__init__()
        self.store = store
        self.use_themes(theming.load(), "dark")

    def compose(self) -> ComposeResult:
        yield LogView(self.store, empty="no line matches /x in 3 sources")


@asynccontextmanager
async def view_of(
    count: int, capacity: int = 1000, size: tuple[int, int] = (80, 10), text: str = "line"
) -> AsyncIterator[tuple[LogView, Store, Pilot[int]]]:
    store = Store(capacity)
    store.add(count, text)
    app = Screen(store)
    async with app.run_test(size=size) as pilot:
        view = app.query_one(LogView)
        view.focus()
        await pilot.pause()
        yield view, store, pilot


def lines_of(view: LogView) -> list[str]:
    return [view.render_line(y).text.rstrip() for y in range(view.size.height)]


async def test_it_follows_the_newest_line() -> None:
    async with view_of(50) as (view, store, _):
        assert "line 49 end" in lines_of(view)[-1]
        store.add(20)
        view.flush()
        assert "line 69 end" in lines_of(view)[-1]


async def test_while_paused_new_lines_change_the_count_and_cover_no_line() -> None:
    async with view_of(50) as (view, store, pilot):
        await pilot.press("space")
        before = lines_of(view)
        store.add(184)
        view.flush()
        assert lines_of(view) == before
        assert view.status_text() == "paused, +184 below"
        await pilot.press("G")
        assert "line 233 end" in lines_of(view)[-1]


async def test_the_line_it_stands_at_has_a_sign_and_no_other_line() -> None:
    async with view_of(50) as (view, store, pilot):
        assert all(line.startswith(" ") for line in lines_of(view))
        await pilot.press("space", "k")
        signed = [line for line in lines_of(view) if line.startswith(">")]
        assert len(signed) == 1
        assert "line 48 end" in signed[0]
        store.lines.append(Marker(START + 99 * SECOND, "deploy"))
        view.go_to(50)
        assert next(line for line in lines_of(view) if line.startswith(">")).startswith(">== ")


async def test_a_paused_view_keeps_its_lines_when_the_ring_lets_old_ones_go() -> None:
    async with view_of(100, capacity=100) as (view, store, pilot):
        await pilot.press("space", "k")
        current = view.current_line
        before = lines_of(view)[:-1]
        store.add(50)
        view.flush()
        assert lines_of(view)[:-1] == before
        assert view.current_line == current
        store.add(500)
        view.flush()
        assert view.current == 0


async def test_another_filter_keeps_the_moment() -> None:
    async with view_of(100) as (view, store, _pilot):
        view.go_to(40)
        store.lines = store.lines[::3]
        store.generation += 1
        view.flush()
        line = view.current_line
        assert line is not None
        assert line.time == START + 39 * SECOND


async def test_the_level_is_always_written() -> None:
    async with view_of(12) as (view, _, __):
        text = "\n".join(lines_of(view))
        assert all(word in text for word in ("DEBUG", "INFO", "WARN", "ERROR", "FATAL"))


async def test_a_marker_goes_across_the_whole_width() -> None:
    async with view_of(3) as (view, store, _):
        store.lines.append(Marker(START, "deploy checkout 2.15.0 by anna"))
        view.flush()
        (line,) = [line for line in lines_of(view) if "deploy" in line]
        assert line.startswith(" == 22:13:20.000 deploy checkout 2.15.0 by anna ==")
        assert len(line) == 80


async def test_long_lines_end_in_dots_or_wrap() -> None:
    async with view_of(1, text="word " * 40) as (view, _, pilot):
        assert lines_of(view)[0].endswith("..")
        await pilot.press("right")
        assert "..d" in lines_of(view)[0] or ".. " in lines_of(view)[0]
        await pilot.press("w")
        shown = lines_of(view)
        assert "0end" in "".join(shown).replace(" ", "")
        assert sum(bool(line) for line in shown) > 3


async def test_a_wrapped_cursor_stays_in_sight() -> None:
    async with view_of(50, text="word " * 40) as (view, _, pilot):
        await pilot.press("space", "k", "w")
        at = view.current
        assert any(place is not None and place[0] == at for place in view._places)


async def test_hits_of_a_search_are_drawn_and_a_jump_shows_its_line() -> None:
    async with view_of(500) as (view, _, __):
        view.set_search(lambda text: [(text.index("line"), text.index("line") + 4)])
        view.go_to(100)
        match = theming.palette(view.app).style("match")
        assert any(
            segment.text == "line" and segment.style.bgcolor == match.bgcolor
            for segment in view.render_line(0)
        )
        assert view.current == 100
        assert any("line 100 end" in line for line in lines_of(view))


async def test_hits_in_level_word_and_source_are_drawn() -> None:
    async with view_of(50) as (view, _, __):
        match = theming.palette(view.app).style("match")
        for word in ("ERROR", "web-1", "eb-1/app li"):
            view.set_search(
                lambda text, word=word: [(text.find(word), text.find(word) + len(word))] * (word in text)
            )
            drawn = [
                "".join(s.text for s in view.render_line(y) if s.style and s.style.bgcolor == match.bgcolor)
                for y in range(view.size.height)
            ]
            assert word in {text.replace("  ", " ") for text in drawn} or word.replace(" ", "") in drawn


async def test_a_jump_in_time_shows_the_last_line_before_it() -> None:
    async with view_of(500) as (view, _, __):
        view.go_to_time(START + 77 * SECOND + 5)
        assert view.current == 77
        view.go_to_time(0)
        assert view.current == 0


async def test_an_empty_view_says_why() -> None:
    async with view_of(0) as (view, _, pilot):
        assert lines_of(view)[0] == " no line matches /x in 3 sources"
        await pilot.press("space", "k", "g", "G", "enter", "w", "right")
        assert view.current is None


async def test_only_rows_that_changed_are_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async with view_of(50) as (view, store, pilot):
        await pilot.press("space", "k")
        regions: list[object] = []
        monkeypatch.setattr(view, "refresh", lambda *asked, **_: regions.extend(asked or ["all"]))
        store.add(5)
        view.flush()
        assert not regions
        await pilot.press("k")
        assert len(regions) == 2
        assert "all" not in regions


@pytest.mark.parametrize("size", [(1, 1), (10, 3), (300, 80)])
@pytest.mark.parametrize("text", ["日本語 " * 30, "x" * 5000, "a\u0301" * 50, ""])
async def test_any_text_fits_any_size(size: tuple[int, int], text: str) -> None:
    async with view_of(30, size=size, text=text) as (view, _, pilot):
        await pilot.press("w", "k", "k", "g", "G", "w", "right", "k")
        assert [view.render_line(y).cell_length for y in range(size[1])] == [size[0]] * size[1]
