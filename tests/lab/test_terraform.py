"""Stacks from end to end with a real terraform, by commands: planned, applied, locked, killed, gone back."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.terraform.site import StackSite
from lab.terraform.stacks import WEB, missing
from tests import required
from tests.playing import Done, Player, eventually

NET, HTTP = "net-prod", "web-prod"
YES = "--yes"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[StackSite]:
    if why := missing():
        required.cannot(why)
    with StackSite(tmp_path / "site") as made:
        yield made


@pytest.fixture
def player(site: StackSite) -> Player:
    return Player(site, timescale=0.2)  # type: ignore[arg-type]


def stack(player: Player, *argv: str, code: int | None = 0) -> Done:
    return player.run("stack", *argv, code=code)


def apply(player: Player, name: str = NET, *more: str, code: int = 0) -> Done:
    return stack(player, "apply", name, YES, *more, code=code)


def begin(player: Player, site: StackSite, name: str = NET) -> str:
    """A job whose apply is in the middle of it; it goes on when the site does."""
    site.wait_here()
    before = site.begun()
    job = apply(player, name, "--detach").out.strip()
    eventually(lambda: site.begun() >= before + 3)
    return job


def look(player: Player, name: str = NET) -> dict[str, Any]:
    found = stack(player, "show", name, "-o", "json", code=None).data
    assert isinstance(found, dict)
    return found


def ended(player: Player, job: str) -> dict[str, Any]:
    return dict(eventually(lambda: (found := player.job(job))["state"] == "ended" and found, 60))


def terraform_of(site: StackSite) -> int:
    """The process of the apply that runs below the site."""
    for entry in Path("/proc").iterdir():
        try:
            ours = str(site.base) in str((entry / "cwd").readlink())
            if (
                ours
                and (entry / "exe").readlink().name == "terraform"
                and b"apply" in (entry / "cmdline").read_bytes()
            ):
                return int(entry.name)
        except (OSError, ValueError):
            continue
    raise AssertionError("no terraform runs")


# --- the way of every day


def test_a_stack_is_planned_applied_looked_at_and_destroyed(player: Player, site: StackSite) -> None:
    planned = stack(player, "plan", NET)
    assert "+ create module.web.terraform_data.node[2]" in planned.out
    assert site.begun() == 0, "a plan changes nothing"
    assert stack(player, "apply", NET, "--plan", "--exit-code", code=10).out
    done = apply(player)
    assert "5 added, 0 changed, 0 destroyed" in done.err
    assert all(site.done(n) for n in range(3))
    assert stack(player, "apply", NET, "--plan", "--exit-code").out
    assert {
        row["name"] for row in player.run("get", "resources", NET, "-o", "json", code=0).data["things"]
    } >= {"terraform_data.vpc"}
    refused = stack(player, "destroy", NET, YES, code=4)
    assert "--confirm 'net-prod 5'" in refused.err or "net-prod 5" in refused.err
    stack(player, "destroy", NET, "--confirm", f"{NET} 5")
    assert look(player)["resources"] == 0


def test_what_is_applied_is_exactly_the_plan_that_was_shown_and_a_stale_one_is_refused(
    player: Player, site: StackSite
) -> None:
    apply(player)
    site.repository.commit({"modules/web/main.tf": WEB.replace("blue", "green")}, "Paint it green")
    plan = stack(player, "apply", NET, "--plan", "-o", "name").out.strip()
    stack(player, "mv", NET, "terraform_data.vpc", "terraform_data.other", YES)
    stack(player, "mv", NET, "terraform_data.other", "terraform_data.vpc", YES)
    stale = player.run("apply", plan, YES, code=7)
    assert "serial" in stale.err
    again = stack(player, "apply", NET, "--plan", "-o", "name").out.strip()
    site.repository.commit({"net/note.tf": "# nothing\n"}, "Another commit")
    moved = player.run("apply", again, YES, code=7)
    assert "commit of main" in moved.err


def test_a_replacement_wants_the_stack_and_the_number_typed(player: Player, site: StackSite) -> None:
    apply(player)
    site.repository.commit({"modules/web/main.tf": WEB.replace('"v1"', '"v2"')}, "Replace the nodes")
    refused = apply(player, code=4)
    assert f"{NET} 3" in refused.err
    stack(player, "apply", NET, "--confirm", f"{NET} 3")
    assert site.begun() == 6


def test_the_way_back_is_the_commit_before(player: Player, site: StackSite) -> None:
    apply(player)
    first = site.repository.head()
    site.repository.commit({"modules/web/main.tf": WEB.replace("blue", "green")}, "Paint it green")
    apply(player)
    assert look(player)["behind"] == 0
    shown = stack(player, "plan", NET, "--ref", "main~1").out
    assert '-input.colour = "green"' in shown
    assert '+input.colour = "blue"' in shown
    apply(player, NET, "--ref", "main~1")
    now = look(player)
    assert (now["applied"], now["behind"]) == (first, 1)


def test_somebody_s_tree_is_never_worked_in_and_what_is_not_committed_is_said_not_to_be_part_of_it(
    player: Player, site: StackSite
) -> None:
    site.write(ref="")
    mine = site.repository.folder / "net/mine.tf"
    mine.write_text('resource "terraform_data" "mine" {}\n')
    before = {path: path.lstat().st_mtime_ns for path in site.repository.folder.rglob("*")}
    planned = stack(player, "plan", NET)
    assert "1 change there not committed" in planned.err
    assert "terraform_data.mine" not in planned.out
    apply(player)
    assert {path: path.lstat().st_mtime_ns for path in site.repository.folder.rglob("*")} == before


# --- values


def test_a_sensitive_value_stands_nowhere_but_in_plan_files_and_states(
    player: Player, site: StackSite
) -> None:
    said = [
        stack(player, "plan", NET),
        apply(player),
        stack(player, "output", NET),
        stack(player, "state", NET),
    ]
    said.append(stack(player, "show", NET, "terraform_data.login"))
    assert not any("s3cret-token" in str(one) for one in said)
    assert stack(player, "output", NET, "--show", "token").out == "s3cret-token\n"
    for path in (site.base / "state").rglob("*"):
        if (
            path.is_file()
            and path.suffix not in (".tfplan", ".tfstate", ".tf")
            and ".terraform" not in path.parts
        ):
            assert b"s3cret-token" not in path.read_bytes(), path
        assert path.is_symlink() or not path.stat().st_mode & 0o077 or "work" in path.parts, path
    assert not site.work(NET).stat().st_mode & 0o077


def test_a_secret_reaches_terraform_and_no_command_line(tmp_path: Path) -> None:
    if why := missing():
        required.cannot(why)
    canary = "canary-7d1f"
    with StackSite(tmp_path / "site", more="secret_env: {TF_VAR_token: 'env:NET_TOKEN'}") as site:
        player = Player(site, timescale=0.2, more={"NET_TOKEN": canary})  # type: ignore[arg-type]
        assert canary not in str(stack(player, "plan", NET))
        site.wait_here()
        job = apply(player, NET, "--detach").out.strip()
        eventually(lambda: site.begun() >= 3)
        for entry in Path("/proc").iterdir():
            try:
                assert canary.encode() not in (entry / "cmdline").read_bytes()
            except (OSError, AssertionError) as error:
                if isinstance(error, AssertionError) and entry.name.isdecimal():
                    raise
        site.go_on()
        assert ended(player, job)["outcome"] == "succeeded"
        assert stack(player, "output", NET, "--show", "token").out == f"{canary}\n"
        plan = (site.base / "state/jobs" / job / "plan.json").read_text()
        assert canary not in plan


# --- locks


def test_a_lock_is_told_with_its_holder_and_a_holder_that_lives_is_never_robbed(
    player: Player, site: StackSite
) -> None:
    job = begin(player, site)
    refused = stack(player, "plan", NET, code=4)
    assert "is locked: apply by" in refused.err
    lock = look(player)["lock"]
    assert lock["alive"] is True
    assert lock["job"] == job
    robbed = stack(player, "unlock", NET, code=4)
    assert "lives" in robbed.err
    assert f"ondeck cancel {job}" in robbed.err
    site.go_on()
    assert ended(player, job)["outcome"] == "succeeded"
    assert look(player)["lock"] is None


def test_the_lock_of_a_dead_process_is_broken_by_typing_its_id(player: Player, site: StackSite) -> None:
    job = begin(player, site, HTTP)
    os.kill(terraform_of(site), signal.SIGKILL)
    site.go_on()
    found = ended(player, job)
    assert found["outcome"] == "unknown"
    held = site.store.locks["/web"]["ID"]
    refused = stack(player, "plan", HTTP, code=4)
    assert held in refused.err
    assert look(player, HTTP)["lock"]["alive"] is None, "its backend does not tell who holds it"
    assert site.store.locks["/web"]["ID"] == held, "to look breaks nothing"
    stack(player, "unlock", HTTP, "--confirm", "another-id", code=4)
    assert site.store.locks["/web"]["ID"] == held
    stack(player, "unlock", HTTP, "--confirm", held)
    assert site.store.locks == {}
    stack(player, "plan", HTTP)
    assert stack(player, "unlock", HTTP, code=2).err


# --- deaths


def worker_of(site: StackSite, job: str) -> int:
    """The process that writes a job's log."""
    log = (site.base / "state/jobs" / job / "events.log").read_bytes()
    return int(log[log.index(b'"pid":') + 6 :].partition(b",")[0].rstrip(b"}"))


