"""A small deck with the scripted operator, for tests of the road with real workers."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

from ondeck.deck import Deck
from ondeck.inventory.model import Environment, Host, Inventory, Revision
from ondeck.job.consent import Consent
from ondeck.job.events import Ask, What
from ondeck.job.plan import Request
from ondeck.operate import reconcile, road
from ondeck.record.store import Record
from ondeck.record.view import JobView
from ondeck.registry import Registry
from ondeck.settings import Settings
from ondeck.testing.operators import MANIFEST
from providers.secrets.manifest import MANIFEST as SECRETS

YES = Consent(confirmed=True, reason="a test")
TARGETS = ("web-1", "web-2", "web-3")


def inventory(**rules: Any) -> Inventory:
    hosts = {name: Host(name=name, env="lab", transport="local") for name in TARGETS}
    return Inventory(
        revision=Revision(root="/x", digest="d" * 64),
        environments={"lab": Environment(name="lab", **rules)},
        hosts=hosts,
    )


def settings(tmp: Path, **more: Any) -> Settings:
    return Settings(
        state=tmp / "state",
        cache=tmp / "cache",
        config=tmp / "config",
        policy_floor=tmp / "no-floor.yml",
        timescale=0.05,
        actor="anna",
        **more,
    )


def deck(tmp: Path, *, read_only: bool = False, **rules: Any) -> Deck:
    (tmp / "effects").mkdir(exist_ok=True)
    own = settings(tmp, read_only=read_only)
    return Deck(
        inventory=inventory(**rules),
        registry=Registry([MANIFEST, SECRETS]),
        record=Record(own),
        settings=own,
        manifests=("ondeck.testing.operators:MANIFEST",),
    )


def drafted(on: Deck, tmp: Path, targets: tuple[str, ...] = TARGETS, **params: Any) -> road.Drafted:
    request = Request(
        operation="test.touch",
        subject="env=lab",
        targets=targets,
        env="lab",
        params={"folder": str(tmp / "effects"), **params},
        actor="anna",
    )
    return asyncio.run(road.draft(on, request))


def start(on: Deck, tmp: Path, *, lock_wait: float = 0.0, **params: Any) -> str:
    return road.start(on, drafted(on, tmp, **params), YES, lock_wait=lock_wait)


def wait_for(on: Deck, job: str, wanted: Any, seconds: float = 20.0) -> JobView:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        view = on.record.job(job)
        if wanted(view):
            return view
        time.sleep(0.01)
    raise AssertionError(f"never so: {on.record.job(job)}\n{(on.record.folder(job).log).read_text()}")


def over(on: Deck, job: str) -> JobView:
    """The view once no worker holds the job any more."""
    at = on.record.folder(job)
    until = time.monotonic() + 30
    while at.is_alive():
        assert time.monotonic() < until, at.log.read_text()
        time.sleep(0.005)
    return on.record.job(job)


def reconciled(on: Deck, job: str) -> JobView:
    reconcile.reconcile(on, job)
    return over(on, job)


def go_on(on: Deck, job: str, by: str = "anna", reason: str = "") -> None:
    """Somebody looked at what it stands for and says yes."""
    reconcile.tend(on, job, Ask(what=What.CONTINUE, by=by, reason=reason), YES)


def effects(tmp: Path) -> dict[str, list[str]]:
    return {p.stem: p.read_text().split() for p in (tmp / "effects").glob("*.count")}
