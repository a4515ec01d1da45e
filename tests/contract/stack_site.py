"""A small real world for the operator of stacks: a repository, a state on this machine, a real terraform."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from lab.terraform.stacks import Repository, missing
from ondeck.errors import Missing
from ondeck.inventory.model import Environment, Host, Inventory, Revision, Stack
from ondeck.job.plan import Request
from ondeck.reach.ports import Link
from ondeck.secret import Secret
from ondeck.settings import Settings
from ondeck.testing.operator_suite import CutReach, Cuts
from providers.local.reach import LocalReach
from providers.terraform.operator import StackOperator
from tests import required


def needed() -> None:
    """Terraform has no package here: where it is missing a test says so, and fails where the lab is required."""
    if why := missing():
        required.cannot(why)


class StackBench:
    """What the operator works with: this machine through a reach that can be cut, and a folder."""

    def __init__(self, inventory: Inventory, settings: Settings, reach: CutReach, work: Path) -> None:
        self.inventory = inventory
        self.settings = settings
        self._reach = reach
        self._work = work
        self.secrets: dict[str, str] = {}

    def reach(self, transport: str) -> CutReach:
        return self._reach

    async def link(self, host: str) -> Link:
        raise Missing(host)

    async def here(self) -> Link:
        return await self._reach.connect(Host(name="here", env="test", transport="local"))

    async def secret(self, reference: str) -> Secret:
        try:
            return Secret(self.secrets[reference])
        except KeyError:
            raise Missing(reference) from None

    def work_folder(self, *parts: str) -> Path:
        folder = self._work.joinpath(*parts)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder

    def remembered(self, key: str) -> str:
        return ""


class StackSite:
    """One stack of one resource with an effect; `request` changes it."""

    stack = "net-prod"
    state_root = "work"
    """Below which folder of the site ondeck works."""

    def __init__(self, root: Path, *, size: int = 1, operation: str = "stack.apply", **options: Any) -> None:
        needed()
        self.root = root
        self.home = root / "home"
        self.home.mkdir(parents=True)
        self.effects_folder = root / "effects"
        self.effects_folder.mkdir()
        self.repository = Repository(root / "repo")
        given = {"path": str(root / "repo/net"), "ref": "main", **options}
        given["vars"] = {"effects": str(self.effects_folder), "size": size, **options.get("vars", {})}
        inventory = Inventory(
            revision=Revision(root=str(root)),
            environments={"prod": Environment(name="prod")},
            stacks={self.stack: Stack(name=self.stack, kind="terraform", env="prod", options=given)},
        )
        own = Settings(state=root / "s", cache=root / "c", config=root / "e", timescale=0.1, actor="anna")
        self.cuts = Cuts()
        self.bench: Any = StackBench(inventory, own, CutReach(LocalReach(own), self.cuts), root / "work")
        self.operator = StackOperator()
        self.request = self.wish(operation)

    def wish(self, operation: str, **params: Any) -> Request:
        """A request for this stack."""
        return Request(
            operation=operation, subject=self.stack, targets=(self.stack,), env="prod", params=params
        )

    @property
    def state_file(self) -> Path:
        """Where the state lies: the stack declares no backend."""
        return self.root / self.state_root / f"terraform/{self.stack}/state/terraform.tfstate"

    def state(self) -> dict[str, Any]:
        """The state as it is stored."""
        found: dict[str, Any] = json.loads(self.state_file.read_bytes()) if self.state_file.exists() else {}
        return found

    def world(self) -> str:
        """The state, what the resources did, and the repository as somebody keeps it."""
        files = [self.state_file, *sorted(self.effects_folder.iterdir())]
        kept = sorted(self.repository.folder.rglob("*"))
        told = [f"{p} {p.read_bytes()!r}" for p in files if p.exists()]
        return "\n".join([*told, *(f"{p} {p.lstat().st_mtime_ns}" for p in kept)])

    def disturb(self, target: str) -> None:
        """Somebody else changes the state."""
        state = self.state() or {"version": 4, "terraform_version": "1.11.4", "lineage": "somebody"}
        state.setdefault("outputs", {})
        state.setdefault("resources", [])
        self.state_file.write_text(json.dumps(state | {"serial": state.get("serial", 0) + 1}))

    def slow(self, target: str) -> None:
        (self.effects_folder / "slow").touch()

    def hurry(self, target: str) -> None:
        (self.effects_folder / "slow").unlink(missing_ok=True)

    def effects(self, target: str) -> int:
        path = self.effects_folder / "count"
        return len(path.read_text().split()) if path.exists() else 0

    def in_place(self, target: str) -> bool:
        return (self.effects_folder / "done.0").exists() and bool(self.state().get("resources"))

    def busy(self, target: str) -> bool:
        path = self.effects_folder / "pid.0"
        try:
            os.kill(int(path.read_text()), 0)
        except (OSError, ValueError):
            return False
        return True
