from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from ondeck.errors import NeedsPerson, Refused
from ondeck.job.consent import Consent
from ondeck.job.events import Ask, Ended, What
from ondeck.job.outcome import JobState, Outcome, WaitingFor
from ondeck.operate import reconcile, road
from tests import road as on_road


def test_a_job_runs_to_its_end_and_tells_everything(tmp_path: Path) -> None:
    deck = on_road.deck(tmp_path)
    view = on_road.over(deck, on_road.start(deck, tmp_path, batches="1,2", gate=True, lock="x@lab"))
    assert (view.state, view.outcome, view.why) == (JobState.ENDED, Outcome.SUCCEEDED, Ended.COMPLETE)
    assert all(len(lines) == 1 for lines in on_road.effects(tmp_path).values())
    assert [batch.passed for batch in view.batches] == [True, True]
    assert deck.record.output(view.id, "web-2").data == b"web-2 touched\n"
    assert deck.record.locks() == []
    assert deck.record.remembered("touched env=lab") == "web-1,web-2,web-3"
    assert deck.record.audit.verify().ok
    assert deck.record.audit.verify().open == ()
    assert [job.id for job in deck.record.jobs()] == [view.id]


def test_an_audit_that_was_emptied_or_lost_lines_is_told_by_the_jobs_beside_it(tmp_path: Path) -> None:
    deck = on_road.deck(tmp_path)
    first, second = (on_road.over(deck, on_road.start(deck, tmp_path)).id for _ in range(2))
    assert deck.record.unaudited() == ((), ())
    on_road.over(deck, on_road.start(deck, tmp_path, read=True))
    audit = deck.record.audit
    lines = audit.path.read_bytes().splitlines(keepends=True)
    audit.path.write_bytes(b"".join(lines[:2]))
    assert deck.record.unaudited() == ((second,), ())
    audit.path.unlink()
    (audit.root / "head").unlink()
    assert deck.record.audit.verify().ok
    assert deck.record.unaudited() == ((first, second), ())
    on_road.over(deck, on_road.start(deck, tmp_path))
    assert deck.record.unaudited() == ((), (first, second))


def test_a_failed_canary_pauses_and_continue_goes_on(tmp_path: Path) -> None:
    deck = on_road.deck(tmp_path)
    job = on_road.start(deck, tmp_path, batches="1,2", script=("web-1=fail",))
    view = on_road.wait_for(deck, job, lambda v: v.state is JobState.PAUSED)
    assert "1 failed" in view.pause
    assert set(on_road.effects(tmp_path)) == {"web-1"}
    on_road.go_on(deck, job)
    view = on_road.over(deck, job)
    assert view.outcome is Outcome.MIXED
    assert view.exit_code == 3


def test_a_gate_without_data_pauses_and_cancel_ends_it(tmp_path: Path) -> None:
    deck = on_road.deck(tmp_path)
    job = on_road.start(deck, tmp_path, batches="1,2", gate=True, script=("gate0=none",))
    on_road.wait_for(deck, job, lambda v: v.state is JobState.PAUSED)
    deck.record.ask(job, Ask(what=What.CANCEL, by="anna", reason="no"))
    view = on_road.over(deck, job)
    assert (view.outcome, view.why) == (Outcome.CANCELLED, Ended.CANCELLED)
    assert view.targets["web-3"].outcome is Outcome.NOT_STARTED


def test_a_lost_link_is_unknown_and_keeps_the_lock_until_it_is_settled(tmp_path: Path) -> None:
    deck = on_road.deck(tmp_path)
    job = on_road.start(deck, tmp_path, lock="x@lab", script=("web-2=lost",), max_failures=3)
    view = on_road.over(deck, job)
    assert view.outcome is Outcome.UNKNOWN
    assert view.in_doubt == ("web-2",)
    assert [lock.job for lock in deck.record.locks()] == [job]
    blocked = on_road.over(deck, on_road.start(deck, tmp_path, lock="x@lab"))
    assert blocked.why is Ended.LOCKED
    assert on_road.reconciled(deck, job).in_doubt == ("web-2",)
    reconcile.settle(deck, job, "web-2", Outcome.SUCCEEDED, "looked at it by hand")
    assert on_road.over(deck, job).outcome is Outcome.SUCCEEDED
    assert deck.record.locks() == []


def test_credentials_that_end_wait_and_never_count_against_hosts(tmp_path: Path) -> None:
    deck = on_road.deck(tmp_path)
    job = on_road.start(deck, tmp_path, batches="1,2", script=("web-2=auth",))
    view = on_road.wait_for(deck, job, lambda v: v.waiting_for is WaitingFor.CREDENTIALS)
    assert view.targets["web-2"].outcome is None
    assert not view.in_doubt
    (tmp_path / "effects" / "lent").touch()
    deck.record.ask(job, Ask(what=What.CREDENTIALS, by="anna", env={"SSH_AUTH_SOCK": "/run/agent"}))
    assert on_road.over(deck, job).outcome is Outcome.SUCCEEDED


