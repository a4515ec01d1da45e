"""A log that was cut, lost or put back never says that nothing was done, and nobody does it a second time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from ondeck.deck import Deck
from ondeck.errors import Refused
from ondeck.job import plan as plans
from ondeck.job.events import Ask, Ended, What
from ondeck.job.outcome import Outcome
from ondeck.operate import launch, reconcile
from ondeck.record.jobfolder import EDITED, JobFolder
from tests import road as on_road
from tests.fault.test_worker_resumed import cli, paused_and_killed
from tui.cli import jobs

CONTINUE = Ask(what=What.CONTINUE, by="anna")


def keep(at: JobFolder, lines: int) -> None:
    """The log as it is after a restore: its first records only."""
    kept = at.events.read_bytes().splitlines(keepends=True)[:lines]
    if lines:
        at.events.write_bytes(b"".join(kept))
    else:
        at.events.unlink()


def done(tmp: Path, lines: int) -> tuple[Deck, str]:
    on = on_road.deck(tmp)
    job = on_road.start(on, tmp)
    assert on_road.over(on, job).outcome is Outcome.SUCCEEDED
    keep(on.record.folder(job), lines)
    return on, job


def settled(on: Deck, job: str, target: str, outcome: Outcome) -> None:
    reconcile.settle(on, job, target, outcome, "looked at the host")
    on_road.over(on, job)


@pytest.mark.parametrize("lines", [0, 1, 2, 5])
@pytest.mark.parametrize("what", [What.RECONCILE, What.CONTINUE])
def test_a_log_that_lacks_what_the_audit_holds_is_not_gone_on_from(
    tmp_path: Path, lines: int, what: What
) -> None:
    on, job = done(tmp_path, lines)
    with pytest.raises(Refused, match=r"cut, or is an old copy.*succeeded") as refused:
        reconcile.tend(on, job, Ask(what=what, by="bob", reason="?"))
    assert "ondeck settle" in refused.value.hint
    assert all(len(lines) == 1 for lines in on_road.effects(tmp_path).values())


@pytest.mark.parametrize("lines", [0, 2])
def test_a_person_can_say_what_became_of_each_target_and_only_then_it_goes_on(
    tmp_path: Path, lines: int
) -> None:
    on, job = done(tmp_path, lines)
    settled(on, job, "web-1", Outcome.SUCCEEDED)
    view = on.record.job(job)
    assert view.targets["web-1"].outcome is Outcome.SUCCEEDED
    assert view.targets["web-2"].outcome is Outcome.UNKNOWN
    for what in (What.RECONCILE, What.CONTINUE):
        with pytest.raises(Refused):
            reconcile.tend(on, job, Ask(what=what, by="bob", reason="?"))
    settled(on, job, "web-2", Outcome.SUCCEEDED)
    settled(on, job, "web-3", Outcome.NOT_STARTED)
    reconcile.tend(on, job, CONTINUE)
    on_road.over(on, job)
    counts = {name: len(lines) for name, lines in on_road.effects(tmp_path).items()}
    assert {counts["web-1"], counts["web-2"]} == {1}
    assert [e.phase for e in on.record.audit.entries()].count("settle") == 3
    assert on.record.audit.verify().ok


def test_the_worker_itself_does_not_go_on_from_a_short_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on = on_road.deck(tmp_path)
    job = paused_and_killed(on, tmp_path)
    settled_log = on.record.folder(job).events.read_bytes()
    reconcile.reconcile(on, job)
    on_road.over(on, job)
    spawn = launch.spawn

    def cut(at: JobFolder, *given: Any) -> None:
        at.events.write_bytes(settled_log)
        spawn(at, *given)

    with monkeypatch.context() as patch:
        patch.setattr(launch, "spawn", cut)
        reconcile.tend(on, job, CONTINUE, on_road.YES)
    view = on_road.over(on, job)
    assert (view.why, set(on_road.effects(tmp_path))) == (Ended.REFUSED, {"web-1"}), view.summary


def test_a_worker_killed_right_before_its_last_word_is_reconciled_as_ever(tmp_path: Path) -> None:
    on = on_road.deck(tmp_path)
    job = on_road.start(on, tmp_path)
    events = on_road.over(on, job).events
    keep(on.record.folder(job), events - 1)
    assert on.record.job(job).lost
    assert on_road.reconciled(on, job).outcome is Outcome.SUCCEEDED


def test_an_audit_of_before_still_holds(tmp_path: Path) -> None:
    on, _ = done(tmp_path, 99)
    on.record.audit.append("settle", actor="a", job="none", text="a line without a log")
    assert on.record.audit.verify().ok
    assert [e.records is msgspec.UNSET for e in on.record.audit.entries()] == [False, False, True]


def test_every_view_of_a_short_log_says_so(tmp_path: Path) -> None:
    on, job = done(tmp_path, 2)
    for command in (jobs.jobs, jobs.attach, jobs.left):
        assert f"WRONG  job {job}: its log holds 2 records" in cli(on, command, job).output, command.name


def test_every_view_of_an_edited_plan_says_so(tmp_path: Path) -> None:
    on, job = done(tmp_path, 99)
    assert cli(on, jobs.jobs).output.count("WRONG") == 0
    at = on.record.folder(job)
    plan = plans.decode(at.plan.read_bytes())
    other = msgspec.structs.replace(plan, title="Something harmless")
    at.plan.write_bytes(plans.encode(plans.sealed(other)))
    for command, words in ((jobs.jobs, ()), (jobs.jobs, (job,)), (jobs.attach, (job,)), (jobs.left, (job,))):
        assert f"WRONG  job {job}: {EDITED}" in cli(on, command, *words).output, (command.name, words)
    as_data = cli(on, jobs.jobs, job, "-o", "json").output
    assert EDITED in as_data[as_data.index("{") :]
    assert on.record.job(job).wrong == (EDITED,)


def test_what_is_known_to_run_is_not_settled_by_hand(tmp_path: Path) -> None:
    on = on_road.deck(tmp_path)
    job = on_road.start(on, tmp_path, script=("web-1=lost", "reconcile=running"), max_failures=3)
    view = on_road.over(on, job)
    assert view.in_doubt == ("web-1",)
    view = on_road.reconciled(on, job)
    assert view.targets["web-1"].still_running
    with pytest.raises(Refused, match="seen running"):
        reconcile.settle(on, job, "web-1", Outcome.SUCCEEDED, "it looks fine")
    assert on.record.job(job).in_doubt == ("web-1",)
