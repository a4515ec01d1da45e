"""Night (d): an apply died on saving its state, and somebody who is offline left a lock: by keyboard, at 80x24."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.terraform.site import StackSite
from lab.terraform.stacks import missing
from tests import required
from tests.playing import ONDECK, Player, eventually
from tests.terminal import Terminal

STACK = "web-prod"
LOCK = "7948284f-b709-6ae3-f06c-1ec92061d900"


@pytest.fixture
def night(tmp_path: Path) -> Iterator[tuple[StackSite, Player, str]]:
    """An apply whose state could not be saved, and a lock of somebody on another machine."""
    if why := missing():
        required.cannot(why)
    with StackSite(tmp_path / "site") as site:
        player = Player(site, timescale=0.2)  # type: ignore[arg-type]
        site.wait_here()
        job = player.run("stack", "apply", STACK, "--yes", "--detach", code=0).out.strip()
        eventually(lambda: site.begun() >= 3)
        site.store.full = True
        site.go_on()
        eventually(lambda: player.job(job)["state"] == "ended", 60)
        site.store.full = False
        site.store.locks["/web"] = {"ID": LOCK, "Who": "dave@bastion-2", "Operation": "OperationTypeApply"}
        player.run("stack", "plan", STACK, code=4)
        yield site, player, job


def test_one_screen_tells_it_and_the_ways_out_lead_back_to_a_whole_state(
    night: tuple[StackSite, Player, str],
) -> None:
    site, player, job = night
    with Terminal([ONDECK], env={**player.environment, "TERM": "xterm-256color"}) as terminal:
        terminal.wait_for("Now*", 30)
        terminal.type("7")
        pane = terminal.wait_for("1 state not saved", 30)
        assert re.search(rf">{STACK}", pane), "what needs a person stands first, under the cursor"
        terminal.type("enter")
        terminal.wait_for(f"STACK {STACK}")
        page = terminal.wait_for("could not be saved", 30)
        assert LOCK in page
        assert f"stack unlock {STACK}" in page
        assert f"stack push {STACK}" in page

        terminal.type("g", "enter")
        plan = terminal.wait_for("to start", 30)
        assert LOCK in plan
        assert "not told" in " ".join(plan.split())
        terminal.type("enter")
        assert site.store.locks["/web"]["ID"] == LOCK, "enter without the id breaks nothing"
        terminal.type(*LOCK, "enter", delay=0.01)
        terminal.wait_for(re.compile("SUCCEEDED|1 succeeded|succeeded 1"), 40)
        assert site.store.locks == {}

        terminal.type("esc", delay=0.5)
        terminal.wait_for(f"STACK {STACK}")
        terminal.wait_gone(LOCK, 40)
        terminal.type("g", "enter")
        terminal.wait_for("to start", 30)
        terminal.type(*STACK, "enter")
        terminal.wait_for(re.compile("SUCCEEDED|1 succeeded|succeeded 1"), 40)
        terminal.type("esc", delay=0.5)
        terminal.wait_for(f"STACK {STACK}")
        terminal.wait_gone("could not be saved", 40)
        terminal.type("q", "q", delay=0.5)
        assert terminal.wait() == 0
    assert site.store.serial("web") > 0
    player.run("reconcile", job)
    found = dict(eventually(lambda: (one := player.job(job))["state"] == "ended" and one))
    assert found["outcome"] == "failed"
    planned = player.run("stack", "apply", STACK, "--plan", "--exit-code", code=0)
    assert "NOTHING WOULD CHANGE" in planned.out