def test_a_killed_worker_does_not_kill_terraform_and_its_state_is_complete(
    player: Player, site: StackSite
) -> None:
    job = begin(player, site)
    os.kill(worker_of(site, job), signal.SIGKILL)
    pid = terraform_of(site)
    assert apply(player, code=4).err, "the lock stands"
    site.go_on()
    eventually(lambda: not Path(f"/proc/{pid}").exists())
    player.run("reconcile", job)
    found = ended(player, job)
    assert found["outcome"] == "succeeded", found
    assert all(site.done(n) for n in range(3))
    assert site.begun() == 3
    now = look(player)
    assert (now["resources"], now["half_done"]) == (5, [])


def test_a_hang_up_never_reaches_terraform(player: Player, site: StackSite) -> None:
    job = begin(player, site)
    os.killpg(os.getpgid(worker_of(site, job)), signal.SIGHUP)
    time.sleep(0.3)
    site.go_on()
    assert ended(player, job)["outcome"] == "succeeded"


def test_a_killed_terraform_is_unknown_and_keeps_the_lock_of_the_stack(
    player: Player, site: StackSite
) -> None:
    job = begin(player, site)
    os.kill(terraform_of(site), signal.SIGKILL)
    site.go_on()
    found = ended(player, job)
    assert found["outcome"] == "unknown"
    assert "SIGKILL" in json.dumps(found)
    assert job in player.run("lock", "ls", code=0).out
    assert apply(player, code=4).err


