"""Bad days of backups on real tools: whatever breaks, nothing is called whole that is not, and the way out is named."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ondeck.errors import BadInput, Refused
from ondeck.job.outcome import Outcome
from ondeck.observe.backup_judging import judge
from ondeck.observe.backups import Proof
from ondeck.observe.fleet import Severity
from tests.contract.backup_doing import Doing
from tests.contract.backup_site import BorgSite, ResticSite
from tests.contract.test_backups import needing
from tests.required import cannot


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    needing("restic")
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path


@pytest.fixture
def doing(home: Path) -> Doing:
    return Doing(ResticSite(home))


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    """A file system with one MiB."""
    if os.geteuid() != 0:
        cannot("mounting a small file system needs root")
    folder = tmp_path / "full"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def begun(argv: list[str], env: dict[str, str]) -> subprocess.Popen[bytes]:
    """Somebody else at work, in a session of their own."""
    return subprocess.Popen(argv, env=env, start_new_session=True)


def resized(folder: Path, size: str) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", str(folder)], check=True)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not true():  # noqa: ASYNC110 - the world outside changes
            await asyncio.sleep(0.02)


def running(tool: str, word: str) -> list[int]:
    """Processes of a tool with a word in their command or environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            name = (process / "comm").read_text().strip()
            said = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue
        if name == tool and word.encode() in said:
            found.append(int(process.name))
    return found


# --- what is saved


@pytest.mark.parametrize("kind", [ResticSite, BorgSite])
async def test_a_dump_that_failed_leaves_no_snapshot_and_its_output_is_kept(
    home: Path, kind: type[ResticSite]
) -> None:
    needing("borg")
    dump = ["sh", "-c", "echo half; echo no such table >&2; exit 3"]
    doing = Doing(kind(home, {"stdin": dump, "name": "orders.dump"}))
    found = await doing.do("backup.run")
    assert found.outcome is Outcome.FAILED
    assert "no snapshot of it is listed" in found.evidence
    assert b"no such table" in doing.told.err
    assert b"the source ended with 3" in doing.told.err
    look = await doing.look()
    assert (look.snapshots, look.others, look.error) == ((), 0, "")


async def test_a_dump_that_dies_by_a_signal_leaves_no_snapshot(home: Path) -> None:
    doing = Doing(ResticSite(home, {"stdin": ["sh", "-c", "echo half; kill -9 $$"], "name": "orders.dump"}))
    assert (await doing.do("backup.run")).outcome is Outcome.FAILED
    assert (await doing.look()).snapshots == ()


async def test_the_command_that_is_saved_does_not_get_the_password_of_the_repository(home: Path) -> None:
    doing = Doing(ResticSite(home, {"stdin": ["env"], "name": "orders.dump"}))
    assert (await doing.do("backup.run")).outcome is Outcome.SUCCEEDED
    saved = doing.site.tool("dump", "latest", "orders.dump")
    assert "HOME=" in saved
    assert "RESTIC" not in saved


async def test_a_source_that_is_not_there_is_refused_for_the_tool_would_call_it_a_success(
    doing: Doing,
) -> None:
    plan = await doing.plan("backup.run")
    shutil.rmtree(doing.site.data)
    with pytest.raises(AssertionError, match="stale"):
        await doing.apply(plan)
    with pytest.raises(Refused, match="not there on db-1"):
        await doing.plan("backup.run")


async def test_a_full_repository_is_a_failure_that_says_so(home: Path, full: Path) -> None:
    site = ResticSite(home)
    shutil.copytree(site.repo, full / "repo")
    (site.data / "big").write_bytes(os.urandom(3 << 20))
    site.backup.options["repo"]["url"] = str(full / "repo")
    doing = Doing(site)
    found = await doing.do("backup.run")
    assert found.outcome is Outcome.FAILED
    assert "no space" in found.evidence
    assert (await doing.look()).snapshots == ()


# --- who holds the repository


async def killed_midway(doing: Doing) -> str:
    """A backup whose tool dies with kill -9; the evidence."""
    task = asyncio.create_task(doing.do("backup.run"))
    await until(lambda: any((doing.site.repo / "locks").iterdir()))
    for pid in running("restic", str(doing.site.repo)):
        os.kill(pid, signal.SIGKILL)
    found = await task
    assert found.outcome is Outcome.FAILED
    return found.evidence


