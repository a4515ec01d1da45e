"""Old consent starts nothing: another person, an old plan or other rules need a fresh word to go on."""

from __future__ import annotations

import os
import time
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from ondeck.deck import Deck
from ondeck.errors import NeedsPerson, PlanStale, Refused
from ondeck.inventory.model import Protection
from ondeck.job import plan
from ondeck.job.consent import Consent
from ondeck.job.events import Ask, Ended, Mode, Resumed, What
from ondeck.job.outcome import JobState, Outcome
from ondeck.operate import launch, reconcile
from ondeck.record.store import Record
from tests import road as on_road
from tests.fault.test_worker_resumed import killed, paused_and_killed
from tui.app.live.jobviews import job_look
from tui.cli import jobs, records
from tui.cli.face import Face, Globals

TYPED = Consent(typed="lab", reason="anna went home")


def of_bob(on: Deck) -> Deck:
    """The same state and inventory, with bob at the keys."""
    own = msgspec.structs.replace(on.settings, actor="bob")
    return msgspec.structs.replace(on, settings=own, record=Record(own))


def as_bob() -> Ask:
    return Ask(what=What.CONTINUE, by="bob", reason="anna went home")


def make_old(on: Deck, job: str, days: int) -> None:
    """The same job as if its plan had been made days ago."""
    at = on.record.folder(job)
    made = time.time_ns() - days * 86_400 * 10**9
    old = plan.encode(plan.sealed(msgspec.structs.replace(plan.decode(at.plan.read_bytes()), made=made)))
    at.plan.write_bytes(old)
    given = msgspec.structs.replace(at.read_given(), plan=plan.digest(old))
    at.given.write_bytes(msgspec.json.encode(given))


def protected(tmp: Path) -> Deck:
    return on_road.deck(tmp, protection={"touch": Protection.TYPE_NAME})


def begun_by_anna(on: Deck, tmp: Path) -> str:
    from ondeck.operate import road

    drafted = on_road.drafted(on, tmp, batches="1,2", script=("web-1=fail",))
    job = road.start(on, drafted, Consent(typed="lab", reason="release day"))
    on_road.wait_for(on, job, lambda v: v.state is JobState.PAUSED)
    reconcile.tend(on, job, Ask(what=What.CANCEL, by="anna"))
    on_road.over(on, job)
    return job


def untroubled(on: Deck, tmp: Path) -> str:
    """A job of anna's that she paused by hand, of which nothing has failed."""
    from ondeck.operate import road

    drafted = on_road.drafted(on, tmp, batches="1,2", delay=20.0)
    job = road.start(on, drafted, Consent(typed="lab", reason="release day"))
    on_road.wait_for(on, job, lambda v: v.targets["web-1"].running)
    on.record.ask(job, Ask(what=What.PAUSE, by="anna"))
    on_road.wait_for(on, job, lambda v: v.paused_by == "anna")
    return job


def cli(on: Deck, *words: str) -> Result:
    face = Face(Globals())
    face.__dict__.update(deck=on, settings=on.settings)
    return CliRunner().invoke(jobs.continue_, list(words), obj=face, standalone_mode=False)


def untouched(tmp: Path) -> bool:
    return set(on_road.effects(tmp)) == {"web-1"}


def test_another_person_goes_on_only_with_a_word_of_their_own(tmp_path: Path) -> None:
    on = protected(tmp_path)
    job = begun_by_anna(on, tmp_path)
    bob = of_bob(on)
    for given in (None, Consent(confirmed=True), Consent(typed="prod")):
        with pytest.raises(NeedsPerson, match="anna who started it"):
            reconcile.tend(bob, job, as_bob(), given)
    assert untouched(tmp_path)
    assert [e.actor for e in on.record.audit.entries() if e.phase == "refused"] == ["bob"] * 3
    reconcile.tend(bob, job, as_bob(), TYPED)
    view = on_road.over(on, job)
    assert view.targets["web-3"].outcome is Outcome.SUCCEEDED
    assert (view.actor, view.people) == ("anna", "anna, continued by bob")
    intents = [(e.actor, e.decision, e.reason) for e in on.record.audit.entries() if e.phase == "intent"]
    assert intents[-1] == ("bob", "typed", "anna went home")
    events = on.record.folder(job).events_after(0)
    assert [(e.by, e.decision) for e in events if isinstance(e, Resumed)] == [("bob", "typed")]