def test_a_cancel_lets_terraform_come_to_a_safe_point_and_its_state_is_written(
    player: Player, site: StackSite
) -> None:
    job = begin(player, site)
    player.run("cancel", job, code=0)
    found = ended(player, job)
    assert found["outcome"] in ("cancelled", "failed"), found
    said = json.dumps(found)
    assert "stopped at a safe point" in said
    site.go_on()
    now = look(player)
    assert now["lock"] is None
    assert now["serial"] > 0
    assert len(now["half_done"]) == 3, "what was left half made is told"
    apply(player, NET, "--confirm", f"{NET} 3")
    assert look(player)["half_done"] == []


def test_a_state_that_could_not_be_saved_waits_is_told_and_is_pushed_under_guard(
    player: Player, site: StackSite
) -> None:
    job = begin(player, site, HTTP)
    site.store.full = True
    site.go_on()
    found = ended(player, job)
    assert found["outcome"] == "unknown"
    assert "could not be saved" in json.dumps(found)
    site.store.full = False
    (waiting,) = look(player, HTTP)["waiting"]
    assert Path(waiting["path"]).exists()
    refused = stack(player, "push", HTTP, code=4)
    assert "reason" in refused.err or "confirm" in refused.err
    stack(player, "push", HTTP, "--confirm", HTTP)
    now = look(player, HTTP)
    assert (now["waiting"], now["resources"]) == ([], 5)
    assert list((site.work(HTTP) / "states").glob("pushed-*")), "it is kept"
    player.run("reconcile", job)
    assert ended(player, job)["outcome"] == "failed"
    assert stack(player, "plan", HTTP).out


# --- the program