async def test_a_tool_that_was_killed_leaves_a_lock_that_is_explained_and_goes_once_its_holder_is_proven_dead(
    home: Path,
) -> None:
    site = ResticSite(home, {"stdin": ["sh", "-c", "echo half; sleep 600"], "name": "orders.dump"})
    doing = Doing(site)
    evidence = await killed_midway(doing)
    assert "no snapshot of it is listed" in evidence
    assert "dead" in evidence
    assert "ondeck backup unlock orders" in evidence
    verdict = judge(await doing.look(), time.time_ns())
    assert any("lock was left behind" in reason for reason in verdict.reasons)
    found = await doing.do("backup.unlock")
    assert found.outcome is Outcome.SUCCEEDED, found
    assert not list((site.repo / "locks").iterdir())
    with pytest.raises(Refused, match="not locked"):
        await doing.plan("backup.unlock")


async def test_the_lock_of_a_living_holder_is_never_removed(home: Path) -> None:
    site = ResticSite(home)
    env = {**os.environ, "RESTIC_PASSWORD": "correct horse", "RESTIC_REPOSITORY": str(site.repo)}
    script = "sleep 600 | restic backup -q --stdin --stdin-filename x"
    other = begun(["sh", "-c", script], env)
    doing = Doing(site)
    try:
        await until(lambda: any((site.repo / "locks").iterdir()))
        look = await doing.look()
        assert [lock.alive for lock in look.locks] == [True]
        with pytest.raises(Refused, match="lives"):
            await doing.plan("backup.unlock")
        site.by_cron()
        plan = await doing.plan("backup.prune")
        assert any("alive" in row.note for row in plan.draft.preflight), "the plan says what is in the way"
        found = await doing.apply(plan)
        assert found.outcome is Outcome.FAILED
        assert "locked" in found.evidence
    finally:
        os.killpg(other.pid, signal.SIGKILL)
        other.wait()


async def test_the_lock_of_another_host_is_explained_and_not_removed(home: Path) -> None:
    site = ResticSite(home)
    if os.geteuid() != 0:
        cannot("another host's name needs a namespace, which needs root")
    env = {**os.environ, "RESTIC_PASSWORD": "correct horse", "RESTIC_REPOSITORY": str(site.repo)}
    script = "hostname elsewhere; sleep 600 | restic backup -q --stdin --stdin-filename x"
    other = begun(["unshare", "--uts", "sh", "-c", script], env)
    doing = Doing(site)
    try:
        await until(lambda: any((site.repo / "locks").iterdir()))
        with pytest.raises(Refused, match=r"cannot be asked: pid \d+ on elsewhere"):
            await doing.plan("backup.unlock")
    finally:
        os.killpg(other.pid, signal.SIGKILL)
        other.wait()
    with pytest.raises(Refused, match="cannot be asked"):
        await doing.plan("backup.unlock")


# --- damage


