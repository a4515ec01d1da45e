"""Jobs on a backup that break between two steps or after the last: what was restored goes, what is left is named."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from ondeck.errors import RemoteFailed, Unreachable
from ondeck.job.finding import Attempt, Finding
from ondeck.job.outcome import Outcome
from ondeck.job.plan import Plan
from ondeck.reach.detached import Detached, Look
from providers.restic.engine import Restic
from tests.contract.backup_doing import Doing
from tests.contract.backup_site import ResticSite
from tests.contract.test_backups import needing

_AT = Attempt(id="job-steps", job="job", target="orders")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    needing("restic")
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path


@pytest.fixture
def doing(home: Path) -> Doing:
    made = Doing(ResticSite(home))
    made.site.by_cron()
    return made


@pytest.fixture
def drilled(home: Path) -> Doing:
    """A drill whose scratch is a file that `drop` removes."""
    scratch = str(home / "${scratch}")
    restore = {
        "beside": "db-1",
        "create": ["touch", scratch],
        "load": ["true"],
        "compare": [["echo", "1"]],
        "drop": ["rm", "-f", scratch],
    }
    made = Doing(ResticSite(home, prove={"restore": restore}))
    made.site.by_cron()
    return made


def unreached(monkeypatch: pytest.MonkeyPatch, *numbers: int) -> None:
    """The host is not reached when steps of these numbers start."""
    launch = Detached.launch

    async def cut(self: Detached, argv: Any, **more: Any) -> None:
        if self._id in [f"{_AT.id}.{number}" for number in numbers]:
            raise Unreachable("connection refused")
        await launch(self, argv, **more)

    monkeypatch.setattr(Detached, "launch", cut)


def restored(home: Path) -> list[str]:
    """What lies where restores go, and scratches."""
    found = [*home.rglob("drill-orders-*"), *home.glob("ondeck_drill_*")]
    return [str(path) for path in found]


async def reconciled(doing: Doing, plan: Plan) -> Finding:
    async with doing.operator.open(plan, doing.site.bench) as applying:
        return await applying.reconcile(_AT)


async def test_a_step_that_cannot_start_leaves_nothing_restored_and_is_unknown_not_unreached(
    drilled: Doing, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unreached(monkeypatch, 2)
    plan = await drilled.plan("backup.drill")
    found = await drilled.apply(plan, _AT.id)
    assert found.outcome is Outcome.UNKNOWN, "a job that is unreached may begin again by itself"
    assert "load on db-1 did not begin" in found.evidence
    assert restored(home) == []
    later = await reconciled(drilled, plan)
    assert later.outcome is Outcome.FAILED
    assert "what comes after it never began" in later.evidence
    assert "not tidied up" not in later.evidence


async def test_what_could_not_be_tidied_up_is_named_by_who_finds_out_later(
    drilled: Doing, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unreached(monkeypatch, *range(2, 9))
    plan = await drilled.plan("backup.drill")
    found = await drilled.apply(plan, _AT.id)
    assert found.outcome is Outcome.UNKNOWN
    assert len(restored(home)) == 2
    later = await reconciled(drilled, plan)
    for left in restored(home):
        assert left in later.evidence
    assert "not tidied up: drop on db-1" in later.evidence


async def test_a_drill_whose_first_step_never_started_is_unreached(
    drilled: Doing, monkeypatch: pytest.MonkeyPatch
) -> None:
    unreached(monkeypatch, 0)
    with pytest.raises(Unreachable):
        await drilled.apply(await drilled.plan("backup.drill"), _AT.id)


# --- an end that nobody saw


@pytest.mark.parametrize("error", [TimeoutError(), RemoteFailed("no"), Unreachable("no")])
async def test_a_repository_that_cannot_be_read_after_an_end_with_0_leaves_the_outcome_unknown_until_it_can(
    doing: Doing, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    plan = await doing.plan("backup.run")
    read, calls = Restic.read, 0

    async def late(self: Restic, *words: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 2:  # the first is the check before it starts
            raise error
        return await read(self, *words)

    monkeypatch.setattr(Restic, "read", late)
    with pytest.raises(Exception, match="could not be seen") as caught:
        await doing.apply(plan, _AT.id)
    assert type(caught.value).__name__ == "LinkLost"
    assert (await reconciled(doing, plan)).outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize("error", [TimeoutError(), RemoteFailed("no"), Unreachable("no")])
async def test_a_folder_that_cannot_be_read_is_no_failure_of_what_may_still_run(
    doing: Doing, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    look = Detached.look

    async def odd(self: Detached, *, take: bool = False) -> Look:
        if not take:
            raise error
        return await look(self, take=take)

    monkeypatch.setattr(Detached, "look", odd)
    plan = await doing.plan("backup.run")
    assert (await doing.apply(plan, _AT.id)).outcome is Outcome.UNKNOWN
    assert (await reconciled(doing, plan)).outcome is Outcome.SUCCEEDED


# --- stopped


async def test_a_tool_that_ended_with_0_before_it_was_stopped_has_succeeded(
    doing: Doing, monkeypatch: pytest.MonkeyPatch
) -> None:
    follow = Detached.follow

    async def stopped(self: Detached, output: Any, **more: Any) -> None:
        await follow(self, output, **more)
        raise asyncio.CancelledError

    monkeypatch.setattr(Detached, "follow", stopped)
    found = await doing.do("backup.run")
    assert found.outcome is Outcome.SUCCEEDED
    assert "is listed" in found.evidence


def waiting(home: Path, monkeypatch: pytest.MonkeyPatch, when: str) -> Path:
    """In front of the real tool: it says that it is there and waits, where a test of sh holds."""
    shim, reached = home / "bin" / "restic", home / "reached"
    shim.parent.mkdir()
    wait = f'[ -e "{home}/go" ] && {when} && {{ touch "{reached}"; sleep 60; }}'
    shim.write_text(f'#!/bin/sh\n{wait}\nexec {shutil.which("restic")} "$@"\n')
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", f"{shim.parent}:{os.environ['PATH']}")
    return reached


async def stopped_at(doing: Doing, plan: Plan, reached: Path) -> Finding:
    (doing.site.root / "go").touch()
    task = asyncio.create_task(doing.apply(plan))
    async with asyncio.timeout(60):
        while not reached.exists():  # noqa: ASYNC110, ASYNC240 - the world outside changes
            await asyncio.sleep(0.02)
    (doing.site.root / "go").unlink()
    task.cancel()
    return await task


@pytest.mark.parametrize(("passing", "outcome"), [(0, Outcome.CANCELLED), (1, Outcome.FAILED)])
async def test_a_hold_that_was_stopped_is_cancelled_only_where_nothing_is_held(
    doing: Doing, home: Path, monkeypatch: pytest.MonkeyPatch, passing: int, outcome: Outcome
) -> None:
    doing.site.by_cron()
    first = f' && ! mkdir "{home}/first" 2>/dev/null' if passing else ""
    reached = waiting(home, monkeypatch, f'[ "$1" = tag ]{first}')
    found = await stopped_at(doing, await doing.plan("backup.hold", everything=True), reached)
    assert found.outcome is outcome, found
    assert "not held" in found.evidence
    assert sum(s.held for s in (await doing.look()).snapshots) == passing


async def test_a_restore_that_was_stopped_with_half_of_it_there_is_not_merely_cancelled(
    doing: Doing, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached = waiting(home, monkeypatch, '[ "$1" = restore ]')
    target = home / "out" / "new"
    found = await stopped_at(doing, await doing.plan("backup.restore", path=str(target)), reached)
    assert found.outcome is Outcome.FAILED
    assert f"{target}.INCOMPLETE on db-1 is not whole" in found.evidence
