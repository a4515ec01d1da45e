"""kill -9 of the worker at every record of an apply: terraform goes on, it happens once, and the truth is found."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import msgspec
import pytest

from ondeck.deck import Deck
from ondeck.inventory.model import Environment
from ondeck.job.outcome import Outcome
from ondeck.operate import reconcile, road
from ondeck.record.store import Record
from ondeck.record.view import JobView
from ondeck.registry import Registry
from ondeck.settings import Settings
from tests import road as on_road
from tests.contract.stack_site import StackSite

EVENTS = 12
"""An apply of one resource writes a few more; the last ones follow its outcome."""


def deck(site: StackSite) -> Deck:
    """Real providers; the manifest of tests only lets the worker die when it is told to."""
    own = Settings(
        state=site.root / "state", cache=site.root / "cache", config=site.root / "config",
        policy_floor=site.root / "no-floor.yml", timescale=0.4, actor="anna",
    )  # fmt: skip
    inventory = msgspec.structs.replace(site.bench.inventory, environments={"prod": Environment(name="prod")})
    return Deck(
        inventory=inventory,
        registry=Registry(),
        record=Record(own),
        settings=own,
        manifests=("ondeck.testing.operators:MANIFEST",),
    )


def killed(on: Deck, site: StackSite, moment: str) -> JobView:
    drafted = asyncio.run(road.draft(on, site.request))
    os.environ["ONDECK_FAULT_AT"] = moment
    try:
        job = road.start(on, drafted, on_road.YES)
    finally:
        del os.environ["ONDECK_FAULT_AT"]
    return on_road.over(on, job)


def found_out(on: Deck, view: JobView) -> JobView:
    for _ in range(200):
        if (not view.lost and not view.unsettled) or view.events == 0:
            return view
        view = on_road.reconciled(on, view.id)
        if not any(row.still_running for row in view.targets.values()):
            return view
    raise AssertionError(f"it never came to an end: {view}")


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("after", ["", "-"], ids=["after", "before"])
def test_a_worker_killed_at_every_record_leaves_the_truth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: str
) -> None:
    outcomes = set()
    for number in range(EVENTS):
        site = StackSite(tmp_path / f"site{number}")
        monkeypatch.setenv("HOME", str(site.home))
        site.state_root = "state/work"
        on = deck(site)
        view = found_out(on, killed(on, site, f"{number}{after}"))
        row = view.targets[site.stack]
        place = f"killed at {number}{after}: {row.outcome}: {row.text}"
        assert site.effects(site.stack) <= 1, place
        if row.outcome is Outcome.SUCCEEDED:
            assert site.in_place(site.stack), place
            assert site.effects(site.stack) == 1, place
        if row.outcome is Outcome.NOT_STARTED:
            assert site.effects(site.stack) == 0, place
        if row.outcome is Outcome.UNKNOWN:
            assert [lock.job for lock in on.record.locks()] == [view.id], place
            reconcile.settle(on, view.id, site.stack, Outcome.FAILED, "looked at it")
            view = on_road.over(on, view.id)
        assert on.record.audit.verify().ok
        outcomes.add(row.outcome)
    assert Outcome.SUCCEEDED in outcomes, "terraform went on without its worker"
    assert Outcome.NOT_STARTED in outcomes
