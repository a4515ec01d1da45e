from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.app import ComposeResult
from textual.geometry import Region
from textual.pilot import Pilot

from tui.app import theming
from tui.app.table import Column, LiveTable, row, section
from tui.app.table_rows import Rows, fit, natural

COLUMNS = [
    Column("host", "HOST", min=8),
    Column("state", "STATE", min=5),
    Column("cpu", "CPU", align="right", priority=1, high_first=True),
    Column("note", "NOTE", flex=1, min=12, priority=2),
]

SMALL = st.integers(0, 3)


class Screen(theming.ThemedApp):
    def __init__(self) -> None:
        super().__init__()
        self.use_themes(theming.load(), "dark")
        self.seen: list[str] = []

    def compose(self) -> ComposeResult:
        yield LiveTable(COLUMNS, empty="nothing matches /x")

    def on_live_table_selected(self, event: LiveTable.Selected) -> None:
        self.seen.append(f"selected {event.key}")

    def on_live_table_highlighted(self, event: LiveTable.Highlighted) -> None:
        self.seen.append(f"at {event.key}")

    def on_live_table_marks_changed(self, event: LiveTable.MarksChanged) -> None:
        self.seen.append("marks " + ",".join(event.table.marks))


def hosts(count: int) -> list[object]:
    return [row(f"web-{n}", f"web-{n}", ("ok", "ok"), f"{n} %", "note") for n in range(count)]


@asynccontextmanager
async def table_of(
    count: int, size: tuple[int, int] = (80, 12)
) -> AsyncIterator[tuple[LiveTable, Pilot[int]]]:
    app = Screen()
    async with app.run_test(size=size) as pilot:
        table = app.query_one(LiveTable)
        table.set_rows(hosts(count))  # type: ignore[arg-type]
        table.focus()
        await pilot.pause()
        yield table, pilot


def lines_of(table: LiveTable) -> list[str]:
    return [table.render_line(y).text.rstrip() for y in range(table.size.height)]


async def test_the_cursor_stays_on_its_row_when_others_move() -> None:
    async with table_of(30) as (table, pilot):
        await pilot.press("j", "j", "j")
        assert table.cursor_key == "web-3"
        table.set_rows([row("new", "new", "bad", "", ""), *hosts(30)])  # type: ignore[list-item]
        assert table.cursor_key == "web-3"
        table.sort("host", reverse=True)
        assert table.cursor_key == "web-3"
        assert any(line.startswith("> web-3") for line in lines_of(table))


async def test_a_row_that_vanishes_hands_the_cursor_to_the_one_in_its_place() -> None:
    async with table_of(5) as (table, pilot):
        await pilot.press("j")
        table.set_rows([item for item in hosts(5) if item.key != "web-1"])
        assert table.cursor_key == "web-2"
        table.set_rows([])
        assert table.cursor_key == ""


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (["G"], "web-99"),
        (["G", "g"], "web-0"),
        (["ctrl+d"], "web-5"),
        (["pagedown", "pagedown", "pageup"], "web-11"),
        (["end", "k", "up"], "web-97"),
        (["k"], "web-0"),
    ],
)
async def test_keys_move_the_cursor_and_it_stays_in_sight(keys: list[str], expected: str) -> None:
    async with table_of(100) as (table, pilot):
        await pilot.press(*keys)
        await pilot.pause()
        assert table.cursor_key == expected
        assert sum(line.startswith(">") for line in lines_of(table)) == 1


async def test_marks_survive_filters_and_updates_and_are_counted() -> None:
    async with table_of(20) as (table, pilot):
        await pilot.press("space", "space")
        assert table.marks == ("web-0", "web-1")
        table.filter("web-1")
        await pilot.press("asterisk")
        assert len(table.marks) == 12
        await pilot.press("asterisk")
        assert table.marks == ("web-0",)
        table.filter("")
        table.update_row("web-0", ["web-0", ("lost", "lost"), "?", ""])
        assert table.marks == ("web-0",)


async def test_marks_of_rows_that_are_gone_are_gone() -> None:
    async with table_of(3) as (table, pilot):
        await pilot.press("asterisk")
        table.set_rows(hosts(1))  # type: ignore[arg-type]
        assert table.marks == ("web-0",)


async def test_enter_opens_the_row_under_the_cursor() -> None:
    async with table_of(3) as (_table, pilot):
        await pilot.press("j", "enter")
        await pilot.pause()
        assert isinstance(pilot.app, Screen)
        assert pilot.app.seen[-2:] == ["at web-1", "selected web-1"]


async def test_an_empty_table_says_why() -> None:
    async with table_of(3) as (table, _pilot):
        table.filter("no such thing")
        assert any("nothing matches /x" in line for line in lines_of(table))
        table.set_empty("could not ask web-31: timed out")
        assert any("could not ask web-31" in line for line in lines_of(table))


