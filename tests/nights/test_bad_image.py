"""A bad image, in a pty at 80x24: the gate stops it at the first host, the old one serves, `R` takes it back."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.docker_bastion import ONDECK, Bastion, docker_bastion
from tests.terminal import Terminal

pytestmark = [pytest.mark.lab, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bastion]:
    with docker_bastion(tmp_path_factory.mktemp("night"), lives="15s") as bastion:
        bastion.deploy("2.14.0")
        bastion.deploy("2.15.0")
        # Healthy, and dead after ten seconds; a third of them, as this night's timescale has it.
        bastion.registry.put("2.16.0", dies="3")
        yield bastion


def test_the_gate_stops_at_the_first_host_and_r_takes_it_back(night: Bastion) -> None:
    environment = {**night.environment, "TERM": "xterm-256color"}
    with Terminal([ONDECK], env=environment, pace=0.08) as terminal:
        terminal.type("3")
        terminal.wait_for(re.compile(r"checkout +prod +2\.15\.0"), 40)
        terminal.type(":", *"deploy checkout@prod 2.16.0", "enter")
        plan = terminal.wait_for("y starts it", 30)
        assert "2.16.0" in plan
        terminal.type("y")
        job = terminal.wait_for(re.compile("PAUSED|paused"), 90)
        assert "web-1" in job
        assert [night.serves(host) for host in night.engines] == ["2.15.0", "2.15.0"], "the old one serves"
        assert night.running("web-2") == ["2.15.0"], "the second host was never touched"
        targets = night.job()["targets"]
        assert (targets["web-1"]["outcome"], targets["web-2"]["outcome"]) == ("failed", None)
        assert "went back to 2.15.0, healthy" in targets["web-1"]["evidence"]
        night.end_jobs()
        terminal.type("3")
        terminal.wait_for(re.compile(r"checkout +prod +2\.15\.0"), 40)
        terminal.type("R")
        plan = terminal.wait_for("y starts it", 40)
        assert "ROLLBACK checkout@prod" in plan
        assert "2.14.0" in plan
        terminal.type("y")
        terminal.wait_for(re.compile("SUCCEEDED|succeeded 2|2 succeeded"), 120)
        terminal.type("q", "q", delay=0.5)
    assert [night.serves(host) for host in night.engines] == ["2.14.0", "2.14.0"]
