from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ondeck.text import is_safe
from tui.cli import out
from tui.cli.out import Format, Rows

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
