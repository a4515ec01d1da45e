"""The contract of every operator, for `build.run` with a real packer on this machine; and the list of artifacts."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ondeck.job.finding import Attempt
from ondeck.job.outcome import Outcome
from ondeck.observe.ports import ResourceReader
from ondeck.testing.operator_suite import Make, OperatorSuite, Quiet, planned
from ondeck.testing.suite import PortSuite
from tests.contract.build_site import BuildSite


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:
    numbers = count()

    async def fresh() -> BuildSite:
        site = BuildSite(tmp_path / f"site{next(numbers)}")
        # The suite gives every site the same attempt's id: a home of its own keeps the claims apart.
        monkeypatch.setenv("HOME", str(site.home))
        return site

    return fresh


class TestRun(OperatorSuite):
    provider = "packer"

    async def test_a_gate_without_data_does_not_pass(self, make: Make) -> None:
        """No plan of a build names a gate, so none is asked."""
        assert (await planned(await make())).draft.rollout.gate == ""

    async def test_another_plan_never_changes_the_variables_of_a_plan_that_was_shown(
        self, make: Make
    ) -> None:
        site: Any = await make()
        words = (await planned(site)).draft.commands[0].argv
        (file,) = [Path(word.removeprefix("-var-file=")) for word in words if "pkrvars" in word]
        before = file.read_bytes()
        build = site.bench.inventory.builds[site.build]
        options = {**build.options, "vars": {**build.options["vars"], "version": "9.9"}}
        changed = msgspec.structs.replace(build, options=options)
        site.bench.inventory = msgspec.structs.replace(site.bench.inventory, builds={site.build: changed})
        await planned(site)
        assert file.read_bytes() == before


class TestArtifacts(PortSuite):
    capability = "resources"
    provider = "packer"

    async def test_what_was_made_is_listed_described_and_told_when_it_is_gone(
        self, provided: ResourceReader, make: Make
    ) -> None:
        site: Any = await make()
        place = site.bench.inventory.builds[site.build]
        assert (await provided.list("artifacts", place, site.bench)).rows == ()
        plan = await planned(site)
        async with site.operator.open(plan, site.bench) as applying:
            done = await applying.apply(Attempt(id="made-1", job="made", target=site.build), Quiet())
        assert done.outcome is Outcome.SUCCEEDED, done.evidence
        listing = await provided.list("artifacts", place, site.bench)
        (row,) = listing.rows
        assert (listing.error, row.cells[1], row.cells[4]) == ("", "file.image", "made")
        assert row.name == f"{site.repository.head()[:7]}:out/image-1.0.img"
        assert (await provided.describe("artifacts", place, row.name, site.bench))["job"] == "made"
        next(iter(site.trees.rglob("*.img"))).unlink()
        (row,) = (await provided.list("artifacts", place, site.bench)).rows
        assert row.cells[4] == "gone"

    async def test_a_damaged_shelf_is_an_error_and_not_an_empty_list(
        self, provided: ResourceReader, make: Make
    ) -> None:
        site: Any = await make()
        (site.bench.work_folder("packer", site.build) / "artifacts.json").write_text("{")
        listing = await provided.list("artifacts", site.bench.inventory.builds[site.build], site.bench)
        assert listing.error
        assert listing.rows == ()
