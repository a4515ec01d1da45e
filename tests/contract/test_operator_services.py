"""The contract of every operator, for each way a service is changed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ondeck.errors import LinkLost
from ondeck.job.finding import Attempt, Finding
from ondeck.job.outcome import Outcome
from ondeck.testing.operator_suite import Make, OperatorSuite, Quiet, planned
from tests.contract.release_site import CommandSite, ContractSite, DrainSite, RestartSite, Site

Sites = Callable[..., Awaitable[Site]]


@pytest.fixture
def sites(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sites]:
    """Fresh sites on which the given releases were deployed, each after the other."""
    made: list[Site] = []

    async def fresh(*versions: str, **more: Any) -> Site:
        root = tmp_path / f"site{len(made)}"
        # The suite gives every site the same attempt's id: a home of its own keeps the claims apart.
        home = tmp_path / f"home{len(made)}"
        home.mkdir()
        monkeypatch.setenv("HOME", str(home))
        made.append(site := Site(root, **more))
        for version in versions:
            site.build(version)
            await site.do("deploy", version=version)
        return site

    yield fresh
    for site in made:
        site.close()


class TestDeploy(OperatorSuite):
    provider = "release"

    @pytest.fixture
    def make(self, sites: Sites) -> Callable[[], Any]:  # type: ignore[override]
        async def fresh() -> ContractSite:
            site = await sites("1.0", drains=True)
            site.build("1.1")
            return ContractSite(site)

        return fresh


class TestRollback(OperatorSuite):
    provider = "release"

    @pytest.fixture
    def make(self, sites: Sites) -> Callable[[], Any]:  # type: ignore[override]
        async def fresh() -> ContractSite:
            return ContractSite(await sites("1.0", "1.1", drains=True), "rollback", "releases/1.0")

        return fresh


class TestRestart(OperatorSuite):
    provider = "release"

    @pytest.fixture
    def make(self, sites: Sites) -> Callable[[], Any]:  # type: ignore[override]
        async def fresh() -> RestartSite:
            return RestartSite(await sites("1.0", drains=True))

        return fresh


class DrainSuite(OperatorSuite):
    """What is promised of a balancer's command: it is not a step of its own, and a cancel comes too late for it."""

    provider = "release"
    tells_the_end = False

    async def test_cancelling_really_stops_the_work(self, make: Make) -> None:
        """The command is let come to its end, and that end is what is told."""
        site = await make()
        plan = await planned(site)
        site.slow("web-1")
        attempt = Attempt(id="suite-c", job="suite", target="web-1")
        async with site.operator.open(plan, site.bench) as applying:
            task = asyncio.create_task(applying.apply(attempt, Quiet()))
            await _until(lambda: site.effects("web-1") > 0)
            task.cancel()
            await asyncio.sleep(0)
            assert site.busy("web-1")
            site.hurry("web-1")
            ended = (await asyncio.gather(task, return_exceptions=True))[0]
            assert isinstance(ended, Finding)
            assert ended.outcome is Outcome.SUCCEEDED
            assert site.in_place("web-1")
            assert not site.busy("web-1")

    async def test_a_stop_that_was_not_observed_is_unknown(self, make: Make) -> None:
        """A success only where the command's end was seen."""
        site = await make()
        plan = await planned(site)
        site.slow("web-1")
        attempt = Attempt(id="suite-d", job="suite", target="web-1")
        async with site.operator.open(plan, site.bench) as applying:
            task = asyncio.create_task(applying.apply(attempt, Quiet()))
            await _until(lambda: site.effects("web-1") > 0)
            site.cuts.after(0)
            task.cancel()
            site.hurry("web-1")
            ended = (await asyncio.gather(task, return_exceptions=True))[0]
            site.cuts.heal()
            if isinstance(ended, Finding):
                assert ended.outcome in (Outcome.SUCCEEDED, Outcome.UNKNOWN)
                assert ended.outcome is Outcome.UNKNOWN or site.in_place("web-1")
            else:
                assert isinstance(ended, LinkLost)
            found = await applying.reconcile(attempt)
            assert found.outcome is not Outcome.SUCCEEDED
            assert found.evidence

    async def test_a_gate_without_data_does_not_pass(self, make: Make) -> None:
        """No plan of a drain names a gate, so none is asked."""
        site = await make()
        assert (await planned(site)).draft.rollout.gate == ""


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not true():  # noqa: ASYNC110 - it is the world outside that changes, not a task of ours
            await asyncio.sleep(0.02)


class TestDrain(DrainSuite):
    @pytest.fixture
    def make(self, sites: Sites) -> Callable[[], Any]:  # type: ignore[override]
        async def fresh() -> DrainSite:
            return DrainSite(await sites("1.0", drains=True), "drain")

        return fresh


class TestUndrain(DrainSuite):
    @pytest.fixture
    def make(self, sites: Sites) -> Callable[[], Any]:  # type: ignore[override]
        async def fresh() -> DrainSite:
            site = await sites("1.0", drains=True)
            await site.do("drain")
            return DrainSite(site, "undrain")

        return fresh


class TestCommand(OperatorSuite):
    provider = "release"

    @pytest.fixture
    def make(self, sites: Sites) -> Callable[[], Any]:  # type: ignore[override]
        async def fresh() -> CommandSite:
            return CommandSite(await sites("1.0", kind="command"))

        return fresh
