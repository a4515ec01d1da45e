"""Small real repositories for the contracts of backups: this machine as the host, its real tools."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ondeck.errors import BadInput
from ondeck.inventory.model import Backup, Environment, Host, Inventory, Revision
from ondeck.job.plan import Request
from ondeck.operate.bench import HERE
from ondeck.reach.ports import Link, Reach
from ondeck.secret import Secret
from ondeck.settings import Settings
from ondeck.testing.operator_suite import CutReach, Cuts
from providers.local.reach import LocalReach

PASSWORD = "correct horse"
REFERENCE = "env:BACKUP_PASSWORD"


class BackupBench:
    """A bench over one reach, whose memory is a dict."""

    def __init__(self, inventory: Inventory, settings: Settings, reach: Reach) -> None:
        self.inventory = inventory
        self.settings = settings
        self.facts: dict[str, str] = {}
        self.secrets = {REFERENCE: PASSWORD}
        self._reach = reach
        self._links: dict[str, Link] = {}

    def reach(self, transport: str) -> Reach:
        return self._reach

    async def link(self, host: str) -> Link:
        if host not in self.inventory.hosts:
            raise BadInput(f"no host {host!r}")
        link = self._links.get(host)
        if link is None or link.closed:
            self._links[host] = link = await self._reach.connect(self.inventory.hosts[host])
        return link

    async def here(self) -> Link:
        return await self._reach.connect(HERE)

    async def secret(self, reference: str) -> Secret:
        return Secret(self.secrets[reference])

    def work_folder(self, *parts: str) -> Path:
        folder = self.settings.state.joinpath(*parts)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def remembered(self, key: str) -> str:
        return self.facts.get(key, "")


class ResticSite:
    """A restic repository in a folder, of a host that is this machine; HOME has to be the site's own."""

    engine = "restic"

    def __init__(self, root: Path, what: dict[str, Any] | None = None, **more: Any) -> None:
        self.root = root
        self.data, self.repo = root / "data", root / "repo"
        self.data.mkdir()
        (self.data / "orders.csv").write_text("1,apple\n2,pear\n")
        self.cuts = Cuts()
        options = {
            "what": what or {"paths": [str(self.data)]},
            "repo": {"url": str(self.repo), "password": REFERENCE},
            **more,
        }
        self.backup = Backup(name="orders", engine=self.engine, host="db-1", env="test", options=options)
        inventory = Inventory(
            revision=Revision(root=str(root)),
            environments={"test": Environment(name="test"), "other": Environment(name="other")},
            hosts={
                "db-1": Host(name="db-1", env="test", transport="local"),
                "stg-1": Host(name="stg-1", env="other", transport="local"),
            },
            backups={"orders": self.backup},
        )
        own = Settings(state=root / "s", cache=root / "c", config=root / "e", timescale=0.3, actor="anna")
        self.bench = BackupBench(inventory, own, CutReach(LocalReach(own), self.cuts))  # type: ignore[arg-type]
        self.begin()

    def begin(self) -> None:
        """Make the repository."""
        self.tool("init", "-q")

    def tool(self, *words: str, password: str = PASSWORD, given: bytes = b"") -> str:
        """Run the tool as cron would; what it printed."""
        env = {**os.environ, "RESTIC_PASSWORD": password, "RESTIC_REPOSITORY": str(self.repo)}
        done = subprocess.run(["restic", *words], env=env, input=given, capture_output=True, check=True)
        return done.stdout.decode()

    def by_cron(self, *more: str) -> None:
        """A backup that ondeck knows nothing of."""
        self.save(str(self.data), *more)

    def save(self, *words: str) -> None:
        """Save a folder."""
        self.tool("backup", "-q", *words)

    def request(self, operation: str, **params: Any) -> Request:
        """For the one backup."""
        return Request(
            operation=operation,
            subject="orders",
            targets=("orders",),
            env="test",
            params=params,
            actor="anna",
        )


def files(root: Path, but: Sequence[str] = ()) -> str:
    """Every file below, with its size: what a repository is."""
    found = (p for p in root.rglob("*") if p.is_file() and not any(word in str(p) for word in but))
    return "\n".join(sorted(f"{p.relative_to(root)} {p.stat().st_size}" for p in found))


class BorgSite(ResticSite):
    """The same with borg."""

    engine = "borg"

    def begin(self) -> None:
        """Make the repository."""
        self.tool("init", "-e", "repokey")

    def tool(self, *words: str, password: str = PASSWORD, given: bytes = b"") -> str:
        """Run the tool as cron would; what it printed."""
        env = {**os.environ, "BORG_PASSPHRASE": password, "BORG_REPO": str(self.repo), "TZ": "UTC"}
        done = subprocess.run(["borg", *words], env=env, input=given, capture_output=True, check=True)
        return done.stdout.decode()

    def save(self, *words: str) -> None:
        """Save a folder: what is of the backup begins with `orders-`."""
        prefix = "orders" if str(self.data) in words else "etc"
        self.tool("create", f"::{prefix}-{time.time_ns()}", *words)
