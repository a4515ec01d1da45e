from __future__ import annotations

import csv
import io
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ondeck.text import is_safe
from tui.cli import fitting, out
from tui.cli.out import At, Format, Rows

_ROWS = Rows(("name", "cpu"), (("web-1", 0.5), ("web-2", None)), right=("cpu",))


def test_unknown_is_a_question_mark_and_null() -> None:
    assert "?" in out.render(_ROWS, Format.TABLE)
    assert json.loads(out.render(_ROWS, Format.JSON))[1] == {"name": "web-2", "cpu": None}


@given(st.lists(st.tuples(st.text(), st.text()), min_size=1, max_size=5))
def test_a_table_never_prints_a_control_character(rows: list[tuple[str, str]]) -> None:
    printed = out.render(Rows(("a", "b"), tuple(rows)), Format.TABLE)
    assert is_safe(printed)
    assert "\t" not in printed
    assert printed.count("\n") == len(rows) + 1


@given(st.lists(st.text(min_size=1), min_size=1, max_size=5))
def test_csv_reads_back_as_many_rows(names: list[str]) -> None:
    printed = out.render(Rows(("name",), tuple((n,) for n in names)), Format.CSV)
    assert len(list(csv.reader(io.StringIO(printed)))) == len(names) + 1


def test_json_lines_are_one_object_a_line() -> None:
    assert [json.loads(line)["name"] for line in out.render(_ROWS, Format.JSONL).splitlines()] == [
        "web-1",
        "web-2",
    ]


@pytest.mark.parametrize("form", list(Format))
def test_every_form_takes_no_rows(form: Format) -> None:
    assert out.render(Rows(("name",), ()), form) in ("", "[]\n", "name\n")


_WIDE = Rows(
    ("job", "env", "began", "text"),
    (("261128-210257-0e21", "prod", At(0), "a text that goes on and on " * 3), ("x", "lab", At(1), "-")),
    drop=("env",),
)


@given(
    st.lists(st.tuples(st.text(), st.text(), st.text()), min_size=1, max_size=4),
    st.integers(min_value=8, max_value=60),
    st.booleans(),
)
def test_a_table_on_a_terminal_never_takes_more_than_its_width(
    rows: list[tuple[str, str, str]], width: int, below: bool
) -> None:
    data = Rows(("name", "where", "text"), tuple(rows), drop=("where",), below=("text",) if below else ())
    printed, cut = out.fitted(data, width)
    assert all(fitting.columns_of(line) <= width for line in printed.splitlines())
    assert is_safe(printed)
    if not cut and not below:
        assert printed == out.table(data)


def test_a_narrow_table_leaves_out_and_cuts_the_least_important_first() -> None:
    printed, cut = out.fitted(_WIDE, 46)
    title, first, *_ = printed.splitlines()
    assert cut
    assert title.split() == ["JOB", "BEGAN", "TEXT"]
    assert first.startswith("261128-210257-0e21")
    assert first.endswith("..")
    assert not out.fitted(_WIDE, 200)[1]


def test_what_stands_below_its_row_is_told_whole() -> None:
    data = Rows(("what", "hint"), (("a" * 10, "word " * 30), ("b", "-")), below=("hint",))
    printed, cut = out.fitted(data, 40)
    assert not cut
    assert printed.count("word") == 30
    assert out.fitted(data, 400)[0] == out.table(data)


def test_a_point_in_time_is_whole_in_data_and_short_on_a_terminal() -> None:
    now = time.time_ns()
    data = Rows(("when",), ((At(now),),))
    assert out.fitted(data, 80)[0].splitlines()[1].count(":") == 2
    assert "T" in json.loads(out.render(data, Format.JSON))[0]["when"]
    assert "T" in out.render(data, Format.CSV).splitlines()[1]
