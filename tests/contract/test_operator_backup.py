"""The contract of every operator, for operations on backups with real tools through child processes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from ondeck.testing.operator_suite import Make, OperatorSuite, planned
from providers.borg.capabilities import BorgOperator
from providers.restic.capabilities import ResticOperator
from tests.contract.backup_site import BorgSite, ResticSite, files
from tests.contract.test_backups import needing

# $1 the folder. It counts that it began, says something, waits while it is told to, and says the rest.
_DUMP = """echo began >>"$1/count"; echo $$ >"$1/pid"; echo half
i=0; while [ -f "$1/slow" ] && [ $i -lt 150 ]; do sleep 0.2; i=$((i+1)); done
echo whole"""


class RunSite(ResticSite):
    """The output of a command is saved."""

    def __init__(self, root: Path) -> None:
        dump = ["sh", "-c", _DUMP, "sh", str(root)]
        super().__init__(root, {"stdin": dump, "name": "orders.dump"})
        self.operator = ResticOperator()

    @property
    def request(self) -> Any:  # type: ignore[override]
        return ResticSite.request(self, "backup.run")  # type: ignore[arg-type]

    def world(self) -> str:
        return files(self.repo) + files(self.root, but=("/home/", "/repo/", "/c/"))

    def disturb(self, target: str) -> None:
        self.repo.rename(self.root / "old")
        self.begin()

    def slow(self, target: str) -> None:
        (self.root / "slow").touch()

    def hurry(self, target: str) -> None:
        (self.root / "slow").unlink()

    def effects(self, target: str) -> int:
        path = self.root / "count"
        return len(path.read_text().splitlines()) if path.exists() else 0

    def in_place(self, target: str) -> bool:
        return self.effects(target) == 1 and "orders.dump" in self.tool("ls", "latest", "--no-lock")

    def busy(self, target: str) -> bool:
        try:
            process = Path("/proc") / (self.root / "pid").read_text().strip()
            return str(self.root) in (process / "cmdline").read_text()
        except OSError:
            return False


class BorgRunSite(BorgSite):
    """The output of a command is saved with borg."""

    def __init__(self, root: Path) -> None:
        dump = ["sh", "-c", _DUMP, "sh", str(root)]
        super().__init__(root, {"stdin": dump, "name": "orders.dump"}, prefix="orders-")
        self.operator = BorgOperator()

    request = RunSite.request
    world = RunSite.world
    disturb = RunSite.disturb
    slow = RunSite.slow
    hurry = RunSite.hurry
    effects = RunSite.effects
    busy = RunSite.busy

    def in_place(self, target: str) -> bool:
        listed = self.tool("list", "--short").split()
        return (
            self.effects(target) == 1
            and len(listed) == 1
            and "orders.dump" in self.tool("list", f"::{listed[0]}")
        )


# In front of the real tool: a restore notes that it began, and waits while it is told to.
_SLOW = """#!/bin/sh
if [ "$1" = restore ]; then
echo $$ >"{root}/pid"
i=0; while [ -f "{root}/slow" ] && [ $i -lt 150 ]; do sleep 0.2; i=$((i+1)); done
fi
exec {real} "$@"
"""


class RestoreSite(RunSite):
    """A snapshot is restored into a new folder."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.tool("backup", "-q", "--stdin", "--stdin-filename", "orders.dump", given=b"dump\n")
        (root / "home" / "restic").write_text(_SLOW.format(root=root, real=shutil.which("restic")))
        (root / "home" / "restic").chmod(0o755)

    @property
    def request(self) -> Any:  # type: ignore[override]
        return ResticSite.request(self, "backup.restore", path=str(self.root / "out" / "new"))

    def disturb(self, target: str) -> None:
        (self.root / "out" / "new").mkdir(parents=True)

    def effects(self, target: str) -> int:
        return int((self.root / "out").exists())

    def in_place(self, target: str) -> bool:
        folder = self.root / "out"
        return [p.name for p in folder.iterdir()] == ["new"] and bool(
            (folder / "new" / "orders.dump").read_text()
        )


@pytest.fixture
def homes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    needing("restic")

    def fresh() -> Iterator[Path]:
        for number in count():
            root = tmp_path / f"site{number}"
            (root / "home").mkdir(parents=True)
            # The suite gives every site the same attempt's id: a home of its own keeps the claims apart.
            monkeypatch.setenv("HOME", str(root / "home"))
            yield root

    return fresh()


class _Backups(OperatorSuite):
    provider = "restic"

    async def test_a_gate_without_data_does_not_pass(self, make: Make) -> None:
        """No plan of a backup names a gate: its own look at the repository is part of the outcome."""
        site = await make()
        assert (await planned(site)).draft.rollout.gate == ""


class TestRun(_Backups):
    @pytest.fixture
    def make(self, homes: Iterator[Path]) -> Callable[[], Any]:  # type: ignore[override]
        async def fresh() -> RunSite:
            return RunSite(next(homes))

        return fresh


class TestRestore(_Backups):
    @pytest.fixture
    def make(self, homes: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:  # type: ignore[override]
        real = os.environ["PATH"]

        async def fresh() -> RestoreSite:
            monkeypatch.setenv("PATH", real)
            site = RestoreSite(next(homes))
            monkeypatch.setenv("PATH", f"{site.root / 'home'}:{real}")
            return site

        return fresh


class TestBorgRun(_Backups):
    provider = "borg"

    @pytest.fixture
    def make(self, homes: Iterator[Path]) -> Callable[[], Any]:  # type: ignore[override]
        needing("borg")

        async def fresh() -> BorgRunSite:
            return BorgRunSite(next(homes))

        return fresh
