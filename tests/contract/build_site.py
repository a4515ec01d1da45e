"""A small real world for the operator of builds: a repository, a real packer on this machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from lab.packer.site import IMAGE, missing
from lab.terraform.stacks import Repository
from ondeck.inventory.model import Build, Environment, Inventory, Revision
from ondeck.job.plan import Request
from ondeck.settings import Settings
from ondeck.testing.operator_suite import CutReach, Cuts
from providers.local.reach import LocalReach
from providers.packer.operator import PackerOperator
from tests import required
from tests.contract.stack_site import StackBench

# One builder, and its process is seen, so that its being busy can be.
ONE = IMAGE.replace(', "source.null.check"', "").replace(
    "built, once >>", "$$ >$EFFECTS/pid; echo built, once >>"
)


class BuildSite:
    """One build of one file; `request` makes it."""

    build = "golden"

    def __init__(self, root: Path) -> None:
        if why := missing():
            required.cannot(why)
        self.home = root / "home"
        self.home.mkdir(parents=True)
        self.effects_folder = root / "effects"
        self.effects_folder.mkdir()
        self.repository = Repository(root / "repo", {"image/image.pkr.hcl": ONE})
        options = {
            "path": str(root / "repo/image"),
            "ref": "main",
            "vars": {"effects": str(self.effects_folder)},
        }
        inventory = Inventory(
            revision=Revision(root=str(root)),
            environments={"prod": Environment(name="prod")},
            builds={self.build: Build(name=self.build, kind="packer", env="prod", options=options)},
        )
        own = Settings(state=root / "s", cache=root / "c", config=root / "e", timescale=0.05, actor="anna")
        self.root = root
        self.cuts = Cuts()
        self.bench: Any = StackBench(inventory, own, CutReach(LocalReach(own), self.cuts), root / "work")
        self.operator = PackerOperator()
        self.request = Request(
            operation="build.run", subject=self.build, targets=(self.build,), env="prod", params={}
        )

    @property
    def trees(self) -> Path:
        return self.root / "work/packer/golden/trees"

    def world(self) -> str:
        made = [str(path) for path in self.trees.rglob("*.img")] if self.trees.exists() else []
        kept = [f"{path} {path.lstat().st_mtime_ns}" for path in sorted(self.repository.folder.rglob("*"))]
        return "\n".join([*made, *kept, *(p.read_text() for p in sorted(self.effects_folder.iterdir()))])

    def disturb(self, target: str) -> None:
        self.repository.commit({"image/note.txt": "another\n"}, "Another commit")

    def slow(self, target: str) -> None:
        (self.effects_folder / "slow").touch()

    def hurry(self, target: str) -> None:
        (self.effects_folder / "slow").unlink(missing_ok=True)

    def effects(self, target: str) -> int:
        path = self.effects_folder / "count"
        return len(path.read_text().splitlines()) if path.exists() else 0

    def in_place(self, target: str) -> bool:
        return any(self.trees.rglob("image-1.0.img"))

    def busy(self, target: str) -> bool:
        try:
            os.kill(int((self.effects_folder / "pid").read_text()), 0)
        except (OSError, ValueError):
            return False
        return True
