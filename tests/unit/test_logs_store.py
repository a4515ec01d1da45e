from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ondeck.errors import BadInput
from ondeck.observe.folding import Folded
from ondeck.observe.logstore import SECOND, Filtered, LogFilter, LogStore
from ondeck.observe.logwords import parse, visible
from ondeck.observe.patterns import Pattern
from ondeck.observe.records import Level, LogLine


def line(n: int, message: str = "", level: Level = Level.INFO, source: str = "web-1/app") -> LogLine:
    return LogLine(n * SECOND, source, level, message or f"line {n}")


def test_ids_survive_the_ring_making_room() -> None:
    store = LogStore(100)
    for n in range(1000):
        store.append([line(n)])
    assert len(store) <= 100
    assert store.end == 1000
    assert store.gone == 1000 - len(store)
    assert store[999].message == "line 999"
    assert store[store.first].message == f"line {store.first}"
    with pytest.raises(IndexError):
        store[0]


def test_bytes_are_bounded_whatever_the_lines() -> None:
    store = LogStore(1000, capacity_bytes=100_000)
    for n in range(200):
        store.append([line(n, "x" * 5000)])
        assert store.size <= 100_000
    assert store[199].message


messages = st.lists(
    st.sampled_from(["", "timeout 5", "healthz", "pool full", "two\tparts", "ünï"]), max_size=30
)


@given(
    messages,
    messages,
    st.sampled_from(["", "time", "^$", "l+", "ü|pool", "x"]),
    st.sampled_from(["", "heal"]),
)
def test_a_filter_followed_step_by_step_is_the_filter_over_everything(
    before: list[str], after: list[str], keep: str, drop: str
) -> None:
    store = LogStore(40)
    store.append([line(n, text or "e") for n, text in enumerate(before)])
    chosen = LogFilter(
        keep=(Pattern(keep),) if keep else (),
        drop=(Pattern(drop),) if drop else (),
    )
    view = Filtered(store, chosen)
    done = False
    for n, text in enumerate(after):
        done = view.work(7)
        store.append([line(100 + n, text or "e")])
        view.update()
    while not done:
        done = view.work(7)
    expected = [
        number
        for number in range(store.first, store.end)
        if all(p.search(store[number].message) for p in chosen.keep)
        and not any(p.search(store[number].message) for p in chosen.drop)
    ]
    assert list(view.ids) == expected
    assert sum(map(sum, view.histogram(1000).counts)) == len(expected)


def test_level_and_sources_narrow_a_view() -> None:
    store = LogStore()
    store.append([line(1, level=Level.ERROR), line(2, source="web-2/app"), line(3, level=Level.DEBUG)])
    assert list(Filtered(store, LogFilter((parse("level>=warn"),))).finish().ids) == [0]
    assert list(Filtered(store, LogFilter((parse("source=web-2"),))).finish().ids) == [1]


@pytest.mark.parametrize(
    ("typed", "ids"),
    [
        ("error", [0]),
        ("ERROR", [0]),
        ("Error", []),
        ("web-2", [1]),
        ("worker", [2]),
        ("web-2/app request", [1]),
        ("^request", [1]),
        ("^error web-1", [0]),
        ("level=error", [0]),
        ("level>=info", [0, 1]),
        ("level!=error", [1, 2]),
        ("level<=debug", [2]),
        ("level>=err pool", [0]),
        ("host=web-1", [0]),
        ("source=worker", [2]),
        ("source!=app", [2]),
        ("source=web-", []),
        (r"\Srequest|\Squest", [1]),
    ],
)
def test_what_stands_on_a_line_can_be_searched_for(typed: str, ids: list[int]) -> None:
    store = LogStore()
    store.append([
        line(1, "pool full", Level.ERROR, "web-1/app"), line(2, "request", Level.NONE, "web-2/app"),
        line(3, "drained", Level.DEBUG, "web-3/worker"),
    ])  # fmt: skip
    assert list(Filtered(store, LogFilter((parse(typed),))).finish().ids) == ids
    assert list(Filtered(store, LogFilter(drop=(parse(typed),))).finish().ids) == [
        number for number in range(3) if number not in ids
    ]


def test_marks_of_a_search_lie_on_the_visible_line() -> None:
    shown = visible(line(1, "no errors", Level.ERROR))
    assert [shown[a:b] for a, b in parse("error").spans(shown)] == ["ERROR", "error"]
    assert parse("level=error").spans(shown) == ()


@pytest.mark.parametrize("typed", ["level=loud", "source>=web-1", "level=error a)("])
def test_words_that_mean_nothing_are_refused(typed: str) -> None:
    with pytest.raises(BadInput):
        parse(typed)


def test_search_moves_between_hits_and_counts_them_by_source() -> None:
    store = LogStore()
    store.append([line(n, "hit" if n % 3 == 0 else "miss", source=f"web-{n % 2}/app") for n in range(12)])
    hits = Filtered(store, LogFilter().plus(Pattern("hit"))).finish()
    assert list(hits.ids) == [0, 3, 6, 9]
    assert hits.next(3) == 6
    assert hits.next(3, back=True) == 0
    assert hits.next(9) is None
    assert hits.by_source() == {"web-0/app": 2, "web-1/app": 2}


def test_errors_are_found_forwards_and_backwards() -> None:
    store = LogStore()
    store.append([line(n, level=Level.ERROR if n in (2, 7) else Level.INFO) for n in range(10)])
    view = Filtered(store).finish()
    assert view.next_error(2) == 7
    assert view.next_error(7, back=True) == 2
    assert view.next_error(7) is None


def test_a_time_finds_its_line_also_among_late_ones() -> None:
    store = LogStore()
    store.append([line(10), line(20), line(5), line(30)])
    view = Filtered(store).finish()
    assert view.row_at(20 * SECOND) == 1
    assert view.row_at(21 * SECOND) == 3
    assert view.row_at(99 * SECOND) == 4


def test_a_pattern_that_is_none_says_where() -> None:
    with pytest.raises(BadInput, match="at character 3"):
        Pattern("a[z-a]")
    with pytest.raises(BadInput):
        Pattern("a)(b")


def test_a_pattern_without_capitals_does_not_look_at_them() -> None:
    assert Pattern("error").search("ERROR x")
    assert not Pattern("Error").search("ERROR x")


def test_repeats_fold_and_say_from_where() -> None:
    store = LogStore()
    view = Filtered(store).finish()
    folded = Folded(store, view)
    for n in range(4):
        store.append([line(n, f"timeout {n}ms calling db", source=f"web-{n % 2}/app"), line(n, "other")])
        view.update()
        folded.update()
    assert [len(row.ids) for row in folded.rows] == [4, 4]
    assert folded.rows[0].text() == '4 like "timeout <n>ms calling db" from 2 sources, 3 s'
