"""Answers about places: the last good one stays in sight, and one slow system holds up no other."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

from ondeck.observe.asking import Question
from ondeck.observe.resources import Listing, Resource
from tui.app.live.answers import AT_ONCE, LiveAnswers


class Calls:
    """An engine whose calls end when the test says so."""

    def __init__(self) -> None:
        self.futures: list[Future[Any]] = []

    def call(self, work: Any) -> Future[Any]:
        self.futures.append(Future())
        return self.futures[-1]


def answers() -> tuple[Calls, LiveAnswers]:
    engine = Calls()
    return engine, LiveAnswers(engine, None)  # type: ignore[arg-type]


BOXES = Question("resources", "clusters", "eng", "boxes")
ROWS = (Resource(name="a", cells=("a",)),)


def answered(engine: Calls, live: LiveAnswers, answer: Any) -> Any:
    live.again(BOXES)
    engine.futures[-1].set_result(answer)
    live.drain()
    return live.look(BOXES, every=1e9)


def test_an_answer_that_says_only_why_there_is_none_leaves_the_last_one_with_its_age() -> None:
    engine, live = answers()
    good = answered(engine, live, Listing(kind="boxes", place="eng", rows=ROWS, asked=1))
    lost = answered(engine, live, Listing(kind="boxes", place="eng", error="connection refused"))
    assert (lost.answer, lost.asked, lost.error) == (good.answer, good.asked, "connection refused")
    part = answered(engine, live, Listing(kind="boxes", place="eng", rows=ROWS, error="zone 2", partly=True))
    assert (part.answer.error, part.error) == ("zone 2", "")


def test_a_first_answer_that_is_an_error_is_shown_as_it_is() -> None:
    engine, live = answers()
    assert answered(engine, live, Listing(kind="boxes", place="eng", error="gone")).answer.error == "gone"


def test_what_breaks_shows_its_kind_and_not_its_text() -> None:
    engine, live = answers()
    live.again(BOXES)
    engine.futures[-1].set_exception(KeyError("hunter2"))
    live.drain()
    assert live.look(BOXES, every=1e9).error == "this broke in ondeck itself: KeyError"


def test_questions_that_hang_hold_up_none_of_another_kind() -> None:
    engine, live = answers()
    for number in range(AT_ONCE + 3):
        live.again(Question("stacks", "stacks", f"s{number}"))
    assert len(engine.futures) == AT_ONCE
    live.again(Question("backups", "backups", "orders"))
    assert len(engine.futures) == AT_ONCE + 1
