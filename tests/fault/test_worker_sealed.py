"""What was confirmed is what runs: plans, consents and rules that somebody edited in between start nothing."""

from __future__ import annotations

import os
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ondeck.deck import Deck
from ondeck.errors import ExitCode, NeedsPerson, PlanStale, Refused, StateBroken
from ondeck.job import plan as plans
from ondeck.job.consent import Consent, Given
from ondeck.job.events import Ended
from ondeck.job.outcome import Outcome
from ondeck.job.spec import Risk
from ondeck.operate import launch, policy, road
from ondeck.record.jobfolder import JobFolder
from ondeck.record.view import JobView
from tests import road as on_road


def as_read(stored: bytes) -> bytes:
    return stored.replace(b'"risk":"change"', b'"risk":"read"')


def resealed(drafted: road.Drafted) -> road.Drafted:
    """The plan that calls itself a read, under an id and a digest made for it."""
    draft = msgspec.structs.replace(drafted.plan.draft, risk=Risk.READ)
    plan = plans.sealed(msgspec.structs.replace(drafted.plan, draft=draft))
    stored = plans.encode(plan)
    return road.Drafted(plan=plan, stored=stored, digest=plans.digest(stored), path=drafted.path)


def test_an_edited_plan_file_is_not_the_plan_that_was_shown(tmp_path: Path) -> None:
    deck = on_road.deck(tmp_path)
    drafted = on_road.drafted(deck, tmp_path)
    assert road.stored_plan(deck, drafted.plan.id) == drafted
    drafted.path.write_bytes(as_read(drafted.stored))
    with pytest.raises(PlanStale, match="not those that were shown") as refused:
        road.stored_plan(deck, drafted.plan.id)
    assert refused.value.exit_code is ExitCode.STALE


def test_a_plan_under_the_name_of_another_is_not_the_one_that_was_shown(tmp_path: Path) -> None:
    deck = on_road.deck(tmp_path)
    shown, other = on_road.drafted(deck, tmp_path), on_road.drafted(deck, tmp_path, targets=("web-1",))
    shown.path.write_bytes(other.stored)
    with pytest.raises(PlanStale, match="not those that were shown"):
        road.stored_plan(deck, shown.plan.id)


@pytest.mark.parametrize(("read_only", "error"), [(False, NeedsPerson), (True, Refused)])
def test_a_change_that_calls_itself_a_read_is_judged_as_a_change(
    tmp_path: Path, read_only: bool, error: type[Exception]
) -> None:
    deck = on_road.deck(tmp_path, read_only=read_only)
    forged = resealed(on_road.drafted(deck, tmp_path))
    with pytest.raises(error):
        road.start(deck, forged, Consent())
    assert deck.record.jobs() == []


def started(deck: Deck, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, edit: Any) -> JobView:
    """A job whose folder somebody edits after it was written and before its worker reads it."""
    spawn = launch.spawn

    def edited(at: JobFolder, *given: Any) -> None:
        edit(at)
        spawn(at, *given)

    monkeypatch.setattr(launch, "spawn", edited)
    return on_road.over(deck, on_road.start(deck, tmp_path))


def edit_plan(at: JobFolder) -> None:
    at.plan.write_bytes(at.plan.read_bytes().replace(b"web-1", b"web-2", 1))


def edit_plan_and_digest(at: JobFolder) -> None:
    at.plan.write_bytes(as_read(at.plan.read_bytes()))
    rewrite_given(at, plan=plans.digest(at.plan.read_bytes()), consent=Consent())


def forge_all(at: JobFolder) -> None:
    plan = plans.decode(as_read(at.plan.read_bytes()))
    at.plan.write_bytes(plans.encode(plans.sealed(plan)))
    rewrite_given(at, plan=plans.digest(at.plan.read_bytes()), consent=Consent())


def drop_consent(at: JobFolder) -> None:
    rewrite_given(at, consent=Consent())


def other_rules(at: JobFolder) -> None:
    rewrite_given(at, policy="0" * 64)


def rewrite_given(at: JobFolder, **changes: Any) -> None:
    given: Given = msgspec.structs.replace(at.read_given(), **changes)
    at.given.write_bytes(msgspec.json.encode(given))