def damaged(repo: Path) -> None:
    """Flip bytes in the middle of the largest pack."""
    pack = max((p for p in (repo / "data").rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    pack.chmod(0o600)
    with pack.open("r+b") as file:
        file.seek(pack.stat().st_size // 2)
        file.write(b"XXXX")


@pytest.fixture
def large(home: Path) -> Doing:
    site = ResticSite(home, prove={"read_data": "all in 1d"})
    (site.data / "big").write_bytes(os.urandom(2 << 20))
    site.by_cron()
    return Doing(site)


async def test_a_corrupt_pack_is_never_shown_as_verified(large: Doing) -> None:
    assert (await large.do("backup.verify", data=True)).outcome is Outcome.SUCCEEDED
    assert (await large.look()).snapshots[0].proof is Proof.READ
    damaged(large.site.repo)
    assert (await large.do("backup.verify")).outcome is Outcome.SUCCEEDED, "the structure alone shows nothing"
    found = await large.do("backup.verify", data=True)
    assert found.outcome is Outcome.FAILED
    look = await large.look()
    assert look.snapshots[0].proof is Proof.STRUCTURE
    verdict = judge(look, time.time_ns())
    assert verdict.severity is Severity.BAD
    assert "damaged" in verdict.reasons[0]
    assert (await large.do("backup.verify")).outcome is Outcome.SUCCEEDED
    assert (await large.look()).damage is not None, "a check that reads no data does not take it back"


async def test_a_restore_from_a_corrupt_pack_stays_incomplete(large: Doing) -> None:
    damaged(large.site.repo)
    target = large.site.root / "out" / "new"
    found = await large.do("backup.restore", path=str(target))
    assert found.outcome is Outcome.FAILED
    assert f"{target}.INCOMPLETE" in found.evidence
    assert not target.exists()
    with pytest.raises(AssertionError, match="stale"):
        await large.apply(await _planned_before(large, target))


async def _planned_before(large: Doing, target: Path) -> object:
    """A plan from before the failed restore left its folder."""
    left = target.with_name(f"{target.name}.INCOMPLETE")
    aside = left.rename(left.with_name("aside"))
    plan = await large.plan("backup.restore", path=str(target))
    aside.rename(left)
    return plan


# --- where it is restored


async def test_a_place_without_room_is_refused_and_one_that_fills_leaves_nothing_under_its_name(
    large: Doing, full: Path
) -> None:
    with pytest.raises(Refused, match="no room"):
        await large.plan("backup.restore", path=str(full / "a" / "b"))
    resized(full, "8m")
    plan = await large.plan("backup.restore", path=str(full / "a" / "b"))
    resized(full, "1m")
    found = await large.apply(plan)
    assert found.outcome is Outcome.FAILED
    assert not (full / "a" / "b").exists()
    assert (full / "a" / "b.INCOMPLETE").exists()


async def test_a_restore_whose_tool_is_killed_stays_incomplete(
    large: Doing, monkeypatch: pytest.MonkeyPatch
) -> None:
    shim = large.site.root / "bin" / "restic"
    shim.parent.mkdir()
    real = shutil.which("restic")
    # In front of the real tool: it dies in the middle of a restore, as by the OOM killer.
    shim.write_text(f'#!/bin/sh\n[ "$1" = restore ] && {{ echo x >half; kill -9 $$; }}\nexec {real} "$@"\n')
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", f"{shim.parent}:{os.environ['PATH']}")
    target = large.site.root / "out" / "new"
    found = await large.do("backup.restore", path=str(target))
    assert found.outcome is Outcome.FAILED
    assert "SIGKILL" in found.evidence
    assert not target.exists()
    assert (target.with_name("new.INCOMPLETE") / "half").exists()


@pytest.mark.parametrize("path", ["/", "/tmp", "relative/x", "/a/../b"])
async def test_a_restore_over_the_root_or_to_nowhere_is_refused(large: Doing, path: str) -> None:
    with pytest.raises(BadInput):
        await large.plan("backup.restore", path=path)


async def test_a_restore_over_live_data_is_refused_also_through_a_link(large: Doing) -> None:
    link = large.site.root / "link"
    link.symlink_to(large.site.data)
    for place in (large.site.data / "x", link / "x"):
        with pytest.raises(BadInput, match="what is backed up"):
            await large.plan("backup.restore", path=str(place))


async def test_a_restore_to_another_environment_is_refused_unless_the_inventory_names_that_host(
    large: Doing,
) -> None:
    with pytest.raises(BadInput, match="other"):
        await large.plan("backup.restore", to="stg-1")
    large.site.backup.options["prove"]["restore"] = {"beside": "stg-1"}
    assert (await large.plan("backup.restore", to="stg-1")).draft.commands


# --- what a plan depends on


async def test_a_snapshot_that_came_meanwhile_refuses_no_restore_and_another_repository_does(
    large: Doing,
) -> None:
    plan = await large.plan("backup.restore", path=str(large.site.root / "out" / "one"))
    large.site.by_cron()
    assert (await large.apply(plan)).outcome is Outcome.SUCCEEDED
    again = await large.plan("backup.restore", path=str(large.site.root / "out" / "two"))
    large.site.repo.rename(large.site.root / "old")
    large.site.begin()
    large.site.by_cron()
    with pytest.raises(AssertionError, match="stale"):
        await large.apply(again)


# --- the tool


async def test_a_tool_that_is_missing_or_too_old_is_an_error_with_what_to_do(
    doing: Doing, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = doing.site.root / "bin"
    folder.mkdir()
    for name in ("sh", "dd", "env", "setsid", "cat", "sed", "date", "getconf", "head", "sleep"):
        (folder / name).symlink_to(shutil.which(name) or "")
    monkeypatch.setenv("PATH", str(folder))
    look = await doing.look()
    assert "apt-get install restic" in look.error
    assert judge(look, time.time_ns()).word == "?"
    # No old restic can be had: one that says so of itself.
    (folder / "restic").write_text("#!/bin/sh\necho restic 0.9.6 compiled with go1.13\n")
    (folder / "restic").chmod(0o755)
    assert "too old" in (await doing.look()).error
