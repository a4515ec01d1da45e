from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tui.app.chart import Chart, ChartMark, Limits, bar, figure, line_chart, resample, sparkline

VALUES = st.lists(st.none() | st.floats(allow_nan=True, allow_infinity=True), max_size=60)


def text_of(lines: list[list[tuple[str, str]]]) -> list[str]:
    return ["".join(text for text, _ in line) for line in lines]


def test_a_gap_in_a_sparkline_stays_blank() -> None:
    assert sparkline([0.0, None, 1.0], 3, high=1.0) == ". @"


def test_a_sparkline_shows_the_newest_values() -> None:
    assert sparkline([1.0] * 50 + [0.0], 2, high=1.0) == "@."


@given(VALUES, st.integers(0, 80))
def test_a_sparkline_is_ascii_and_exactly_as_wide_as_asked(values: list[float | None], width: int) -> None:
    line = sparkline(values, width)
    assert len(line) == width
    assert line.isascii()


def test_an_unknown_share_is_a_question_mark_and_never_an_empty_bar() -> None:
    pieces = bar(None, 12)
    assert "?" in "".join(text for text, _ in pieces)
    assert [role for _, role in pieces][1] == "lost"


def test_a_bar_of_a_little_is_not_empty() -> None:
    assert "#" in "".join(text for text, _ in bar(0.001, 12))


def test_a_bar_past_its_limit_has_the_role_of_the_limit() -> None:
    assert bar(0.95, 12, Limits(warn=0.8, bad=0.9))[1][1] == "bad"


def test_the_peak_of_a_stretch_of_time_is_kept() -> None:
    assert resample([(0, 1.0), (1, 9.0), (2, 1.0), (9, 2.0)], 0, 10, 2) == [9.0, 2.0]


@given(
    st.lists(st.tuples(st.integers(0, 100), st.none() | st.floats(-1e12, 1e12)), max_size=40),
    st.integers(20, 120),
    st.integers(4, 30),
)
def test_a_chart_fills_its_box_exactly(
    values: list[tuple[int, float | None]], width: int, height: int
) -> None:
    chart = Chart(
        values=sorted(values, key=lambda pair: pair[0]), start=0, end=100, marks=[ChartMark(50, "x")]
    )
    lines = text_of(line_chart(chart, width, height))
    assert [len(line) for line in lines] == [width] * height
    assert all(line.isascii() for line in lines)


def test_a_chart_without_data_says_why() -> None:
    chart = Chart(values=[], start=0, end=10, empty="could not ask web-1: timed out")
    assert any("could not ask web-1" in line for line in text_of(line_chart(chart, 60, 10)))


def test_a_deploy_is_marked_where_it_happened_and_named() -> None:
    chart = Chart(values=[(0, 1.0), (100, 1.0)], start=0, end=100, marks=[ChartMark(50, "checkout 2.15.0")])
    lines = text_of(line_chart(chart, 80, 12))
    assert "|" in lines[5][8 + 34 : 8 + 38]
    assert "checkout 2.15.0" in lines[-1]


def test_a_gap_in_a_chart_is_not_bridged() -> None:
    values = [(at, 5.0) for at in range(30)] + [(at, 5.0) for at in range(70, 100)]
    lines = text_of(line_chart(Chart(values=values, start=0, end=100, high=10.0), 108, 10))
    row = next(line for line in lines if "*" in line)
    assert row[8 + 40 : 8 + 60].strip() == ""


def test_figures_stay_short() -> None:
    assert [figure(value) for value in (0, 0.25, 12.5, 310, 12_345, 3.4e6, 2e9)] == [
        *("0", "0.25", "12.5", "310", "12k", "3.4M", "2.0G"),
    ]
