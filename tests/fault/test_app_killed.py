"""The face goes, the job stays: killed, hung up or left, and followed to its end from another terminal."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest

from tests.playing import ONDECK, Player, eventually
from tests.terminal import Terminal

# Writes once what it did and ends with the wanted status: twice would be two lines.
COUNT = "echo once >> {file}; sleep {seconds}; echo done >> {file}; exit {status}"


def started(player: Player, host: str, file: str) -> None:
    """Wait until the command runs on its host."""
    eventually(lambda: player.ssh(host, f"cat {file} 2>/dev/null"))


def running_job(player: Player, before: set[str]) -> str:
    """The job that is new since then."""
    new = eventually(lambda: [row["job"] for row in player.jobs() if row["job"] not in before])
    return str(new[0])


@pytest.mark.parametrize(("status", "code"), [(0, 0), (3, 1)])
def test_a_killed_command_line_leaves_the_job_running(player: Player, status: int, code: int) -> None:
    file = f"killed-{status}"
    before = {row["job"] for row in player.jobs()}
    script = COUNT.format(file=file, seconds=2, status=status)
    face = player.start("exec", "-l", "name=web-1", "--yes", "--", "sh", "-c", script)
    started(player, "web-1", file)
    job = running_job(player, before)
    face.kill()
    face.communicate()
    view = player.job(job)
    assert view["state"] == "running"
    done = player.run("attach", job)
    assert done.code == code, done
    assert player.ssh("web-1", f"cat {file}").split() == ["once", "done"]
    assert player.job(job)["targets"]["web-1"]["status"] == status


def test_a_closed_terminal_is_no_cancel(player: Player) -> None:
    before = {row["job"] for row in player.jobs()}
    argv = [ONDECK, "exec", "-l", "name=web-2", "--yes", "--", "sh", "-c"]
    with Terminal(
        [*argv, COUNT.format(file="closed", seconds=2, status=0)], env=player.environment
    ) as terminal:
        started(player, "web-2", "closed")
        terminal.close()
        terminal.wait()
    job = running_job(player, before)
    assert player.run("attach", job).code == 0
    assert player.ssh("web-2", "cat closed").split() == ["once", "done"]


def test_ctrl_c_leaves_the_job_and_says_how_to_come_back(player: Player) -> None:
    argv = [ONDECK, "exec", "-l", "name=web-3", "--yes", "--", "sh", "-c"]
    with Terminal(
        [*argv, COUNT.format(file="left", seconds=2, status=0)], env=player.environment
    ) as terminal:
        started(player, "web-3", "left")
        terminal.type("ctrl-c")
        assert terminal.wait() == 130
        found = re.search(r"ondeck attach (\S+)", terminal.text())
    assert found
    assert player.run("attach", found[1]).code == 0
    assert player.ssh("web-3", "cat left").split() == ["once", "done"]


def test_two_terminals_watch_one_job_and_see_the_same_end(player: Player) -> None:
    job = player.run(
        "exec",
        "-l",
        "name=web-1",
        "--yes",
        "--detach",
        "--",
        "sh",
        "-c",
        "sleep 1; echo seen; exit 4",
        code=0,
    ).out.strip()
    watching = [player.start("attach", job) for _ in range(2)]
    said = [face.communicate(timeout=30) for face in watching]
    assert [face.returncode for face in watching] == [1, 1]
    assert all(out == b"seen\n" for out, _ in said)


@pytest.mark.parametrize("end", ["kill", "hang up"])
def test_the_app_goes_and_a_rollout_goes_on(own_player: Player, end: str) -> None:
    player = own_player
    environment = {**player.environment, "TERM": "xterm-256color"}
    with Terminal([ONDECK], env=environment) as terminal:
        terminal.wait_for(re.compile(r"CRIT prod .*3 of 3"), 30)
        terminal.type("g")
        terminal.wait_for(re.compile(r">CRIT prod"))
        terminal.type("R")
        terminal.wait_for("to start", 20)
        terminal.type(*"prod", "enter")
        job = running_job(player, set())
        if end == "kill":
            os.kill(terminal.pid, signal.SIGKILL)
        else:
            terminal.close()
        terminal.wait()
    assert not Path(f"/proc/{terminal.pid}").exists()
    done = player.run("attach", job)
    assert done.code == 0, done
    for host in ("web-1", "web-2", "web-3"):
        assert player.ssh(host, "cat /srv/checkout/current/VERSION") == "2.14.0"