def test_a_plan_older_than_its_hour_needs_a_fresh_word_of_the_same_person(tmp_path: Path) -> None:
    on = protected(tmp_path)
    job = begun_by_anna(on, tmp_path)
    make_old(on, job, days=3)
    result = cli(on, job, "--no-input")
    assert isinstance(result.exception, NeedsPerson), result.output
    assert "--confirm lab" in result.exception.hint
    assert "its plan is 3 days old" in result.output
    assert untouched(tmp_path)
    result = cli(on, job, "--confirm", "lab", "--reason", "still wanted")
    assert "goes on with the targets that were not begun" in result.output, result
    view = on_road.over(on, job)
    assert view.targets["web-2"].outcome is Outcome.SUCCEEDED
    assert (view.people, view.resumed) == ("anna", ["anna"])


@pytest.mark.parametrize("end", ["cancelled", "killed"])
def test_within_the_hour_the_same_person_only_says_continue(tmp_path: Path, end: str) -> None:
    on = protected(tmp_path)
    job = untroubled(on, tmp_path)
    if end == "cancelled":
        reconcile.tend(on, job, Ask(what=What.CANCEL, by="anna"))
        on_road.over(on, job)
    else:
        killed(on, job)
    reconcile.tend(on, job, Ask(what=What.CONTINUE, by="anna"))
    assert on_road.over(on, job).targets["web-2"].outcome is Outcome.SUCCEEDED


def test_the_worker_itself_admits_the_fresh_word(tmp_path: Path) -> None:
    on = protected(tmp_path)
    job = begun_by_anna(on, tmp_path)
    at = on.record.folder(job)
    at.ask(as_bob())
    launch.spawn(at, on.settings, Mode.RESUME, {}, on.manifests)
    view = on_road.over(on, job)
    assert view.why is Ended.REFUSED
    assert "needs a fresh consent" in view.summary
    given = msgspec.structs.replace(at.read_given(), actor="bob", consent=Consent(confirmed=True))
    at.ask(msgspec.structs.replace(as_bob(), given=given))
    launch.spawn(at, on.settings, Mode.RESUME, {}, on.manifests)
    view = on_road.over(on, job)
    assert view.why is Ended.REFUSED
    assert "'lab' has to be typed" in view.summary
    assert untouched(tmp_path)


def test_rules_that_changed_need_a_fresh_word_and_hold(tmp_path: Path) -> None:
    on = on_road.deck(tmp_path)
    job = paused_and_killed(on, tmp_path)
    stricter = on_road.inventory(protection={"touch": Protection.TYPE_NAME})
    with pytest.raises(PlanStale, match="environment lab: protection"):
        reconcile.tend(
            msgspec.structs.replace(on, inventory=stricter), job, Ask(what=What.CONTINUE, by="anna"), TYPED
        )
    on.settings.policy_floor.write_text("environments: {lab: {protection: {touch: type-name}}}\n")
    on.settings.policy_floor.chmod(0o644)
    with pytest.raises(NeedsPerson, match="the rules changed since"):
        reconcile.tend(on, job, Ask(what=What.CONTINUE, by="anna"), Consent(confirmed=True))
    on.settings.policy_floor.unlink()
    frozen = msgspec.structs.replace(on, settings=msgspec.structs.replace(on.settings, read_only=True))
    with pytest.raises(Refused, match="read-only"):
        reconcile.tend(frozen, job, Ask(what=What.CONTINUE, by="anna"), TYPED)
    assert untouched(tmp_path)


def test_both_people_are_named_by_report_list_and_page(tmp_path: Path) -> None:
    on = protected(tmp_path)
    job = begun_by_anna(on, tmp_path)
    reconcile.tend(of_bob(on), job, as_bob(), TYPED)
    view = on_road.over(on, job)
    assert "By anna, continued by bob." in "\n".join(records._job(view))
    assert "anna, continued by bob" in jobs.rows_of([view]).rows[0]
    assert job_look(view).people == "anna, continued by bob"
    result = CliRunner().invoke(jobs.attach, [job], obj=_face(on), standalone_mode=False)
    assert "bob goes on with it (typed): anna went home" in result.output
    assert "by anna, continued by bob" in result.output


def _face(on: Deck) -> Face:
    face = Face(Globals())
    face.__dict__.update(deck=on, settings=on.settings)
    return face


def test_killed_again_after_another_went_on_it_still_names_both(tmp_path: Path) -> None:
    on = protected(tmp_path)
    job = begun_by_anna(on, tmp_path)
    os.environ["ONDECK_FAULT_AT"] = str(len(on.record.folder(job).events_after(0)) + 5)
    try:
        reconcile.tend(of_bob(on), job, as_bob(), TYPED)
    finally:
        del os.environ["ONDECK_FAULT_AT"]
    view = on_road.over(on, job)
    assert view.lost
    assert view.people == "anna, continued by bob"
