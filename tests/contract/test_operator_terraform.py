"""The contract of every operator, for `stack.apply` with a real terraform on this machine."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from ondeck.testing.operator_suite import Make, OperatorSuite, planned
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
