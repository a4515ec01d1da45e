"""200 instances over 4 regions: the whole list against the slowest single call of the same run.

What is measured is ours, so AWS is moto's own answers, each recorded once and then given after its region's delay:
moto works out 50 instances with the same processor that the list needs.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.aws import site
from lab.aws.proxy import Answer, Call
from ondeck import settings
from ondeck.inventory.model import Account, Environment, Inventory, Revision
from providers.aws.calling import Calls
from providers.aws.options import aws_of
from providers.aws.reader import AwsReader

if TYPE_CHECKING:
    from benchmarks.__main__ import Measured

DELAYS = {"eu-west-1": 0.3, "eu-central-1": 0.5, "us-east-1": 0.8, "ap-south-1": 1.2}
"""Seconds until a region answers."""
EACH = 50
_TURNS = 3


class _Recorded:
    """Answers of the endpoint, kept by what was asked, given again after the region's delay."""

    def __init__(self, at: site.AwsSite) -> None:
        self._kept: dict[tuple[str, ...], Answer] = {}
        self._real = at.proxy.answer
        self.delays = False
        at.proxy.answer = self.answer  # type: ignore[method-assign]

    def answer(self, call: Call, method: str, path: str, body: bytes) -> Answer:
        key = (call.region, call.action, path, body.decode(errors="replace"))
        if key not in self._kept:
            self._kept[key] = self._real(call, method, path, body)
        if self.delays:
            time.sleep(DELAYS[call.region])
        return self._kept[key]


class _Bench:
    """All that a list takes of a bench."""

    def __init__(self, folder: Path, account: Account) -> None:
        self.settings = settings.load()
        self.inventory = Inventory(
            revision=Revision(root=str(folder)),
            environments={"lab": Environment(name="lab")},
            accounts={account.name: account},
        )


@contextmanager
def _home() -> Iterator[Path]:
    before = os.environ.get("HOME", "")
    with tempfile.TemporaryDirectory(prefix="ondeck-bench-") as folder:
        os.environ["HOME"] = folder
        try:
            site.login(Path(folder))
            yield Path(folder)
        finally:
            os.environ["HOME"] = before


async def _slowest(account: Account, bench: Any) -> float:
    calls = Calls(aws_of(account), bench.settings)
    longest = 0.0
    for region in DELAYS:
        begin = time.perf_counter()
        await calls.pages(region, "ec2", "describe_instances", "Reservations")
        longest = max(longest, time.perf_counter() - begin)
    return longest


async def _list(account: Account, bench: Any) -> float:
    begin = time.perf_counter()
    found = await AwsReader().list("instances", account, bench)
    taken = time.perf_counter() - begin
    if found.error or len(found.rows) != EACH * len(DELAYS):
        raise RuntimeError(f"{len(found.rows)} instances, {found.error}")
    return taken


def measure() -> Measured:
    """The best of some lists against the best of some slowest single calls."""
    with _home() as folder, site.aws_site() as at:
        for region in DELAYS:
            image = at.image("acme-web-2026.11.20", region)
            at.client("ec2", region).run_instances(ImageId=image, MinCount=EACH, MaxCount=EACH)
        recorded = _Recorded(at)
        account = Account(
            name="acme", kind="aws", env="lab", options=site.account(at.proxy.url, regions=list(DELAYS))
        )
        bench = _Bench(folder, account)
        asyncio.run(_list(account, bench))  # clients are made, answers are recorded
        recorded.delays = True
        single = min(asyncio.run(_slowest(account, bench)) for _ in range(_TURNS))
        whole = min(asyncio.run(_list(account, bench)) for _ in range(_TURNS))
    return [("instances_200", whole / single, f"list {whole:.2f} s, slowest single call {single:.2f} s")]
