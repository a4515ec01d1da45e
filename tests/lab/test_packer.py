"""Builds from end to end with a real packer, by commands: built, failed, cancelled, killed, promoted."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.packer.site import BuildSite, missing
from tests import required
from tests.playing import Player, eventually

BUILD = "golden"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[BuildSite]:
    if why := missing():
        required.cannot(why)
    made = BuildSite(tmp_path / "site")
    yield made
    made.go_on()


@pytest.fixture
def player(site: BuildSite) -> Player:
    return Player(site, timescale=0.2)  # type: ignore[arg-type]


def artifacts(player: Player) -> list[dict[str, Any]]:
    found = player.run("get", "artifacts", BUILD, "-o", "json", code=0).data["things"]
    assert isinstance(found, list)
    return found


def begin(player: Player, site: BuildSite) -> str:
    site.wait_here()
    job = player.run("build", "run", BUILD, "--yes", "--detach", code=0).out.strip()
    eventually(lambda: site.begun() >= 2)
    return job


def ended(player: Player, job: str) -> dict[str, Any]:
    return dict(eventually(lambda: (found := player.job(job))["state"] == "ended" and found, 60))


def packers(site: BuildSite) -> list[int]:
    """Processes of the program that work below the site."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if (
                str(site.base) in str((entry / "cwd").readlink())
                and (entry / "exe").readlink().name == "packer"
            ):
                found.append(int(entry.name))
        except (OSError, ValueError):
            continue
    return found


def test_a_build_is_run_its_artifact_remembered_and_promoted(player: Player, site: BuildSite) -> None:
    done = player.run("build", "run", BUILD, "--yes", code=0)
    assert "one, two" in done.out, "the output of a script comes as it was written"
    assert "exit 0, 2 finished" in done.err
    (made,) = artifacts(player)
    commit = site.repository.head()
    assert made["name"] == f"{commit[:7]}:out/image-1.0.img"
    assert Path(made["files"][0]).read_text() == "image 1.0"
    player.run("build", "promote", f"{BUILD}/none", "--yes", code=2)
    player.run("build", "promote", f"{BUILD}/{made['name']}", "--yes", code=0)
    assert "promoted" in player.run("get", "artifacts", BUILD, code=0).out
    player.run("build", "promote", f"{BUILD}/{made['name']}", "--yes", code=2)
    assert not (site.repository.folder / "image/out").exists(), "nobody's tree is worked in"


def test_a_failed_build_says_why_and_promotes_nothing(player: Player, site: BuildSite) -> None:
    (site.effects / "fail").touch()
    failed = player.run("build", "run", BUILD, "--yes", code=1)
    assert "exit status: 1" in failed.err
    assert artifacts(player) == []


def test_a_wrong_template_is_refused_before_anything_runs(player: Player, site: BuildSite) -> None:
    site.repository.commit(
        {"image/image.pkr.hcl": 'build {\n sources = ["source.file.none"]\n}\n'}, "Break it"
    )
    refused = player.run("build", "run", BUILD, "--yes", code=1)
    assert "packer validate" in refused.err
    assert site.begun() == 0


def test_a_cancel_interrupts_all_of_it_and_says_what_was_seen(player: Player, site: BuildSite) -> None:
    job = begin(player, site)
    assert packers(site)
    player.run("cancel", job, "--now", code=0)
    found = ended(player, job)
    assert found["outcome"] == "cancelled", found
    assert "cleaned up" in json.dumps(found)
    assert packers(site) == []
    assert artifacts(player) == []


def test_a_killed_worker_does_not_end_a_build_and_what_it_made_is_found(
    player: Player, site: BuildSite
) -> None:
    job = begin(player, site)
    log = (site.base / "state/jobs" / job / "events.log").read_bytes()
    os.kill(int(log[log.index(b'"pid":') + 6 :].partition(b",")[0].rstrip(b"}")), signal.SIGKILL)
    assert packers(site), "it goes on"
    site.go_on()
    eventually(lambda: not packers(site))
    player.run("reconcile", job)
    assert ended(player, job)["outcome"] == "succeeded"
    assert site.begun() == 2
    assert len(artifacts(player)) == 1


def test_a_missing_program_says_how_to_get_it(tmp_path: Path) -> None:
    site = BuildSite(tmp_path / "site", more="binary: /nowhere/packer")
    refused = Player(site, timescale=0.2).run("build", "run", BUILD, "--yes", code=1)  # type: ignore[arg-type]
    assert "is not there" in refused.err
    assert "builds.golden.binary" in refused.err
