"""One demo for a module of faults; tests that break a host for good start their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.embedded.demo import start_demo
from tests.playing import Player


@pytest.fixture(scope="module")
def player() -> Iterator[Player]:
    with start_demo() as demo:
        yield Player(demo, timescale=0.2)


@pytest.fixture
def own_player() -> Iterator[Player]:
    with start_demo() as demo:
        yield Player(demo, timescale=0.2)
