"""kill -9 of the worker at records of a backup: one snapshot at most, never a success that was not seen, a way out."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.lab.backup_place import Place, Restic
from tests.playing import MORTAL
from tests.required import cannot

FINAL = {"succeeded", "failed", "not_started", "unreachable", "cancelled", "unknown"}
SAMPLE = ("1", "3", "4-", "5", "6", "7-", "8", "9")


class Mortal(Place):
    """A place whose workers die when they are told to."""

    fault = ""

    def begin(self, *argv: str) -> subprocess.CompletedProcess[bytes]:
        program = [sys.executable, "-P", MORTAL, *argv]
        env = {**self.env, "ONDECK_FAULT_AT": self.fault}
        return subprocess.run(
            program, env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=120, check=False
        )

    def newest(self) -> dict[str, Any]:
        jobs: list[dict[str, Any]] = self.run("jobs", "-o", "json", code=0).data
        found: dict[str, Any] = self.run("jobs", jobs[0]["job"], "-o", "json").data
        return found


@pytest.mark.slow
@pytest.mark.parametrize("at", SAMPLE)
def test_a_killed_worker_leaves_one_snapshot_at_most_and_the_truth(tmp_path: Path, at: str) -> None:
    if shutil.which("restic") is None:
        cannot("restic is not installed")
    script = f"echo began >>{tmp_path}/count; sleep 0.3; echo dump"
    backup = {
        "engine": "restic",
        "host": "db-1",
        "what": {"stdin": ["sh", "-c", script], "name": "orders.dump"},
        "repo": {"url": str(tmp_path / "repo"), "password": "env:REPO_PASSWORD"},
    }
    place = Mortal(tmp_path, backup)
    restic = Restic(str(tmp_path / "repo"), place.env)
    restic("init", "-q")
    place.fault = at
    place.begin("backup", "run", "orders-db", "--yes")
    view = place.newest()
    for _ in range(3):
        if view["outcome"] == "unknown":
            place.run("reconcile", view["job"])
            view = place.newest()
    outcome = view["targets"]["orders-db"]["outcome"]
    began = (tmp_path / "count").read_text().splitlines() if (tmp_path / "count").exists() else []
    listed = place.look()["snapshots"]
    assert view["state"] == "ended"
    assert outcome in FINAL
    assert len(began) <= 1
    assert len(listed) <= 1
    if outcome == "succeeded":
        assert len(listed) == 1
    if outcome == "not_started":
        assert not began
        assert not listed
    assert place.run("audit", "verify").code == 0
