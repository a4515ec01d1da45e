"""The link to one host ends in the middle: unknown until there is evidence, others unaffected, never twice."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.playing import Player, eventually

WEB = ("web-1", "web-2", "web-3")
STEP = "echo once >> {file}; sleep {seconds}; echo done >> {file}"


def go(player: Player, file: str, seconds: float, *more: str) -> str:
    """Start it on all web hosts and wait until it runs on each."""
    script = STEP.format(file=file, seconds=seconds)
    job = player.run(
        "exec", "-l", "env=prod,group=web", "--yes", "--detach", *more, "--", "sh", "-c", script, code=0
    ).out.strip()
    for host in WEB:
        eventually(lambda host=host: player.ssh(host, f"cat {file} 2>/dev/null"))
    return job


def once(player: Player, file: str) -> None:
    for host in WEB:
        assert player.ssh(host, f"cat {file}").split() == ["once", "done"], f"{host}: one effect, not two"


@contextmanager
def stopped(*pids: int) -> Iterator[None]:
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def processes_of(root: int) -> list[int]:
    """A process and everything below it."""
    found = [root]
    for pid in found:
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += [int(word) for word in (task / "children").read_text().split()]
    return found


def settled_truth(player: Player, job: str, host: str, code: int) -> None:
    """What a job says of its host is what the host says."""
    outcome = player.job(job)["targets"][host]["outcome"]
    if outcome == "unknown":
        done = player.run("reconcile", job)
        assert done.code == 0, done
        assert player.job(job)["targets"][host]["outcome"] == "succeeded"
    else:
        assert outcome == "succeeded"
        assert code == 0


def test_a_dropped_link_never_means_failed_and_nothing_runs_twice(player: Player) -> None:
    job = go(player, "dropped", 3)
    os.kill(player.demo.server("web-2"), signal.SIGKILL)
    done = player.run("attach", job)
    assert done.code in (0, 5), done
    eventually(lambda: player.ssh("web-2", "grep done dropped"))
    settled_truth(player, job, "web-2", done.code)
    targets = player.job(job)["targets"]
    assert {name: row["outcome"] for name, row in targets.items()} == dict.fromkeys(WEB, "succeeded")
    assert {row["status"] for row in targets.values()} == {0}
    once(player, "dropped")


def test_a_hung_host_is_unknown_and_the_others_end(own_player: Player) -> None:
    player = own_player
    job = go(player, "hung", 2)
    with stopped(*processes_of(player.demo.server("web-3"))):
        done = player.run("attach", job, timeout=90)
        assert done.code == 5, done
        rows = player.job(job)["targets"]
        assert rows["web-3"]["outcome"] == "unknown"
        assert [rows[host]["outcome"] for host in ("web-1", "web-2")] == ["succeeded"] * 2
        assert "ondeck reconcile" in done.err
        still = player.run("reconcile", job, timeout=90)
        assert still.code == 5, "a host that does not answer is no evidence"
        assert player.job(job)["targets"]["web-3"]["outcome"] == "unknown"
    assert player.run("reconcile", job).code == 0
    assert player.job(job)["targets"]["web-3"]["outcome"] == "succeeded"
    once(player, "hung")


def test_a_host_whose_plug_is_pulled_stays_unknown_until_a_person_says(own_player: Player) -> None:
    player = own_player
    job = go(player, "plug", 2)
    os.kill(player.demo.keepers["web-1"], signal.SIGKILL)
    done = player.run("attach", job, timeout=90)
    assert done.code == 5, done
    assert player.job(job)["targets"]["web-1"]["outcome"] == "unknown"
    assert player.run("reconcile", job, timeout=90).code == 5
    left = player.run("left", job)
    assert left.code == 3
    assert "web-1" in left.out
    assert job in player.run("handover").out
    assert "unknown" in player.run("now").out
    player.run("settle", job, "web-1", "failed", "--reason", "its console shows it is off", code=0)
    assert player.job(job)["targets"]["web-1"]["outcome"] == "failed"
    assert player.run("audit", "verify").code == 0


def test_a_host_that_is_gone_before_the_start_is_unreachable_and_counts(own_player: Player) -> None:
    player = own_player
    os.kill(player.demo.keepers["web-1"], signal.SIGKILL)
    done = player.run("exec", "-l", "env=prod,group=web", "--yes", "--", "sh", "-c", "echo here", timeout=90)
    assert done.code in (3, 6), done
    rows = player.job(player.newest())["targets"]
    assert rows["web-1"]["outcome"] == "unreachable"
    assert all(rows[host]["outcome"] in ("succeeded", "not_started") for host in ("web-2", "web-3"))
    alone = player.run("exec", "-l", "name=web-1", "--yes", "--", "true", timeout=90)
    assert alone.code == 6, alone


def test_a_rollout_that_loses_a_host_waits_for_a_person_and_goes_on_from_the_truth(
    own_player: Player,
) -> None:
    player = own_player
    face = player.start("deploy", "checkout@prod", "2.16.0", "--confirm", "prod", "--reason", "a test")
    eventually(lambda: player.ssh("lb-1", "ls /srv/lb/drained"), pause=0.02)
    os.kill(player.demo.server("web-1"), signal.SIGKILL)
    _, said = face.communicate(timeout=60)
    assert face.returncode == 4, said.decode()
    assert b"waits for a person" in said
    job = player.newest()
    assert player.job(job)["state"] == "paused"
    assert player.job(job)["targets"]["web-1"]["outcome"] == "unknown"
    second = player.run(
        "deploy", "checkout@prod", "2.16.0", "--confirm", "prod", "--reason", "me too", timeout=60
    )
    assert second.code in (4, 7), second
    player.run("cancel", job, "--reason", "first find out", code=0)
    assert player.run("attach", job).code == 5
    assert job in player.run("lock", "ls", code=0).out, "the lock of an unknown outcome is not free"
    found = player.run("reconcile", job)
    assert found.code in (0, 3), found
    truth = {host: player.ssh(host, "cat /srv/checkout/current/VERSION") for host in WEB}
    assert (truth["web-2"], truth["web-3"]) == ("2.15.0", "2.15.0")
    row = player.job(job)["targets"]["web-1"]
    # The link went right before or right after the switch began; what is said is what the host did.
    if truth["web-1"] == "2.16.0":
        assert "2.16.0" in row["evidence"], row
        assert row["outcome"] in ("succeeded", "failed"), row
    else:
        assert row["outcome"] in ("not_started", "failed"), row
    assert player.run("lock", "ls", "-o", "name", code=0).out == ""
    rest = player.run("continue", job, "--reason", "it is known now", timeout=60)
    if row["outcome"] == "failed":
        # The canary failed, and who went on after the break may not know it: that takes a word of its own.
        assert rest.code == 4, rest
        assert "web-1 failed" in rest.err
        rest = player.run(
            "continue", job, "--confirm", "prod", "--reason", "web-1 is left for later", timeout=60
        )
        # Nobody saw the canary run, so it stands once more; that word may be given too.
        if player.job(job)["state"] == "paused":
            player.run("continue", job, "--confirm", "prod", "--reason", "web-1 is left for later", code=0)
            rest = player.run("attach", job, timeout=60)
    rows = player.job(job)["targets"]
    assert [rows[host]["outcome"] for host in ("web-2", "web-3")] == ["succeeded"] * 2, rest
    player.run("deploy", "checkout@prod", "2.16.0", "--confirm", "prod", "--reason", "the rest", code=0)
    assert {player.ssh(host, "cat /srv/checkout/current/VERSION") for host in WEB} == {"2.16.0"}
    assert player.ssh("lb-1", "ls /srv/lb/drained") == "", (
        "the host that was left drained takes traffic again"
    )


@pytest.mark.parametrize("host", ["db-1"])
def test_a_reader_says_since_when_a_host_is_lost(player: Player, host: str) -> None:
    with stopped(*processes_of(player.demo.server(host))):
        done = player.run("now", timeout=60)
        assert done.code == 3, done
        assert host in done.err
        assert "1 lost (db-1)" in done.out
    assert player.run("now").code == 0
