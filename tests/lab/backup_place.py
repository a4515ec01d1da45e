"""An inventory with one backup on this machine, and the command line over it: for tests on real systems."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.playing import ONDECK, Done

PASSWORD = "correct horse"


class Place:
    """One bastion: its state, its inventory, one backup `orders-db` of host `db-1`, which is this machine."""

    def __init__(
        self, root: Path, backup: Mapping[str, Any], *, hosts: Mapping[str, Any] | None = None
    ) -> None:
        self.root = root
        for name in ("state", "home", "ops"):
            (root / name).mkdir(mode=0o700)
        self.secrets = {"REPO_PASSWORD": PASSWORD}
        self.write(backup, hosts)

    def write(self, backup: Mapping[str, Any], hosts: Mapping[str, Any] | None = None) -> None:
        """The inventory, anew."""
        known = hosts or {"db-1": {"env": "prod", "transport": "local"}}
        rules = {"colour": "red", "protection": "confirm"}
        inventory = {
            "ondeck": 1,
            "environments": {"prod": rules},
            "hosts": known,
            "backups": {"orders-db": dict(backup)},
        }
        (self.root / "ops" / "ondeck.yml").write_text(json.dumps(inventory, indent=2))

    @property
    def env(self) -> dict[str, str]:
        """As the person at the bastion has it."""
        path = f"{Path(ONDECK).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        own = {
            "HOME": str(self.root / "home"),
            "XDG_CACHE_HOME": str(self.root / "home" / ".cache"),
            "ONDECK_STATE": str(self.root / "state"),
            "ONDECK_INVENTORY": str(self.root / "ops"),
            "ONDECK_TIMESCALE": "0.3",
            "PATH": path,
        }
        return {**os.environ, **own, **self.secrets, "TERM": "dumb"}

    def run(self, *argv: str, code: int | None = None, timeout: float = 120.0) -> Done:
        """A command; its exit code is compared when one is given."""
        done = subprocess.run(
            [ONDECK, *argv],
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
        said = Done(done.returncode, done.stdout.decode(), done.stderr.decode(), done.stdout)
        assert code in (None, said.code), f"ondeck {' '.join(argv)}: wanted exit {code}\n{said}"
        return said

    def backup(self, *argv: str, code: int | None = None) -> Done:
        """`ondeck backup ...`, confirmed."""
        return self.run("backup", *argv, "--yes", "--reason", "test", code=code)

    def look(self) -> dict[str, Any]:
        """What is known of the backup."""
        done = self.run("backup", "list", "orders-db", "-o", "json")
        assert done.out, done
        found: dict[str, Any] = done.data[0]
        return found


class Restic:
    """The tool as cron would run it."""

    def __init__(self, url: str, env: Mapping[str, str]) -> None:
        self.env = {**env, "RESTIC_REPOSITORY": url, "RESTIC_PASSWORD": PASSWORD}

    def __call__(self, *words: str, given: bytes | None = None) -> str:
        done = subprocess.run(["restic", *words], env=self.env, input=given, capture_output=True, check=True)
        return done.stdout.decode()

    def at(self, ago: float, *words: str, given: bytes | None = None) -> None:
        """A backup that began so many seconds ago."""
        stamp = datetime.now(UTC) - timedelta(seconds=ago)
        self("backup", "-q", "--time", f"{stamp:%Y-%m-%d %H:%M:%S}", *words, given=given)


def until(true: Any, seconds: float = 30.0) -> None:
    """Wait for the world outside."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.05)
