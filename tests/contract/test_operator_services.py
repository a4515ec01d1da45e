"""The contract of every operator, for each way a service is changed besides the deploy of a release."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ondeck.testing.operator_suite import OperatorSuite
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


class TestRollback(OperatorSuite):
    @pytest.fixture
    def make(self, sites: Sites) -> Callable[[], Any]:  # type: ignore[override]
        async def fresh() -> ContractSite:
            return ContractSite(await sites("1.0", "1.1", drains=True), "rollback", "releases/1.0")

        return fresh


class TestRestart(OperatorSuite):
    @pytest.fixture
    def make(self, sites: Sites) -> Callable[[], Any]:  # type: ignore[override]
        async def fresh() -> RestartSite:
            return RestartSite(await sites("1.0", drains=True))

        return fresh


class TestDrain(OperatorSuite):
    @pytest.fixture
    def make(self, sites: Sites) -> Callable[[], Any]:  # type: ignore[override]
        async def fresh() -> DrainSite:
            return DrainSite(await sites("1.0", drains=True), "drain")

        return fresh


class TestUndrain(OperatorSuite):
    @pytest.fixture
    def make(self, sites: Sites) -> Callable[[], Any]:  # type: ignore[override]
        async def fresh() -> DrainSite:
            site = await sites("1.0", drains=True)
            await site.do("drain")
            return DrainSite(site, "undrain")

        return fresh


class TestCommand(OperatorSuite):
    @pytest.fixture
    def make(self, sites: Sites) -> Callable[[], Any]:  # type: ignore[override]
        async def fresh() -> CommandSite:
            return CommandSite(await sites("1.0", kind="command"))

        return fresh
