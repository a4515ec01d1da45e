"""What became of a deploy that was cut before its switch: read from the claims of its steps."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from ondeck.errors import OndeckError
from tests.contract.release_site import ContractSite, Log, Make, Site


async def until(site: Site, line: str) -> None:
    """Until a command of the service was called."""
    while line not in site.log():  # noqa: ASYNC110 - a process outside of this loop writes it
        await asyncio.sleep(0.01)


async def lost(site: Site, line: str, held: str, version: str = "1.1") -> Any:
    """What reconcile says of a deploy whose link was lost while a command ran, once that has ended."""
    contract = ContractSite(site)
    (site.root / "web-1" / held).touch()
    plan = await site.plan("deploy", version=version)
    attempt = site.attempt("web-1")
    async with site.operator.open(plan, site.bench) as applying:
        task = asyncio.create_task(applying.apply(attempt, Log()))
        await until(site, line)
        contract.cuts.after(0)
        (site.root / "web-1" / held).unlink()
        done = await asyncio.gather(task, return_exceptions=True)
        assert isinstance(done[0], OndeckError), done
        contract.cuts.heal()
        while (found := await applying.reconcile(attempt)).still_running:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return found


async def watched(site: Site, line: str, held: str) -> Any:
    """What another worker finds out about a deploy of 1.1 while one of its commands still runs."""
    (site.root / "web-1" / held).touch()
    plan = await site.plan("deploy", version="1.1")
    attempt = site.attempt("web-1")
    async with site.operator.open(plan, site.bench) as one, site.operator.open(plan, site.bench) as other:
        task = asyncio.create_task(one.apply(attempt, Log()))
        await until(site, line)
        found = await other.reconcile(attempt)
        (site.root / "web-1" / held).unlink()
        await asyncio.gather(task, return_exceptions=True)
    return found


@pytest.fixture(params=["release-dir", "command"])
def site(request: pytest.FixtureRequest, make: Make) -> Site:
    more = {"kind": "command"} if request.param == "command" else {}
    site = make(migrates=True, drains=True, **more)
    for version in ("1.0", "1.1"):
        site.build(version)
    return site


async def test_a_migration_that_ended_behind_a_lost_link_is_told_with_its_status(site: Site) -> None:
    await site.do("deploy", version="1.0")
    found = await lost(site, "migrate web-1 1.1", "hold-migrate")
    assert found.outcome == "failed"
    assert found.evidence.startswith("migrate: exit 0, cannot be taken back; nothing was switched, runs 1.0")


async def test_a_migration_that_failed_behind_a_lost_link_is_told_with_its_status(site: Site) -> None:
    await site.do("deploy", version="1.0")
    (site.root / "web-1" / "no-migrate").touch()
    found = await lost(site, "migrate web-1 1.1", "hold-migrate")
    assert (found.outcome, found.status) == ("failed", 1)
    assert "migrate: exit 1, cannot be taken back" in found.evidence


async def test_a_migration_that_still_runs_is_never_not_started(site: Site) -> None:
    await site.do("deploy", version="1.0")
    found = await watched(site, "migrate web-1 1.1", "hold-migrate")
    assert (found.outcome, found.still_running) == ("unknown", True)
    assert re.match(r"migrate: (still running, pid \d+|starting), cannot be taken back", found.evidence)


async def test_a_migration_that_ran_is_not_run_again_for_the_same_release(make: Make) -> None:
    site = make(migrates=True)
    site.build("1.0")
    site.build("1.1")
    await site.do("deploy", version="1.0")
    await lost(site, "migrate web-1 1.1", "hold-migrate")
    found, _ = await site.do("deploy", version="1.1")
    assert found["web-1"].outcome == "succeeded"
    assert site.log().count("migrate web-1 1.1") == 1


async def test_a_cut_before_the_migration_proves_that_nothing_began(site: Site) -> None:
    await site.do("deploy", version="1.0")
    contract = ContractSite(site)
    plan = await site.plan("deploy", version="1.1")
    attempt = site.attempt("web-1")
    async with site.operator.open(plan, site.bench) as applying:
        contract.cuts.after(0)
        with pytest.raises(OndeckError):
            await applying.apply(attempt, Log())
        contract.cuts.heal()
        found = await applying.reconcile(attempt)
    assert (found.outcome, found.evidence.partition(",")[0]) == ("not_started", "no claim on the host")


async def test_a_drain_behind_a_lost_link_is_never_not_started(site: Site) -> None:
    await site.do("deploy", version="1.0")
    site.forget_log()
    found = await lost(site, "drain web-1", "hold-drain")
    assert found.outcome == "failed"
    assert "still drained: ondeck undrain shop@prod" in found.evidence


async def cancelled(site: Site, line: str, held: str) -> Any:
    (site.root / "web-1" / held).touch()
    plan = await site.plan("deploy", version="1.1")
    async with site.operator.open(plan, site.bench) as applying:
        task = asyncio.create_task(applying.apply(site.attempt("web-1"), Log()))
        await until(site, line)
        task.cancel()
        await asyncio.sleep(0)
        (site.root / "web-1" / held).unlink()
        return await task


async def test_cancelled_in_the_migration_tells_that_it_ran_and_what_runs_now(site: Site) -> None:
    await site.do("deploy", version="1.0")
    found = await cancelled(site, "migrate web-1 1.1", "hold-migrate")
    assert found.outcome == "failed"
    assert found.evidence.startswith("cancelled; migrate: exit 0, cannot be taken back; nothing was switched")
    assert "runs 1.0" in found.evidence
    assert site.log()[-1] == "migrate web-1 1.1"


@pytest.mark.parametrize("undrains", [True, False])
async def test_a_command_deploy_that_was_cancelled_after_the_drain_is_observed(
    make: Make, undrains: bool
) -> None:
    site = make(kind="command", drains=True)
    await site.do("deploy", version="1.0")
    if not undrains:
        (site.root / "web-1" / "no-undrain").touch()
    site.forget_log()
    found = await cancelled(site, "drain web-1", "hold-drain")
    assert found.outcome == ("cancelled" if undrains else "failed"), found
    assert "nothing was switched, runs 1.0" in found.evidence
    assert ("taken back in" if undrains else "still drained: undrain failed: exit 1") in found.evidence
    assert site.log() == ["drain web-1", "undrain web-1"]


async def test_a_command_deploy_that_went_well_leaves_no_claims_behind(make: Make, tmp_path: Path) -> None:
    site = make(kind="command", drains=True, migrates=True)
    await site.do("deploy", version="1.0")
    assert list((tmp_path / "home/.local/state/ondeck/jobs").iterdir()) == []


async def test_the_end_of_a_command_deploy_is_not_green_while_nobody_knows_of_its_undrain(make: Make) -> None:
    site = make(kind="command", drains=True)
    await site.do("deploy", version="1.0")
    site.forget_log()
    found = await watched(site, "undrain web-1", "hold-undrain")
    assert (found.outcome, found.still_running) == ("unknown", True), found
    assert re.match(r"undrain: (still running, pid|starting)", found.evidence)


async def test_a_failed_deploy_names_the_migration_that_stays(make: Make) -> None:
    site = make(migrates=True)
    site.build("1.0")
    site.build("1.1", "bad")
    await site.do("deploy", version="1.0")
    found, _ = await site.do("deploy", version="1.1")
    assert "went back to 1.0, healthy; migrate cannot be taken back" in found["web-1"].evidence


async def test_a_drain_by_command_that_was_cut_is_told_from_its_claim(make: Make) -> None:
    site = make(kind="command", drains=True)
    await site.do("deploy", version="1.0")
    site.forget_log()
    contract = ContractSite(site)
    (site.root / "web-1" / "hold-drain").touch()
    plan = await site.plan("drain")
    attempt = site.attempt("web-1")
    async with site.operator.open(plan, site.bench) as applying:
        task = asyncio.create_task(applying.apply(attempt, Log()))
        await until(site, "drain web-1")
        contract.cuts.after(0)
        (site.root / "web-1" / "hold-drain").unlink()
        await asyncio.gather(task, return_exceptions=True)
        contract.cuts.heal()
        while (found := await applying.reconcile(attempt)).still_running:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert (found.outcome, found.evidence) == ("succeeded", "exit 0, drained")
