"""The contract of every operator, for `stack.apply` with a real terraform on this machine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from ondeck.job.finding import Attempt, Finding
from ondeck.job.outcome import Outcome
from ondeck.operate.ports import StopsGently
from ondeck.testing.operator_suite import Make, OperatorSuite, Quiet, planned
from tests.contract.stack_site import StackSite


class TestApply(OperatorSuite):
    provider = "terraform"

    @pytest.fixture
    def make(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:  # type: ignore[override]
        numbers = count()

        async def fresh() -> StackSite:
            site = StackSite(tmp_path / f"site{next(numbers)}")
            # The suite gives every site the same attempt's id: a home of its own keeps the claims apart.
            monkeypatch.setenv("HOME", str(site.home))
            return site

        return fresh

    async def test_a_gate_without_data_does_not_pass(self, make: Make) -> None:
        """No plan of a stack names a gate, so none is asked."""
        assert (await planned(await make())).draft.rollout.gate == ""


# A program that does not come to a safe point at the first interrupt, in place of apply alone.
_STUBBORN = """#!/bin/sh
[ "$1" = apply ] || exec terraform "$@"
n=0
trap 'n=$((n+1)); echo asked >>"{folder}/asked"; [ $n -lt 2 ] || exit 9' INT
echo began >>"{folder}/count"
while :; do sleep 0.05; done
"""


async def test_it_is_asked_once_to_stop_and_made_to_leave_only_when_it_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "stubborn"
    site = StackSite(tmp_path / "site", binary=str(script))
    monkeypatch.setenv("HOME", str(site.home))
    script.write_text(_STUBBORN.format(folder=site.effects_folder))
    script.chmod(0o755)
    asked = site.effects_folder / "asked"
    plan = await planned(site)
    async with site.operator.open(plan, site.bench) as applying:
        assert isinstance(applying, StopsGently)
        task = asyncio.create_task(
            applying.apply(Attempt(id="stubborn-1", job="stubborn", target=site.stack), Quiet())
        )
        await _until(lambda: site.effects(site.stack) == 1)
        assert "SIGINT" in await applying.ask_to_stop(site.stack)
        assert await applying.ask_to_stop(site.stack) == "", "it is asked once"
        await _until(asked.exists)
        assert not task.done()
        assert asked.read_text().split() == ["asked"]
        task.cancel()
        found = (await asyncio.gather(task, return_exceptions=True))[0]
    assert isinstance(found, Finding)
    assert found.outcome is Outcome.FAILED
    assert "exit 9" in found.evidence
    assert asked.read_text().split() == ["asked", "asked"]


async def _until(so: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not so():  # noqa: ASYNC110 - a file tells no event
            await asyncio.sleep(0.02)