def test_a_missing_program_says_how_to_get_it(tmp_path: Path) -> None:
    with StackSite(tmp_path / "site", binary="/nowhere/terraform") as site:
        player = Player(site, timescale=0.2)  # type: ignore[arg-type]
        refused = stack(player, "plan", NET, code=1)
        assert "is not there" in refused.err
        assert "developer.hashicorp.com" in refused.err
        assert "stacks.net-prod.binary" in refused.err


def fake_version(folder: Path, version: str) -> Path:
    """A real terraform that says it is another version."""
    script = folder / "terraform-other"
    script.write_text(
        "#!/bin/sh\n"
        f'[ "$1" = version ] && {{ echo \'{{"terraform_version": "{version}"}}\'; exit 0; }}\n'
        'exec terraform "$@"\n'
    )
    script.chmod(0o755)
    return script


def test_a_program_too_old_says_so_and_another_version_refuses_an_older_plan(tmp_path: Path) -> None:
    if why := missing():
        required.cannot(why)
    script = fake_version(tmp_path, "1.0.11")
    with StackSite(tmp_path / "site", binary=str(script)) as site:
        player = Player(site, timescale=0.2)  # type: ignore[arg-type]
        old = stack(player, "plan", NET, code=1)
        assert "1.0.11, too old: 1.3 is the least" in old.err
        fake_version(tmp_path, "1.11.4")
        plan = stack(player, "apply", NET, "--plan", "-o", "name").out.strip()
        fake_version(tmp_path, "1.12.0")
        stale = player.run("apply", plan, YES, code=7)
        assert "program" in stale.err
        assert site.begun() == 0


# --- the state


def test_state_is_moved_forgotten_imported_and_put_back_from_a_copy(player: Player, site: StackSite) -> None:
    apply(player)
    before = look(player)["serial"]
    stack(player, "mv", NET, "terraform_data.login", "terraform_data.new", YES)
    stack(player, "rm", NET, "terraform_data.new", "--confirm", NET)
    stack(player, "rm", NET, "terraform_data.none", "--confirm", NET, code=2)
    assert look(player)["resources"] == 4
    stack(player, "import", NET, "terraform_data.login", "known-id", YES)
    now = look(player)
    assert (now["resources"], now["serial"]) == (5, before + 3)
    (copy,) = (site.work(NET) / "states").glob(f"{before:06d}-before-*")
    stack(player, "push", NET, "--file", copy.name, "--confirm", NET, code=1)
    stack(player, "push", NET, "--file", copy.name, "--force", "--confirm", NET)
    assert "changed" in look(player)["states"][0]["changed"]


def test_a_workspace_that_is_not_there_is_no_empty_stack_and_init_makes_it(tmp_path: Path) -> None:
    if why := missing():
        required.cannot(why)
    with StackSite(tmp_path / "site", more="workspace: blue") as site:
        player = Player(site, timescale=0.2)  # type: ignore[arg-type]
        refused = stack(player, "plan", NET, code=2)
        assert "no workspace 'blue'" in refused.err
        assert "ondeck stack init net-prod" in refused.err
        stack(player, "init", NET, YES)
        apply(player)
        assert look(player)["workspace"] == "blue"
        assert (site.work(NET) / "state/workspaces/blue/terraform.tfstate").exists()


def test_a_wrong_key_of_a_stack_names_the_key(tmp_path: Path) -> None:
    with StackSite(tmp_path / "site", more="paralellism: 3") as site:
        refused = stack(Player(site, timescale=0.2), "plan", NET, code=2)  # type: ignore[arg-type]
        assert "stacks.net-prod" in refused.err
        assert "paralellism" in refused.err


def test_two_at_once_on_one_stack_one_wins_and_the_other_says_who(player: Player, site: StackSite) -> None:
    plans = [stack(player, "apply", NET, "--plan", "-o", "name").out.strip() for _ in range(2)]
    site.wait_here()
    both = [player.start("apply", plan, YES) for plan in plans]
    eventually(lambda: site.begun() >= 3)
    eventually(lambda: any(one.poll() is not None for one in both))
    site.go_on()
    codes = sorted(_wait(one) for one in both)
    assert codes == [0, 4]
    assert site.begun() == 3


def _wait(process: subprocess.Popen[bytes]) -> int:
    process.communicate(timeout=60)
    return process.returncode
