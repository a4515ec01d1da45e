"""The logs of a view over real files, engine and readers: parked, gone on with, and read from further back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from ondeck.deck import Deck
from ondeck.inventory.model import Environment, Host, Inventory, LogSource, Revision, Service
from ondeck.record.store import Record
from ondeck.registry import Registry
from tests import road
from tui.app.live import feed as feeds
from tui.app.live.feed import LiveFeed
from tui.app.live.parts import Parts

S = 1_000_000_000


def inventory(log: Path) -> Inventory:
    return Inventory(
        revision=Revision(root="/x", digest="d" * 64),
        environments={"lab": Environment(name="lab")},
        hosts={"web-1": Host(name="web-1", env="lab", transport="local")},
        services={
            "shop": Service(name="shop", on={"lab": "env=lab"}, logs=(LogSource(name="app", file=str(log)),))
        },
    )


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "shop.log"


@pytest.fixture
def parts(tmp_path: Path, log: Path) -> Iterator[Parts]:
    settings = msgspec.structs.replace(road.settings(tmp_path), timescale=0.2)
    deck = Deck(inventory=inventory(log), registry=Registry(), record=Record(settings), settings=settings)
    found = Parts(deck, lambda what, command, result: None)
    found.start()
    yield found
    found.stop(5.0)


def write(log: Path, *texts: str, ago: float = 0.0, step: float = 0.0) -> None:
    begin = time.time() - ago
    with log.open("a") as file:
        for number, text in enumerate(texts):
            at = datetime.fromtimestamp(begin + number * step, UTC)
            file.write(f"{at:%Y-%m-%dT%H:%M:%S.%f}Z INFO {text}\n")


def texts(feed: LiveFeed) -> list[str]:
    return [line.message for line in feed.store.lines(feed.store.first, feed.store.end)]


def until(feed: LiveFeed, wanted: Callable[[], bool]) -> None:
    patience = time.monotonic() + 30
    while not wanted():
        assert time.monotonic() < patience, (texts(feed)[-5:], feed.states())
        feed.drain()
        time.sleep(0.01)


def open_feed(parts: Parts) -> LiveFeed:
    return parts.open_logs("shop@lab", ("web-1",))


def test_a_parked_feed_is_closed_and_goes_on_without_losing_or_repeating_a_line(
    parts: Parts, log: Path
) -> None:
    write(log, *(f"old {n}" for n in range(5)), ago=30, step=1)
    write(log, "same", "same")
    feed = open_feed(parts)
    until(feed, lambda: texts(feed)[-2:] == ["same", "same"])
    write(log, "seen live")
    until(feed, lambda: texts(feed)[-1] == "seen live")
    feed.park()
    assert feed._handle is None
    until(feed, lambda: not parts.engine._handles)
    write(log, "missed 1", "missed 2")
    assert feed.drain() == 0
    feed.resume()
    write(log, "after")
    until(feed, lambda: texts(feed)[-1] == "after")
    assert texts(feed) == [
        *(f"old {n}" for n in range(5)), "same", "same", "seen live", "missed 1", "missed 2", "after",
    ]  # fmt: skip
    assert not feed.gaps


def test_lines_without_a_time_are_not_repeated_either(parts: Parts, log: Path) -> None:
    log.write_text("one\ntwo\n")
    feed = open_feed(parts)
    until(feed, lambda: texts(feed) == ["one", "two"])
    with log.open("a") as file:
        file.write("three\n")
    until(feed, lambda: texts(feed)[-1] == "three")
    feed.park()
    with log.open("a") as file:
        file.write("four\n")
    feed.resume()
    until(feed, lambda: texts(feed)[-1] == "four")
    assert texts(feed) == ["one", "two", "three", "four"]


def test_what_nobody_looked_at_for_too_long_is_a_gap_that_is_said(
    parts: Parts, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(log, "before", ago=50)
    feed = open_feed(parts)
    until(feed, lambda: texts(feed) == ["before"])
    feed.park()
    write(log, "never read", ago=40)
    write(log, "read", ago=1)
    monkeypatch.setattr(feeds, "MOST_BACK", 20 * S)
    feed.resume()
    until(feed, lambda: texts(feed)[-1] == "read")
    assert texts(feed) == ["before", "read"]
    [(first, last)] = feed.gaps
    assert first == feed.store[feed.store.first].time
    assert last > first


def test_a_feed_that_was_parked_before_it_had_its_first_lines_begins_anew(parts: Parts, log: Path) -> None:
    write(log, *(f"old {n}" for n in range(300)), ago=30)
    feed = open_feed(parts)
    feed.park()
    feed.resume()
    until(feed, lambda: texts(feed)[-1:] == ["old 299"])
    assert len(texts(feed)) == 200


def test_lines_from_before_the_held_ones_are_fetched_when_they_are_asked_for(parts: Parts, log: Path) -> None:
    write(log, *(f"n {n}" for n in range(1000)), ago=2000, step=1)
    feed = open_feed(parts)
    until(feed, lambda: texts(feed)[-1:] == ["n 999"])
    assert texts(feed)[0] == "n 800"
    asked = feed.store[feed.store.end - 1].time - 700 * S
    feed.reach(asked)
    assert feed.asking
    until(feed, lambda: not feed.asking)
    times = [line.time for line in feed.store.lines(feed.store.first, feed.store.end)]
    assert times[0] <= asked < times[-1]
    assert texts(feed)[-1] == "n 999"
    end = feed.store.end
    feed.reach(asked + S)
    assert feed.store.end == end
    assert not feed.asking


def test_a_history_that_is_too_long_is_cut_and_says_where(parts: Parts, log: Path) -> None:
    write(log, *(f"n {n}" for n in range(3000)), ago=8000, step=1)
    feed = open_feed(parts)
    until(feed, lambda: texts(feed)[-1:] == ["n 2999"])
    feed._capacity = 1000
    begin = feed.store[feed.store.end - 1].time - 2999 * S
    feed.reach(begin + 100 * S)
    until(feed, lambda: bool(feed.stopped))
    assert feed.stopped == feed.store[feed.store.end - 1].time
    assert not feed.asking
    assert 1000 <= len(texts(feed)) < 2000
    feed.reach(feed.stopped + 500 * S)
    until(feed, lambda: bool(feed.stopped) or not feed.asking)
    assert texts(feed)[-1] != "n 2999"
    feed.live()
    until(feed, lambda: texts(feed)[-1:] == ["n 2999"])
    assert len(texts(feed)) == 200
