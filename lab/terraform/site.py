"""An inventory of stacks over repositories made on the spot, for `ondeck` as a person uses it.

`net-prod` keeps its state in ondeck's own work folder, `web-prod` in a store over HTTP with real locks.
"""

from __future__ import annotations

from pathlib import Path

from lab.terraform.stacks import HTTP_BACKEND, NET, WEB, Repository
from lab.terraform.state_store import StateStore

FILES = {"net/main.tf": NET, "modules/web/main.tf": WEB, "web/main.tf": NET, "web/backend.tf": HTTP_BACKEND}


class StackSite:
    """Use it as a context manager; everything ends with it.

    Attributes:
        base: Everything of it lies below.
        effects: What its resources write into; see `lab.terraform.stacks`.
        environment: Variables for `ondeck`.
    """

    def __init__(self, base: Path, *, more: str = "", binary: str = "") -> None:
        """Write everything.

        Args:
            base: An empty folder.
            more: Keys that both stacks get too, as they stand in the inventory: `parallelism: 1`.
            binary: The program, when it is not `terraform` on PATH.
        """
        self.base = base
        self.effects = base / "effects"
        self.effects.mkdir(parents=True)
        self.repository = Repository(base / "repo", FILES)
        self.store = StateStore()
        self._more = ", ".join(filter(None, (more, f"binary: {binary}" if binary else "")))
        self.environment = {
            "ONDECK_INVENTORY": str(base / "inventory"),
            "ONDECK_STATE": str(base / "state"),
        }

    def __enter__(self) -> StackSite:
        self.store.__enter__()
        folder = self.base / "inventory"
        folder.mkdir()
        self.write()
        return self

    def __exit__(self, *_: object) -> None:
        self.go_on()
        self.store.__exit__()

    def write(self, *, ref: str = "main", size: int = 3) -> None:
        """Write the inventory."""
        url = self.store.url("web")
        common = f"env: prod, ref: '{ref}', vars: {{effects: {self.effects}, size: {size}}}"
        common += f", {self._more}" if self._more else ""
        backend = f"{{address: '{url}', lock_address: '{url}', unlock_address: '{url}', retry_max: '0'}}"
        (self.base / "inventory/ondeck.yml").write_text(
            "ondeck: 1\n"
            "environments:\n  prod: {protection: {apply: confirm, destroy: type-name, '*': confirm}}\n"
            "stacks:\n"
            f"  net-prod: {{kind: terraform, path: ../repo/net, {common}}}\n"
            f"  web-prod: {{kind: terraform, path: ../repo/web, {common}, backend_config: {backend}}}\n"
        )

    def work(self, stack: str) -> Path:
        """Ondeck's work folder of a stack."""
        return self.base.joinpath("state", "work", "terraform", stack)

    def wait_here(self) -> None:
        """From now on resources take until `go_on`."""
        (self.effects / "slow").touch()

    def go_on(self) -> None:
        """Let resources come to their end."""
        (self.effects / "slow").unlink(missing_ok=True)

    def begun(self) -> int:
        """How many resources were begun since the site was made."""
        file = self.effects / "count"
        return len(file.read_text().split()) if file.exists() else 0

    def done(self, number: int) -> bool:
        """A resource came to its end."""
        return (self.effects / f"done.{number}").exists()
