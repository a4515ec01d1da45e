from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ondeck import times
from ondeck.errors import BadInput

_NOW = 1_790_000_000.0  # 2026-09-21T14:13:20Z


@pytest.mark.parametrize(
    ("raw", "seconds"), [("30s", 30), ("10m", 600), ("1.5h", 5400), ("2d", 172800), ("250ms", 0.25)]
)
def test_a_span_is_read_in_seconds(raw: str, seconds: float) -> None:
    assert times.span(raw, what="--since") == seconds


@pytest.mark.parametrize("raw", ["", "10", "m", "-5m", "5 m", "5y", "1e3s", "٣m"])
def test_what_is_no_span_is_refused_with_an_example(raw: str) -> None:
    with pytest.raises(BadInput, match="--since"):
        times.span(raw, what="--since")


def test_a_time_of_day_is_the_last_one() -> None:
    assert times.iso(times.moment("14:00", what="--since", now=_NOW)) == "2026-09-21T14:00:00Z"
    assert times.iso(times.moment("15:00", what="--since", now=_NOW)) == "2026-09-20T15:00:00Z"


def test_an_iso_time_without_zone_is_utc() -> None:
    assert times.iso(times.moment("2026-09-21T03:00", what="--since", now=_NOW)) == "2026-09-21T03:00:00Z"
    assert (
        times.iso(times.moment("2026-09-21T03:00+02:00", what="--since", now=_NOW)) == "2026-09-21T01:00:00Z"
    )


@pytest.mark.parametrize("raw", ["2031-01-01", "25:00", "yesterday", "99:99"])
def test_a_time_that_cannot_be_is_refused(raw: str) -> None:
    with pytest.raises(BadInput):
        times.moment(raw, what="--since", now=_NOW)


@given(st.floats(min_value=0, max_value=1e9))
def test_an_age_is_short_and_never_negative(seconds: float) -> None:
    shown = times.length(seconds)
    assert len(shown) <= 9
    assert not shown.startswith("-")


def test_an_unknown_time_shows_as_a_question_mark() -> None:
    assert times.ago(0) == times.iso(0) == "?"
