"""An engineer's folder over the lab's AWS: an inventory that names its account, profiles, and the real `ondeck`."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.aws import site as lab
from lab.aws.site import AwsSite
from tests.lab.real_site import Said, Site


@dataclass(frozen=True, slots=True)
class AwsHome(Site):
    """The verbs of the command line over the account `acme`, production."""

    @property
    def environment(self) -> dict[str, str]:
        found = Site.environment.__get__(self)
        return {**found, "ONDECK_TIMESCALE": "0.1", "AWS_EC2_METADATA_DISABLED": "true"}

    def mortal(self, at: str, *argv: str) -> Said:
        """Run `ondeck` so that its worker dies at a record: `N` right after it, `N-` right before."""
        done = subprocess.run(
            [sys.executable, "-m", "tests.mortal", *argv],
            env={**self.environment, "ONDECK_FAULT_AT": at},
            cwd=Path(__file__).parent.parent.parent,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        return Said(done.returncode, done.stdout, done.stderr)

    def outcomes(self, job: str = "") -> dict[str, str]:
        return {name: row["outcome"] for name, row in self.job(job)["targets"].items()}


def aws_home(folder: Path, aws: AwsSite, *, protection: str = "confirm", **more: Any) -> AwsHome:
    home = AwsHome(folder, ())
    (folder / "home").mkdir(mode=0o700)
    lab.login(folder / "home")
    (folder / "inventory").mkdir()
    account = {"kind": "aws", "env": "prod", **lab.account(aws.proxy.url, **more)}
    lines = [
        "ondeck: 1",
        f"environments: {{prod: {{colour: red, protection: {protection}}}}}",
        "hosts: {}",
        f"accounts: {{acme: {json.dumps(account)}}}",
    ]
    (folder / "inventory" / "ondeck.yml").write_text("\n".join(lines) + "\n")
    return home
