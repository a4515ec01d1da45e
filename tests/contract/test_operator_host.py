"""The contract of every operator, for `host.exec` through child processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from ondeck.inventory.model import Environment, Host, Inventory, Revision
from ondeck.job.plan import Request
from ondeck.settings import Settings
from ondeck.testing.operator_suite import CutReach, Cuts, Make, OperatorSuite, planned
from providers.host.operator import HostOperator
from providers.local.reach import LocalReach
from tests.contract.host_bench import TestBench

# $1 the folder. It counts that it began, waits while it is told to, and leaves a mark at its end.
_CHANGE = """echo began >>"$1/count"; echo $$ >"$1/pid"
i=0; while [ -f "$1/slow" ] && [ $i -lt 150 ]; do sleep 0.2; i=$((i+1)); done
touch "$1/done" """


class HostSite:
    """One host that is this machine, with a folder."""

    def __init__(self, root: Path, operation: str, params: dict[str, Any]) -> None:
        self.root = root
        self.cuts = Cuts()
        inventory = Inventory(
            revision=Revision(root=str(root)),
            environments={"test": Environment(name="test")},
            hosts={"web-1": Host(name="web-1", env="test", transport="local")},
        )
        own = Settings(state=root / "s", cache=root / "c", config=root / "e", timescale=0.05, actor="anna")
        self.bench = TestBench(inventory, own, CutReach(LocalReach(own), self.cuts))  # type: ignore[arg-type]
        self.operator = HostOperator()
        self.request = Request(
            operation=operation, subject="web-1", targets=("web-1",), env="test", params=params
        )

    def world(self) -> str:
        return "\n".join(sorted(f"{p} {p.lstat().st_mtime_ns}" for p in self.root.glob("*") if p.is_file()))

    def disturb(self, target: str) -> None:
        (self.root / "motd").write_text("somebody else\n")

    def slow(self, target: str) -> None:
        (self.root / "slow").touch()

    def hurry(self, target: str) -> None:
        (self.root / "slow").unlink()

    def effects(self, target: str) -> int:
        path = self.root / "count"
        return len(path.read_text().splitlines()) if path.exists() else 0

    def in_place(self, target: str) -> bool:
        return (self.root / "done").exists()

    def busy(self, target: str) -> bool:
        try:
            process = Path("/proc") / (self.root / "pid").read_text().strip()
            return str(self.root) in (process / "cmdline").read_text()
        except OSError:
            return False


@pytest.fixture
def roots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()

    def fresh() -> Iterator[Path]:
        for number in count():
            root = tmp_path / f"site{number}"
            root.mkdir()
            # The suite gives every site the same attempt's id: a home of its own keeps the claims apart.
            home = root / "home"
            home.mkdir()
            monkeypatch.setenv("HOME", str(home))
            yield root

    return fresh()


class TestExec(OperatorSuite):
    provider = "host"

    @pytest.fixture
    def make(self, roots: Iterator[Path]) -> Callable[[], Any]:  # type: ignore[override]
        async def fresh() -> HostSite:
            root = next(roots)
            argv = ["sh", "-c", _CHANGE, "sh", str(root)]
            return HostSite(root, "host.exec", {"argv": argv})

        return fresh

    async def test_check_reports_the_preconditions_of_the_plan_until_the_world_changes(
        self, make: Make
    ) -> None:
        """A command has none, in the plan and after it."""
        site = await make()
        plan = await planned(site)
        async with site.operator.open(plan, site.bench) as applying:
            assert plan.draft.preconditions == ()
            assert await applying.check("web-1") == ()

    async def test_a_gate_without_data_does_not_pass(self, make: Make) -> None:
        """No plan of a command names a gate, so none is asked."""
        site = await make()
        assert (await planned(site)).draft.rollout.gate == ""


async def test_a_command_in_doubt_keeps_nobody_from_the_other_hosts(tmp_path: Path) -> None:
    site = HostSite(tmp_path, "host.exec", {"argv": ["touch", "x"]})
    assert (await planned(site)).draft.lock_key == ""


async def test_a_put_locks_its_hosts_and_its_path_only(tmp_path: Path) -> None:
    (tmp_path / "new").write_text("new\n")
    keys = set()
    for path in ("motd", "other"):
        params = {"source": str(tmp_path / "new"), "path": str(tmp_path / path)}
        keys.add((await planned(HostSite(tmp_path, "host.put", params))).draft.lock_key)
    assert keys == {f"host.put@web-1:{tmp_path}/motd", f"host.put@web-1:{tmp_path}/other"}
