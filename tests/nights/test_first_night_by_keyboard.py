"""The first night at 80x24 by keyboard alone: the failing check, its logs, R, the typed name, and the proof."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from lab.embedded.demo import start_demo
from tests.playing import ONDECK, Player
from tests.terminal import Terminal

WEB = ("web-1", "web-2", "web-3")


@pytest.fixture(scope="module")
def night() -> Iterator[Player]:
    with start_demo() as demo:
        yield Player(demo)


def opened(night: Player) -> Terminal:
    return Terminal([ONDECK], env={**night.environment, "TERM": "xterm-256color"})


def test_from_the_failing_check_to_a_proven_rollback(night: Player) -> None:
    with opened(night) as terminal:
        screen = terminal.wait_for(re.compile(r"CRIT prod .*3 of 3"), 30)
        assert "deploy 2.14.0 -> 2.15.0" in screen
        terminal.type("g")
        terminal.wait_for(re.compile(r">CRIT prod"))

        terminal.type("enter")
        page = terminal.wait_for("HOSTS, worst first")
        assert "checkout@prod" in page
        terminal.wait_for(re.compile(r"web-3 +2\.15\.0 .*FAILS"))
        terminal.type("l")
        terminal.wait_for(re.compile("timeout 5000ms calling orders-db|pool [34][0-9]/40"), 20)
        terminal.type("esc")
        terminal.wait_for("HOSTS, worst first")

        terminal.type("R")
        plan = terminal.wait_for("to start", 20)
        assert "ROLLBACK checkout@prod" in plan
        assert "2.15.0" in plan
        assert "2.14.0" in plan
        terminal.type("enter")
        assert night.run("jobs", "-o", "name", code=0).out == "", "enter without the name starts nothing"
        terminal.type(*"prod", "enter")
        job = terminal.wait_for(re.compile("SUCCEEDED|succeeded 3|3 succeeded"), 40)
        for host in WEB:
            row = next(line for line in job.splitlines() if host in line and "2.14.0" in line)
            assert "2.15.0" in row, "before and after stand side by side"

        terminal.type("1")
        terminal.wait_gone(re.compile(r"CRIT prod"), 30)
        terminal.wait_for(re.compile(r"checkout +prod +2\.14\.0 +3 +3 of 3"), 30)
        terminal.type("q")
        assert terminal.wait() == 0
    assert {night.ssh(host, "cat /srv/checkout/current/VERSION") for host in WEB} == {"2.14.0"}
    done = night.jobs()[0]
    assert (done["operation"], done["outcome"]) == ("service.rollback", "succeeded")


def test_esc_never_leaves_and_q_gives_the_terminal_back(night: Player) -> None:
    with opened(night) as terminal:
        before = terminal.modes()
        terminal.wait_for("FAILING", 30)
        terminal.type("4")  # perhaps before engine and record are opened: that is said, and ends nothing
        terminal.wait_for(re.compile(r"checkout +prod .*3\b|CRIT"), 30)
        terminal.type("4")
        terminal.wait_for("Logs*")
        terminal.type("esc", "esc", "esc", delay=0.3)
        terminal.wait_for("q leaves")
        assert terminal.poll() is None
        terminal.type("q", "q", delay=0.5)
        assert terminal.wait() == 0
        assert terminal.modes() == before
        assert terminal.raw.rstrip().endswith(b"\x1b[?25h") or b"\x1b[?1049l" in terminal.raw[-400:]
