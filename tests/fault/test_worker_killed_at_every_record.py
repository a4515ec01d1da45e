"""kill -9 right before and right after every record of a job: nothing acknowledged is lost, nothing runs twice."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest

from ondeck.job.events import AttemptIntended, JobEnded, JobStarted, TargetEnded
from ondeck.job.outcome import JobState, Outcome
from ondeck.operate import reconcile
from ondeck.record.view import JobView
from tests import road as on_road

PARAMS = {"batches": "1,2", "gate": True, "lock": "x@lab"}


def records_of_a_whole_job(tmp: Path) -> int:
    deck = on_road.deck(tmp)
    return on_road.over(deck, on_road.start(deck, tmp, **PARAMS)).events


def check_invariants(tmp: Path, view: JobView) -> None:
    """What holds after any death and reconcile, whatever the moment."""
    deck = on_road.deck(tmp)
    assert view.state is JobState.ENDED
    assert view.outcome is not None
    events = deck.record.folder(view.id).events_after(0)
    intended = {e.attempt for e in events if isinstance(e, AttemptIntended)}
    done = on_road.effects(tmp)
    for lines in done.values():
        assert len(lines) == len(set(lines))
        assert set(lines) <= intended, "an effect without an intent on disk"
    for row in view.targets.values():
        if row.outcome is Outcome.SUCCEEDED:
            assert row.status == 0
            assert len(done[row.target]) == 1
        if row.outcome is Outcome.NOT_STARTED:
            assert row.target not in done
        if row.in_doubt:
            assert row.outcome is Outcome.UNKNOWN
            assert row.text
    if view.in_doubt:
        assert view.outcome is Outcome.UNKNOWN
        assert [lock.job for lock in deck.record.locks()] == [view.id]
        for target in view.in_doubt:
            reconcile.settle(deck, view.id, target, Outcome.FAILED, "looked at it")
            view = on_road.over(deck, view.id)
        assert not view.in_doubt
    assert deck.record.locks() == []
    assert deck.record.audit.verify().ok


def finish(tmp: Path, job: str) -> JobView:
    deck = on_road.deck(tmp)
    view = on_road.over(deck, job)
    assert view.state is JobState.ENDED, "never shown as running for ever"
    if view.lost and view.events:
        view = on_road.reconciled(deck, job)
    return view


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("moment", ["", "-"], ids=["after", "before"])
def test_a_worker_killed_at_every_record_leaves_the_truth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    total = records_of_a_whole_job(whole)
    assert total > 15
    lost = 0
    for number in range(total):
        tmp = tmp_path / str(number)
        tmp.mkdir()
        deck = on_road.deck(tmp)
        monkeypatch.setenv("ONDECK_FAULT_AT", f"{number}{moment}")
        job = on_road.start(deck, tmp, **PARAMS)
        monkeypatch.delenv("ONDECK_FAULT_AT")
        view = on_road.over(deck, job)
        lost += view.lost
        check_invariants(tmp, finish(tmp, job))
        if total // 3 < number < total and view.lost and view.events:
            continue_and_check(tmp, job)
    assert lost == total - (moment == "")


def continue_and_check(tmp: Path, job: str) -> None:
    """Going on does what is left, once."""
    deck = on_road.deck(tmp)
    if all(row.outcome is not Outcome.NOT_STARTED for row in deck.record.job(job).targets.values()):
        return
    on_road.go_on(deck, job)
    view = on_road.over(deck, job)
    assert all(row.outcome is not Outcome.NOT_STARTED for row in view.targets.values()), view
    check_invariants(tmp, view)


@pytest.mark.slow
def test_a_reconcile_killed_at_every_record_can_be_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(9, 16):
        tmp = tmp_path / str(number)
        tmp.mkdir()
        deck = on_road.deck(tmp)
        monkeypatch.setenv("ONDECK_FAULT_AT", "8")
        job = on_road.start(deck, tmp, **{**PARAMS, "batches": "3"})
        on_road.over(deck, job)
        monkeypatch.setenv("ONDECK_FAULT_AT", str(number))
        on_road.reconciled(deck, job)
        monkeypatch.delenv("ONDECK_FAULT_AT")
        check_invariants(tmp, finish(tmp, job))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_a_worker_killed_from_outside_at_any_moment_leaves_the_truth(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    deck = on_road.deck(tmp_path)
    job = on_road.start(deck, tmp_path, **PARAMS, delay=2.0)
    at = deck.record.folder(job)
    on_road.wait_for(deck, job, lambda v: v.events > 0)
    started = next(e for e in at.events_after(0) if isinstance(e, JobStarted))
    time.sleep(chance.uniform(0, 0.35))
    if at.is_alive():
        os.kill(started.pid, signal.SIGKILL)
    check_invariants(tmp_path, finish(tmp_path, job))


def test_nobody_says_succeeded_without_an_outcome_on_disk(tmp_path: Path) -> None:
    deck = on_road.deck(tmp_path)
    job = on_road.start(deck, tmp_path, **PARAMS)
    view = on_road.over(deck, job)
    events = deck.record.folder(job).events_after(0)
    ended = {e.target for e in events if isinstance(e, TargetEnded) and e.status == 0}
    assert ended == {name for name, row in view.targets.items() if row.outcome is Outcome.SUCCEEDED}
    assert isinstance(events[-1], JobEnded)