async def test_a_changed_cell_repaints_only_its_own_region(monkeypatch: pytest.MonkeyPatch) -> None:
    async with table_of(30, (120, 40)) as (table, _pilot):
        regions: list[tuple[Region, ...]] = []
        monkeypatch.setattr(table, "refresh", lambda *asked, **_: regions.append(asked))
        table.update_row("web-4", ["web-4", ("bad", "bad"), "4 %", "note"])
        (asked,) = regions
        assert [(region.y, region.height) for region in asked] == [(5, 1)]
        assert asked[0].width < 10
        table.update_row("web-4", ["web-4", ("bad", "bad"), "4 %", "note"])
        table.set_rows([*hosts(4), row("web-4", "web-4", ("bad", "bad"), "4 %", "note"), *hosts(30)[5:]])  # type: ignore[list-item]
        assert len(regions) == 1


async def test_sections_cannot_be_chosen_and_vanish_with_their_rows() -> None:
    async with table_of(0) as (table, pilot):
        table.set_rows(
            [
                section("s1", "ALERTS"),
                row("a1", "a1"),
                section("s2", "JOBS"),
                row("j1", "j1"),
                row("j2", "j2"),
            ]
        )
        assert table.cursor_key == "a1"
        await pilot.press("j")
        assert table.cursor_key == "j1"
        await pilot.press("g")
        assert table.cursor_key == "a1"
        table.filter("j")
        assert table.keys == ("j1", "j2")
        assert not any("ALERTS" in line for line in lines_of(table))
        assert table.counts == (2, 3)


async def test_columns_of_low_priority_vanish_on_a_narrow_screen() -> None:
    async with table_of(3, (24, 6)) as (table, _pilot):
        assert "NOTE" not in lines_of(table)[0]
        assert "STATE" in lines_of(table)[0]


async def test_the_sorted_column_says_so_in_ascii() -> None:
    async with table_of(3) as (table, pilot):
        await pilot.press("o")
        assert "HOST^" in lines_of(table)[0]
        await pilot.press("o", "o")
        assert "CPUv" in lines_of(table)[0]
        await pilot.press("o", "o")
        assert table.order is None


async def test_long_text_ends_in_dots() -> None:
    async with table_of(0, (40, 6)) as (table, _pilot):
        table.set_rows([row("a", "a", "ok", "1", "x" * 200)])
        assert lines_of(table)[1].endswith("..")


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (20, 5), (300, 100)])
async def test_any_size_can_be_drawn(size: tuple[int, int]) -> None:
    async with table_of(50, size) as (table, pilot):
        await pilot.press("G", "o", "right", "asterisk")
        await pilot.resize_terminal(40, 10)
        await pilot.pause()
        assert len(lines_of(table)) == table.size.height


def test_numbers_are_sorted_as_numbers_and_the_unknown_comes_last() -> None:
    assert sorted(["web-10", "web-9", "?", "web-1"], key=natural) == ["web-1", "web-9", "web-10", "?"]
    assert sorted(["12.5 %", "3 %", "-"], key=natural) == ["3 %", "12.5 %", "-"]


@given(st.lists(st.text(max_size=8)))
def test_any_text_can_be_sorted(texts: list[str]) -> None:
    assert len(sorted(texts, key=natural)) == len(texts)


@given(
    st.lists(
        st.tuples(st.integers(1, 20), st.integers(0, 30), st.integers(0, 3), st.integers(0, 3)),
        min_size=1,
        max_size=8,
    ),
    st.integers(0, 200),
)
def test_shown_columns_fit_or_are_those_that_always_stay(
    shapes: list[tuple[int, int, int, int]], room: int
) -> None:
    columns = [
        Column(str(at), "", min=least, max=most, flex=flex, priority=priority)
        for at, (least, most, flex, priority) in enumerate(shapes)
    ]
    widths = fit(columns, [least + 10 for least, *_ in shapes], room)
    used = sum(width + 1 for width in widths if width)
    assert used <= room or all(
        not width or column.priority == 0 for column, width in zip(columns, widths, strict=True)
    )


@given(
    st.lists(st.tuples(st.sampled_from("abcdefgh"), st.text("xyz1", max_size=3)), max_size=40),
    st.sampled_from(["", "x", "!y", "x !1"]),
    st.booleans(),
)
def test_changes_one_by_one_show_what_all_at_once_would(
    changes: list[tuple[str, str]], wanted: str, reverse: bool
) -> None:
    live, whole = Rows([Column("a", "A")]), Rows([Column("a", "A")])
    for rows in (live, whole):
        rows.filter_by(wanted)
        rows.sort(0, reverse)
    for key, text in changes:
        live.put(row(key, text))
    whole.replace([row(key, text) for key, text in changes])
    assert [item.cells for item in live.view] == [item.cells for item in whole.view]
    assert all(live.position(item.key) == at for at, item in enumerate(live.view))