def test_a_changed_world_refuses_before_anything_started(tmp_path: Path) -> None:
    deck = on_road.deck(tmp_path)
    drafted = on_road.drafted(deck, tmp_path)
    (tmp_path / "effects" / "world").write_text("second")
    view = on_road.over(deck, road.start(deck, drafted, on_road.YES))
    assert view.why is Ended.STALE
    assert view.exit_code == 7
    assert on_road.effects(tmp_path) == {}


def test_a_world_that_changes_before_a_later_batch_stops_there(tmp_path: Path) -> None:
    deck = on_road.deck(tmp_path)
    job = on_road.start(deck, tmp_path, batches="1,2", gate=True, script=("gate0=none",))
    on_road.wait_for(deck, job, lambda v: v.state is JobState.PAUSED)
    (tmp_path / "effects" / "world").write_text("second")
    on_road.go_on(deck, job)
    view = on_road.over(deck, job)
    assert set(on_road.effects(tmp_path)) == {"web-1"}
    for later in ("web-2", "web-3"):
        assert view.targets[later].outcome is Outcome.NOT_STARTED
        assert "world was 'first', is 'second'" in view.targets[later].text
    assert view.outcome is Outcome.MIXED


def test_a_hard_cancel_says_cancelled_only_where_it_really_stopped(tmp_path: Path) -> None:
    deck = on_road.deck(tmp_path)
    job = on_road.start(deck, tmp_path, script=("web-1=slow", "web-2=deaf"), max_failures=5)
    on_road.wait_for(deck, job, lambda v: v.targets["web-3"].outcome is Outcome.SUCCEEDED)
    deck.record.ask(job, Ask(what=What.CANCEL, by="anna", hard=True))
    view = on_road.wait_for(deck, job, lambda v: v.state is JobState.ENDED)
    assert view.targets["web-1"].outcome is Outcome.CANCELLED
    assert view.targets["web-2"].outcome is Outcome.UNKNOWN
    assert view.outcome is Outcome.UNKNOWN
    on_road.over(deck, job)


@pytest.mark.parametrize(
    ("word", "outcome"),
    [
        ("fail", Outcome.FAILED),
        ("refuse", Outcome.FAILED),
        ("lie", Outcome.FAILED),
        ("timeout", Outcome.TIMED_OUT),
        ("unreachable", Outcome.UNREACHABLE),
        ("dead", Outcome.UNREACHABLE),
        ("broken", Outcome.UNKNOWN),
        ("lost", Outcome.UNKNOWN),
    ],
)
def test_only_an_observed_success_is_success(tmp_path: Path, word: str, outcome: Outcome) -> None:
    deck = on_road.deck(tmp_path)
    view = on_road.over(deck, on_road.start(deck, tmp_path, script=(f"web-1={word}",), max_failures=3))
    assert view.targets["web-1"].outcome is outcome
    assert view.targets["web-2"].outcome is Outcome.SUCCEEDED


def test_without_consent_or_read_only_nothing_starts_and_it_is_audited(tmp_path: Path) -> None:
    deck = on_road.deck(tmp_path)
    drafted = on_road.drafted(deck, tmp_path)
    with pytest.raises(NeedsPerson):
        road.start(deck, drafted, Consent())
    with pytest.raises(Refused, match="read-only"):
        road.start(on_road.deck(tmp_path, read_only=True), drafted, on_road.YES)
    assert [entry.phase for entry in deck.record.audit.entries()] == ["refused", "refused"]
    assert deck.record.jobs() == []


def test_an_audit_that_cannot_be_written_refuses_changes_and_reading_goes_on(tmp_path: Path) -> None:
    deck = on_road.deck(tmp_path)
    deck.record.audit.root.mkdir(mode=0o700)
    deck.record.audit.path.mkdir()
    with pytest.raises(Exception, match="cannot be used"):
        on_road.start(deck, tmp_path)
    assert on_road.effects(tmp_path) == {}
    view = on_road.over(deck, on_road.start(deck, tmp_path, read=True))
    assert view.outcome is Outcome.SUCCEEDED


def test_secrets_reach_the_worker_and_stand_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THE_SECRET", "s3cr3t-canary")
    deck = on_road.deck(tmp_path)
    view = on_road.over(deck, on_road.start(deck, tmp_path, secrets=("env:THE_SECRET",)))
    assert view.outcome is Outcome.SUCCEEDED
    for path in deck.record.root.rglob("*"):
        assert not path.is_file() or b"s3cr3t-canary" not in path.read_bytes()
        assert path.lstat().st_mode & 0o077 == 0, path


def test_jobs_of_one_lock_run_one_after_the_other(tmp_path: Path) -> None:
    deck = on_road.deck(tmp_path)
    jobs = [on_road.start(deck, tmp_path, lock="x@lab", lock_wait=60.0, delay=2.0) for _ in range(3)]
    spans = sorted((v.batches[0].started, v.ended) for v in (on_road.over(deck, job) for job in jobs))
    assert all(view.outcome is Outcome.SUCCEEDED for view in deck.record.jobs())
    assert all(earlier[1] <= later[0] for earlier, later in pairwise(spans))


