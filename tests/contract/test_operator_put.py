"""The contract of every operator, for `host.put` through child processes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from ondeck.job.finding import Attempt, Finding
from ondeck.job.outcome import Outcome
from ondeck.testing.operator_suite import Make, OperatorSuite, Quiet, planned
from tests.contract.test_operator_host import HostSite

OLD, NEW = "old\n", "new\n"


class PutSite(HostSite):
    """A file that is replaced by another one."""

    def __init__(self, root: Path) -> None:
        (root / "new").write_text(NEW)
        (root / "motd").write_text(OLD)
        super().__init__(root, "host.put", {"source": str(root / "new"), "path": str(root / "motd")})

    def effects(self, target: str) -> int:
        return int((self.root / "motd").read_text() != OLD)

    def in_place(self, target: str) -> bool:
        return (self.root / "motd").read_text() == NEW

    def busy(self, target: str) -> bool:
        return any(path.name.startswith((".motd", "motd.")) for path in self.root.iterdir())


class TestPut(OperatorSuite):
    provider = "host"

    @pytest.fixture
    def make(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:  # type: ignore[override]
        numbers: Iterator[int] = count()

        async def fresh() -> PutSite:
            root = tmp_path / f"site{next(numbers)}"
            (root / "home").mkdir(parents=True)
            monkeypatch.setenv("HOME", str(root / "home"))
            return PutSite(root)

        return fresh

    async def test_cancelling_really_stops_the_work(self, make: Make) -> None:
        """Cancelled at whatever moment: the file is whole, and what is found is what is there."""
        for turns in range(0, 60, 2):
            site = await make()
            plan = await planned(site)
            attempt = Attempt(id="suite-c", job="suite", target="web-1")
            async with site.operator.open(plan, site.bench) as applying:
                task = asyncio.create_task(applying.apply(attempt, Quiet()))
                seen = site.cuts.calls
                for _ in range(turns):
                    await asyncio.sleep(0.002)
                task.cancel()
                ended = (await asyncio.gather(task, return_exceptions=True))[0]
                if isinstance(ended, Finding):
                    assert ended.outcome is Outcome.SUCCEEDED, ended
                    assert site.in_place("web-1")
                found = await applying.reconcile(attempt)
            assert site.cuts.calls > seen
            assert (site.root / "motd").read_text() in (OLD, NEW)
            assert found.outcome is (Outcome.SUCCEEDED if site.in_place("web-1") else Outcome.NOT_STARTED)

    async def test_a_stop_that_was_not_observed_is_unknown(self, make: Make) -> None:
        """A put lets the cancel through, which is unknown; what it came to is read from the file."""
        site = await make()
        plan = await planned(site)
        attempt = Attempt(id="suite-d", job="suite", target="web-1")
        async with site.operator.open(plan, site.bench) as applying:
            task = asyncio.create_task(applying.apply(attempt, Quiet()))
            await asyncio.sleep(0)
            task.cancel()
            assert isinstance((await asyncio.gather(task, return_exceptions=True))[0], asyncio.CancelledError)
            assert (await applying.reconcile(attempt)).outcome is Outcome.NOT_STARTED

    async def test_a_gate_without_data_does_not_pass(self, make: Make) -> None:
        """No plan of a put names a gate, so none is asked."""
        site = await make()
        assert (await planned(site)).draft.rollout.gate == ""
