"""The contracts of looking at stacks, for the provider of Terraform with a real terraform on this machine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ondeck.errors import NoMatch
from ondeck.inventory.model import Stack
from ondeck.job.finding import Attempt
from ondeck.job.outcome import Outcome
from ondeck.observe.ports import ResourceReader
from ondeck.testing.operator_suite import Quiet, planned
from ondeck.testing.stacks_suite import StackReaderSuite, StacksCase
from ondeck.testing.suite import PortSuite
from ondeck.text import is_safe
from providers.terraform.masking import MASK
from tests.contract.stack_site import StackSite

SECRET = "s3cret-token"


class Elsewhere:
    """Somebody who works on the same state without ondeck."""

    def __init__(self, site: StackSite) -> None:
        self.site = site
        self.tree = next((site.root / f"work/terraform/{site.stack}/trees").iterdir()) / "net"

    def change(self) -> None:
        state = self.site.state()
        one = next(r for r in state["resources"] if r["name"] == "vpc")
        one["instances"][0]["attributes"]["id"] += "-by-hand"
        self.site.state_file.write_text(json.dumps(state | {"serial": state["serial"] + 1}))

    def begin(self) -> subprocess.Popen[bytes]:
        """An apply that holds the lock until it is hurried."""
        self.site.slow("")
        argv = [
            "terraform",
            "apply",
            "-auto-approve",
            "-input=false",
            "-replace=module.web.terraform_data.node[0]",
        ]
        argv += [f"-var=effects={self.site.effects_folder}", "-var=size=3"]
        env = {k: os.environ[k] for k in ("PATH", "HOME")} | {"TF_INPUT": "0", "CHECKPOINT_DISABLE": "1"}
        process = subprocess.Popen(
            argv,
            cwd=self.tree,
            env=env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        info = self.site.state_file.parent / ".terraform.tfstate.lock.info"
        until = time.monotonic() + 30
        while not (info.exists() and info.read_bytes().endswith(b"}")):
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.01)
        return process

    @contextmanager
    def locked(self) -> Iterator[int]:
        process = self.begin()
        try:
            yield process.pid
        finally:
            self.site.hurry("")
            assert process.wait(60) == 0

    def left(self) -> None:
        process = self.begin()
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)
        self.site.hurry("")

    def leave_waiting(self) -> None:
        state = self.site.state()
        (self.tree / "errored.tfstate").write_text(json.dumps(state | {"serial": state["serial"] + 1}))


@pytest.fixture
async def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[StackSite]:
    made = StackSite(tmp_path / "site", size=3)
    monkeypatch.setenv("HOME", str(made.home))
    plan = await planned(made)
    async with made.operator.open(plan, made.bench) as applying:
        done = await applying.apply(Attempt(id="first-1", job="first", target=made.stack), Quiet())
        assert done.outcome is Outcome.SUCCEEDED, done.evidence
    yield made
    made.hurry("")


class TestTerraform(StackReaderSuite):
    provider = "terraform"

    @pytest.fixture
    def stacks(self, site: StackSite) -> StacksCase:
        other = Elsewhere(site)
        stack = site.bench.inventory.stacks[site.stack]
        options = {**stack.options, "path": "/nowhere/at/all", "ref": "\x1b[2J"}
        broken = Stack(name="broken", kind="terraform", env="prod", options=options)
        inventory = msgspec.structs.replace(
            site.bench.inventory, stacks={stack.name: stack, "broken": broken}
        )
        site.bench.inventory = inventory
        return StacksCase(
            bench=site.bench,
            stack=stack,
            broken=broken,
            output=("cidr", "10.0.0.0/16"),
            secret=("token", SECRET),
            change=other.change,
            locked=other.locked,
            left=other.left,
            leave_waiting=other.leave_waiting,
            world=site.world,
        )


class TestTerraformResources(PortSuite):
    """What the state names, and outputs, as lists."""

    capability = "resources"
    provider = "terraform"

    async def test_every_resource_is_listed_and_described_without_a_sensitive_value(
        self, provided: ResourceReader, site: StackSite
    ) -> None:
        place = site.bench.inventory.stacks[site.stack]
        listing = await provided.list("resources", place, site.bench)
        assert listing.error == ""
        assert {one.name for one in listing.rows} == {
            "terraform_data.vpc",
            "terraform_data.login",
            *(f"module.web.terraform_data.node[{n}]" for n in range(3)),
        }
        assert {one.cells[1] for one in listing.rows} == {"terraform_data"}
        for one in listing.rows:
            told = json.dumps(await provided.describe("resources", place, one.name, site.bench))
            assert SECRET not in told
            assert is_safe(told)
        with pytest.raises(NoMatch):
            await provided.describe("resources", place, "terraform_data.none", site.bench)

    async def test_outputs_are_listed_and_sensitive_ones_masked(
        self, provided: ResourceReader, site: StackSite
    ) -> None:
        place = site.bench.inventory.stacks[site.stack]
        listing = await provided.list("outputs", place, site.bench)
        assert [(one.name, one.cells[1]) for one in listing.rows] == [
            ("cidr", '"10.0.0.0/16"'),
            ("token", MASK),
        ]
        assert await provided.describe("outputs", place, "token", site.bench) == {
            "name": "token",
            "value": MASK,
        }

    async def test_a_stack_that_cannot_be_asked_is_an_error_and_not_an_empty_list(
        self, provided: ResourceReader, site: StackSite
    ) -> None:
        options: dict[str, Any] = {**site.bench.inventory.stacks[site.stack].options, "ref": "no-such-ref"}
        broken = Stack(name=site.stack, kind="terraform", env="prod", options=options)
        site.bench.inventory = msgspec.structs.replace(site.bench.inventory, stacks={site.stack: broken})
        listing = await provided.list("resources", broken, site.bench)
        assert (listing.rows, listing.asked) == ((), 0)
        assert "no-such-ref" in listing.error