def test_a_cancel_that_nobody_saw_end_is_unknown_and_keeps_the_lock(tmp_path: Path) -> None:
    deck = on_road.deck(tmp_path)
    job = on_road.start(deck, tmp_path, script=("web-1=silent",), lock="x@lab")
    on_road.wait_for(deck, job, lambda v: v.targets["web-3"].outcome is Outcome.SUCCEEDED)
    deck.record.ask(job, Ask(what=What.CANCEL, by="anna", hard=True))
    view = on_road.over(deck, job)
    assert view.targets["web-1"].outcome is Outcome.UNKNOWN
    assert "not observed" in view.targets["web-1"].text
    assert view.in_doubt == ("web-1",)
    assert [lock.job for lock in deck.record.locks()] == [job]


@pytest.mark.parametrize("word", ["check-lost", "check-broken", "check-auth"])
def test_a_canary_that_cannot_be_read_never_lets_the_next_batch_start(tmp_path: Path, word: str) -> None:
    deck = on_road.deck(tmp_path)
    script = (f"web-2={word}",)
    job = on_road.start(deck, tmp_path, batches="1,1,1", gate=True, script=script, max_failures=1)
    states = (JobState.PAUSED, JobState.WAITING, JobState.ENDED)
    view = on_road.wait_for(deck, job, lambda v: v.state in states)
    assert set(on_road.effects(tmp_path)) == {"web-1"}
    if word == "check-auth":
        assert view.waiting_for is WaitingFor.CREDENTIALS
        assert view.targets["web-2"].outcome is None
    else:
        assert view.state is JobState.PAUSED
        assert view.targets["web-2"].outcome in (Outcome.UNREACHABLE, Outcome.NOT_STARTED)
    deck.record.ask(job, Ask(what=What.CANCEL, by="anna"))
    on_road.over(deck, job)


def test_a_bug_in_a_provider_touches_only_its_target_and_the_others_go_on(tmp_path: Path) -> None:
    deck = on_road.deck(tmp_path)
    script = ("web-1=broken", "web-2=check-broken")
    view = on_road.over(deck, on_road.start(deck, tmp_path, batches="1,1,1", script=script, max_failures=2))
    assert view.why is Ended.COMPLETE
    ends = {name: row.outcome for name, row in view.targets.items()}
    assert ends == {
        "web-1": Outcome.UNKNOWN,
        "web-2": Outcome.NOT_STARTED,
        "web-3": Outcome.SUCCEEDED,
    }
    assert "RuntimeError: scripted: a bug" in view.targets["web-2"].text
    assert deck.record.audit.verify().open == ()


def test_a_bug_before_the_first_change_ends_the_job_in_order(tmp_path: Path) -> None:
    deck = on_road.deck(tmp_path)
    view = on_road.over(deck, on_road.start(deck, tmp_path, script=("ready=broken",), lock="x@lab"))
    assert (view.why, view.outcome, view.lost) == (Ended.BROKEN, Outcome.NOT_STARTED, False)
    assert "RuntimeError: scripted: a bug" in view.summary
    assert on_road.effects(tmp_path) == {}
    assert deck.record.locks() == []
    assert deck.record.audit.verify().open == ()


def test_work_after_the_last_batch_that_fails_is_never_a_quiet_green(tmp_path: Path) -> None:
    deck = on_road.deck(tmp_path)
    view = on_road.over(deck, on_road.start(deck, tmp_path, script=("finish=broken",)))
    assert {row.outcome for row in view.targets.values()} == {Outcome.SUCCEEDED}
    assert view.outcome is Outcome.MIXED
    assert "after the last batch: it broke (KeyError" in view.summary


def test_a_bug_while_reconciling_leaves_it_unknown_and_the_job_ends_in_order(tmp_path: Path) -> None:
    deck = on_road.deck(tmp_path)
    script = ("web-1=lost", "web-2=lost", "reconcile=broken")
    job = on_road.start(deck, tmp_path, script=script, max_failures=3)
    on_road.over(deck, job)
    view = on_road.reconciled(deck, job)
    assert (view.lost, view.in_doubt) == (False, ("web-1", "web-2"))
    assert "RuntimeError: scripted: a bug" in view.targets["web-2"].text


def test_a_stray_variable_does_not_kill_the_worker_of_an_installed_provider(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deck = on_road.deck(tmp_path)
    drafted = on_road.drafted(deck, tmp_path)
    monkeypatch.setenv("ONDECK_FAULT_AT", "2")
    real = msgspec.structs.replace(deck, manifests=())
    view = on_road.over(deck, road.start(real, drafted, on_road.YES))
    assert view.lost is False
    assert view.why is Ended.REFUSED
