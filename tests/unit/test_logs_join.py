from __future__ import annotations

from ondeck.observe.logjoin import Joint
from ondeck.observe.records import Level, LogLine


def line(time: int, text: str, source: str = "web-1/app") -> LogLine:
    return LogLine(time, source, Level.INFO, text)


def texts(lines: list[LogLine]) -> list[str]:
    return [found.message for found in lines]


def test_a_line_that_is_held_is_not_given_again_and_a_second_one_like_it_is() -> None:
    joint = Joint([line(1, "a"), line(2, "get"), line(2, "get")])
    history = [line(1, "a"), line(2, "get"), line(2, "get"), line(2, "get"), line(3, "get")]
    assert texts(joint.fresh(history, 9)) == ["get", "get"]


def test_what_comes_in_pieces_is_joined_as_what_comes_at_once() -> None:
    joint = Joint([line(1, "a"), line(2, "b"), line(2, "c")])
    assert texts(joint.fresh([line(1, "a"), line(2, "b")], 9)) == []
    assert texts(joint.fresh([line(2, "c"), line(3, "d")], 9)) == ["d"]


def test_lines_without_a_time_of_their_own_go_on_behind_the_last_held_text() -> None:
    joint = Joint([line(1, "start"), line(2, "same"), line(3, "same"), line(4, "end")])
    history = [line(50, text) for text in ("older", "start", "same", "same", "end", "same", "new")]
    assert texts(joint.fresh(history, 60)) == ["same", "new"]


def test_a_file_that_was_rotated_meanwhile_is_all_new_however_alike_its_lines_are() -> None:
    joint = Joint([line(1, "get"), line(2, "get")])
    assert texts(joint.fresh([line(3, "get"), line(4, "get")], 9)) == ["get", "get"]


def test_a_source_of_which_nothing_is_held_is_all_new_and_older_lines_say_that_they_are_late() -> None:
    joint = Joint([line(10, "a")])
    found = joint.fresh([line(4, "lost", "web-2/app"), line(12, "b")], 20)
    assert [(entry.message, entry.late) for entry in found] == [("lost", 16), ("b", 0)]


def test_lines_from_before_what_is_held_of_a_source_stay_away() -> None:
    joint = Joint([line(5, "a"), line(6, "b")])
    assert texts(joint.fresh([line(3, "x"), line(5, "a"), line(6, "b"), line(7, "c")], 9)) == ["c"]
