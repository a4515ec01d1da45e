"""kill -9 of the worker at records of a command on real hosts: never twice, and always a true state or a way out."""

from __future__ import annotations

from typing import Any

import pytest

from tests.playing import Player, eventually

WEB = ("web-1", "web-2", "web-3")
SAMPLE = ("1", "3", "4-", "5", "6", "7-", "8", "9", "11")
FINAL = {"succeeded", "failed", "not_started", "unreachable", "cancelled", "unknown"}


def counted(player: Player, file: str) -> dict[str, int]:
    return {host: len(player.ssh(host, f"cat {file} 2>/dev/null").split()) for host in WEB}


def true_to(rows: dict[str, Any], effects: dict[str, int]) -> None:
    for host, row in rows.items():
        outcome = row["outcome"]
        assert outcome in FINAL, row
        assert effects[host] <= 1, f"{host} did it {effects[host]} times"
        if outcome == "succeeded":
            assert row["status"] == 0
            assert effects[host] == 1
        if outcome == "not_started":
            assert effects[host] == 0


@pytest.mark.slow
@pytest.mark.parametrize("at", SAMPLE)
def test_a_killed_worker_leaves_single_effects_and_the_truth(player: Player, at: str) -> None:
    file = f"counter-{at}"
    broken = player.env(ONDECK_FAULT_AT=at)
    script = f"echo once >> {file}; sleep 0.3"
    face = broken.run("exec", "-l", "env=prod,group=web", "--yes", "--", "sh", "-c", script, timeout=60)
    assert face.code in (0, 1, 3, 5), face
    job = player.newest()
    for _ in range(2):
        if player.job(job)["outcome"] == "unknown":
            assert "ondeck reconcile" in face.err, "the way out is named"
            player.run("reconcile", job, timeout=60)
    view = player.job(job)
    assert view["state"] == "ended", "never shown as running for ever"
    eventually(lambda: not player.ssh("web-1", f"pgrep -f {file} | grep -v $$"), seconds=5)
    true_to(view["targets"], counted(player, file))
    for host, row in view["targets"].items():
        if row["outcome"] == "unknown":
            player.run("settle", job, host, "failed", "--reason", "looked at it", code=0)
    assert player.job(job)["outcome"] != "unknown"
    assert player.run("audit", "verify").code == 0
    assert player.run("lock", "ls", "-o", "name", code=0).out == ""
