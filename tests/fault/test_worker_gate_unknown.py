"""The gate after the last batch: without data nobody calls it green, the lock is kept, and there is a way out."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from click.testing import CliRunner

from ondeck.deck import Deck
from ondeck.errors import BadInput, ExitCode, Refused
from ondeck.job.events import Ask, Ended, GateAccepted, GateSettled, JobStarted, Mode, What
from ondeck.job.outcome import JobState, Outcome
from ondeck.operate import launch, reconcile
from ondeck.record.view import JobView
from tests import road as on_road
from tui.cli import jobs, now
from tui.cli.face import Face, Globals


def standing(on: Deck, tmp: Path, *script: str, batches: str = "1,2", **params: object) -> JobView:
    """A job whose last gate has no data, as it stands."""
    job = on_road.start(
        on, tmp, batches=batches, gate=True, lock="x@lab", script=script or ("gate1=none",), **params
    )
    return on_road.wait_for(on, job, lambda v: v.state is JobState.PAUSED)


def cancelled(on: Deck, job: str) -> JobView:
    on.record.ask(job, Ask(what=What.CANCEL, by="anna"))
    return on_road.over(on, job)


def pid_of(on: Deck, job: str) -> int:
    return next(e.pid for e in on.record.folder(job).events_after(0) if isinstance(e, JobStarted))


def kept(on: Deck) -> list[str]:
    return [lock.job for lock in on.record.locks()]


def test_a_last_gate_without_data_pauses_and_continue_accepts_it(tmp_path: Path) -> None:
    on = on_road.deck(tmp_path)
    view = standing(on, tmp_path)
    assert view.pause == "the gate after batch 2 has no data"
    on_road.go_on(on, view.id, "bob", "the graphs are calm")
    view = on_road.over(on, view.id)
    assert (view.outcome, view.why) == (Outcome.SUCCEEDED, Ended.COMPLETE)
    assert "accepted by bob: the graphs are calm" in view.batches[1].evidence
    assert view.batches[1].passed is None, "that a person accepted it makes no data out of none"
    events = on.record.folder(view.id).events_after(0)
    assert [(e.index, e.by) for e in events if isinstance(e, GateAccepted)] == [(1, "bob")]
    assert on.record.remembered("touched env=lab") == "web-1", (
        "what nobody saw healthy is not remembered as good"
    )
    assert kept(on) == []


def test_cancelled_at_a_last_gate_without_data_is_unknown_and_keeps_its_lock(tmp_path: Path) -> None:
    on = on_road.deck(tmp_path)
    view = cancelled(on, standing(on, tmp_path).id)
    assert view.outcome is Outcome.UNKNOWN
    assert view.exit_code is ExitCode.UNKNOWN
    assert kept(on) == [view.id]
    blocked = on_road.over(on, on_road.start(on, tmp_path, lock="x@lab"))
    assert blocked.why is Ended.LOCKED
    assert f"ondeck reconcile {view.id}" in blocked.summary


def test_reconcile_asks_the_last_gate_again(tmp_path: Path) -> None:
    on = on_road.deck(tmp_path)
    job = cancelled(on, standing(on, tmp_path).id).id
    view = on_road.reconciled(on, job)
    assert view.outcome is Outcome.UNKNOWN
    assert kept(on) == [job]
    (tmp_path / "effects" / "gate1").write_text("fine")
    view = on_road.reconciled(on, job)
    assert (view.outcome, view.batches[1].passed) == (Outcome.SUCCEEDED, True)
    assert kept(on) == []
    assert all(len(lines) == 1 for lines in on_road.effects(tmp_path).values())
    with pytest.raises(Refused, match="in doubt"):
        reconcile.reconcile(on, job)


def test_reconcile_finds_that_the_last_gate_does_not_pass(tmp_path: Path) -> None:
    on = on_road.deck(tmp_path)
    job = cancelled(on, standing(on, tmp_path).id).id
    (tmp_path / "effects" / "gate1").write_text("bad")
    assert on_road.reconciled(on, job).outcome is Outcome.FAILED
    assert kept(on) == []


@pytest.mark.parametrize(("word", "outcome"), [("passed", Outcome.SUCCEEDED), ("failed", Outcome.FAILED)])
def test_settle_sets_the_last_gate_with_a_reason(tmp_path: Path, word: str, outcome: Outcome) -> None:
    on = on_road.deck(tmp_path)
    job = cancelled(on, standing(on, tmp_path).id).id
    face = Face(Globals())
    face.__dict__.update(deck=on, settings=on.settings)
    words = [job, "--gate", word, "--reason", "looked at the orders"]
    result = CliRunner().invoke(jobs.settle, words, obj=face, standalone_mode=False)
    assert result.return_value == ExitCode.OK, result.output
    view = on_road.over(on, job)
    assert view.outcome is outcome
    assert "by anna: looked at the orders" in view.batches[1].evidence
    assert [e.by for e in on.record.folder(job).events_after(0) if isinstance(e, GateSettled)] == ["anna"]
    assert any(e.phase == "settle" and "gate after batch 2" in e.text for e in on.record.audit.entries())
    assert kept(on) == []


def test_settling_a_gate_that_is_not_open_is_refused_and_says_so(tmp_path: Path) -> None:
    on = on_road.deck(tmp_path)
    job = on_road.over(
        on, on_road.start(on, tmp_path, batches="1,2", script=("web-2=lost",), max_failures=3)
    ).id
    with pytest.raises(Refused, match="no gate of it is open"):
        reconcile.settle(on, job, "", Outcome.SUCCEEDED, "a wish")
    at = on.record.folder(job)
    at.ask(Ask(what=What.SETTLE, by="anna", outcome=Outcome.SUCCEEDED, reason="past the face"))
    launch.spawn(at, on.settings, Mode.RECONCILE, {}, on.manifests)
    view = on_road.over(on, job)
    assert view.outcome is Outcome.UNKNOWN
    assert any("no gate" in note for note in view.notes)
    with pytest.raises(BadInput):
        reconcile.settle(on, job, "", Outcome.NOT_STARTED, "a gate either passes or not")


def test_killed_while_the_last_gate_stands_is_no_quiet_green(tmp_path: Path) -> None:
    on = on_road.deck(tmp_path)
    job = standing(on, tmp_path).id
    os.kill(pid_of(on, job), signal.SIGKILL)
    view = on_road.over(on, job)
    assert (view.lost, view.outcome, view.exit_code) == (True, Outcome.UNKNOWN, ExitCode.UNKNOWN)
    assert kept(on) == [job]
    (tmp_path / "effects" / "gate1").write_text("fine")
    assert on_road.reconciled(on, job).outcome is Outcome.SUCCEEDED
    assert kept(on) == []


def test_now_names_the_gate_and_the_way_out(tmp_path: Path) -> None:
    on = on_road.deck(tmp_path)
    view = cancelled(on, standing(on, tmp_path).id)
    waits, _ = now._jobs([view])
    assert [(w.why, w.do) for w in waits] == [
        ("outcome unknown: the gate after batch 2 has no data", f"ondeck reconcile {view.id}")
    ]


def test_continue_after_a_pause_by_hand_accepts_no_gate_that_nobody_saw(tmp_path: Path) -> None:
    on = on_road.deck(tmp_path)
    job = on_road.start(on, tmp_path, batches="1,2", gate=True, script=("gate1=none",), delay=20.0)
    on_road.wait_for(on, job, lambda v: v.targets["web-1"].running)
    on.record.ask(job, Ask(what=What.PAUSE, by="anna"))
    on_road.wait_for(on, job, lambda v: v.pause == "paused by anna")
    on_road.go_on(on, job)
    view = on_road.wait_for(on, job, lambda v: "has no data" in v.pause)
    assert view.pause == "the gate after batch 2 has no data"
    assert cancelled(on, job).outcome is Outcome.UNKNOWN
