"""The lab's AWS for tests: one moto for a whole run, empty at the begin of each test, and a bench on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.aws import site as lab
from lab.aws.site import AwsSite, aws_site
from ondeck.errors import Missing
from ondeck.inventory.model import Account, Environment, Inventory, Revision
from ondeck.settings import Settings
from tests.contract.host_bench import TestBench
from tests.required import cannot


@pytest.fixture(scope="session")
def moto_session() -> Iterator[AwsSite]:
    context = aws_site()
    try:
        running = context.__enter__()
    except Missing as error:
        cannot(error.message)
    try:
        yield running
    finally:
        context.__exit__(None, None, None)


@pytest.fixture
def aws(moto_session: AwsSite, monkeypatch: pytest.MonkeyPatch) -> AwsSite:
    """An empty AWS, and the lab's profiles in this test's home."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    lab.login(Path.home())
    moto_session.fresh()
    return moto_session


def account(url: str, **more: Any) -> Account:
    return Account(name="acme", kind="aws", env="lab", options=lab.account(url, **more))


def bench(tmp: Path, place: Account, *, timescale: float = 0.02) -> TestBench:
    inventory = Inventory(
        revision=Revision(root="/x", digest="d" * 64),
        environments={"lab": Environment(name="lab")},
        accounts={place.name: place},
    )
    settings = Settings(
        state=tmp / "state", cache=tmp / "cache", config=tmp / "config", timescale=timescale, actor="anna"
    )
    nowhere: Any = None
    return TestBench(inventory, settings, nowhere)