@pytest.mark.parametrize("edit", [edit_plan, edit_plan_and_digest, forge_all, drop_consent, other_rules])
def test_a_job_folder_edited_before_its_worker_reads_it_is_refused_by_the_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, edit: Any
) -> None:
    deck = on_road.deck(tmp_path)
    view = started(deck, tmp_path, monkeypatch, edit)
    assert (view.why, view.exit_code) == (Ended.REFUSED, ExitCode.REFUSED), view.summary
    assert on_road.effects(tmp_path) == {}
    assert [entry.phase for entry in deck.record.audit.entries()] == ["outcome"]


def test_of_two_deploys_at_once_one_runs_and_the_other_names_who_holds_the_lock(tmp_path: Path) -> None:
    deck = on_road.deck(tmp_path)
    one = on_road.start(deck, tmp_path, lock="checkout@lab", delay=20.0)
    on_road.wait_for(deck, one, lambda v: v.lock)
    other = on_road.over(deck, on_road.start(deck, tmp_path, lock="checkout@lab"))
    assert other.why is Ended.LOCKED
    assert f"locked by job {one} of anna" in other.summary
    assert on_road.over(deck, one).outcome is Outcome.SUCCEEDED
    assert all(len(lines) == 1 for lines in on_road.effects(tmp_path).values())


@pytest.mark.parametrize("mode", [0o666, 0o664])
def test_a_policy_floor_that_others_may_write_refuses_every_change(tmp_path: Path, mode: int) -> None:
    deck = on_road.deck(tmp_path)
    deck.settings.policy_floor.write_text("read_only: false\n")
    deck.settings.policy_floor.chmod(mode)
    with pytest.raises((Refused, StateBroken)):
        on_road.start(deck, tmp_path)
    assert on_road.effects(tmp_path) == {}


@pytest.mark.skipif(os.geteuid() != 0, reason="giving a file away needs root")
def test_a_policy_floor_of_another_user_refuses_every_change(tmp_path: Path) -> None:
    deck = on_road.deck(tmp_path)
    deck.settings.policy_floor.write_text("read_only: false\n")
    os.chown(deck.settings.policy_floor, 12345, 12345)
    assert stat.S_IMODE(deck.settings.policy_floor.stat().st_mode) & 0o022 == 0
    with pytest.raises((Refused, StateBroken)):
        policy.load_floor(deck.settings.policy_floor)


def test_a_plan_starts_one_job_and_a_second_start_names_it(tmp_path: Path) -> None:
    deck = on_road.deck(tmp_path)
    drafted = on_road.drafted(deck, tmp_path)
    job = road.start(deck, drafted, on_road.YES)
    with pytest.raises(PlanStale, match=f"started already, as job {job}") as refused:
        road.start(deck, drafted, on_road.YES)
    assert refused.value.exit_code is ExitCode.STALE
    with pytest.raises(PlanStale, match=job):
        road.stored_plan(deck, drafted.plan.id)
    assert on_road.over(deck, job).outcome is Outcome.SUCCEEDED
    assert [view.id for view in deck.record.jobs()] == [job]
    assert all(len(lines) == 1 for lines in on_road.effects(tmp_path).values())


def test_of_many_starts_of_a_plan_at_once_one_wins(tmp_path: Path) -> None:
    deck = on_road.deck(tmp_path)
    drafted = on_road.drafted(deck, tmp_path)
    gate = threading.Barrier(8)

    def once(_: int) -> str:
        gate.wait()
        try:
            return road.start(deck, drafted, on_road.YES)
        except PlanStale as error:
            return error.message

    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(once, range(8)))
    (job,) = [view.id for view in deck.record.jobs()]
    assert sorted(said) == sorted([job, *[f"plan {drafted.plan.id} was started already, as job {job}"] * 7])
    assert on_road.over(deck, job).outcome is Outcome.SUCCEEDED
    assert [path.name for path in deck.record.jobs_root.iterdir()] == [job]
    assert all(len(lines) == 1 for lines in on_road.effects(tmp_path).values())


def test_a_plan_whose_job_could_not_be_written_may_be_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deck = on_road.deck(tmp_path)
    drafted = on_road.drafted(deck, tmp_path)
    plan = JobFolder.claim

    def without_room(jobs: Path) -> JobFolder:
        at = plan(jobs)
        at.given = jobs / "none" / "consent.json"
        return at

    with monkeypatch.context() as patch:
        patch.setattr(JobFolder, "claim", without_room)
        with pytest.raises(StateBroken):
            road.start(deck, drafted, on_road.YES)
    assert on_road.over(deck, road.start(deck, drafted, on_road.YES)).outcome is Outcome.SUCCEEDED
