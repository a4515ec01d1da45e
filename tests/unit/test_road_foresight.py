"""A plan says what our own record knows of it: a lock that is held, a release that was taken back."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from ondeck.job import plan
from ondeck.job.events import Ask, What
from ondeck.job.outcome import JobState, Outcome
from ondeck.job.plan import Action, Batch, Change, Draft, Plan, Request, RolloutPlan
from ondeck.job.spec import Risk
from ondeck.operate import foresight
from ondeck.record.view import JobView, empty
from tests import road as on_road
from tui.cli import plan_view


def of(verb: str, before: str, after: str, action: Action = Action.UPDATE) -> Plan:
    change = Change(
        action=action, target="web-1", address="checkout", before=f"{before} a7", after=f"{after} b8"
    )
    draft = Draft(
        summary=f"{before} -> {after}", risk=Risk.CHANGE, changes=(change,), lock_key="checkout@prod",
        rollout=RolloutPlan(batches=(Batch(targets=("web-1",)),)), undo="ondeck rollback checkout@prod",
    )  # fmt: skip
    request = Request(operation=f"service.{verb}", subject="checkout@prod", targets=("web-1",), env="prod")
    return Plan(
        id="p", request=request, title="t", provider="release", draft=draft, inventory="", policy="", made=0
    )


def job(verb: str, before: str, after: str, outcome: Outcome = Outcome.SUCCEEDED) -> JobView:
    view = empty(f"j-{verb}", of(verb, before, after), "", actor="anna", reason="p95", made=time.time_ns())
    view.outcome = outcome
    return view


def warned(*jobs: JobView, verb: str = "deploy") -> tuple[str, ...]:
    wanted = of(verb, "2.14.0", "2.15.0")
    return foresight.rolled_back(jobs, wanted.request, wanted.draft)


def test_a_release_that_was_rolled_back_from_lately_is_warned_of() -> None:
    back = job("rollback", "2.15.0", "2.14.0")
    (said,) = warned(back)
    assert said.startswith("2.15.0 was rolled back ")
    assert said.endswith("by anna, job j-rollback: p95")
    assert warned(job("deploy", "2.14.0", "2.15.0"), back) == (), "it ran well since"
    assert warned(job("deploy", "2.14.0", "2.15.0", Outcome.FAILED), back) == (said,)
    assert warned(back, verb="rollback") == ()
    old = job("rollback", "2.15.0", "2.14.0")
    old.made -= 8 * 86_400 * 10**9
    assert warned(old) == ()


def test_a_held_lock_is_in_the_checklist_before_anybody_confirms(tmp_path: Path) -> None:
    on = on_road.deck(tmp_path)
    first = on_road.start(on, tmp_path, lock="x@lab", batches="1,2", gate=True, script=("gate0=none",))
    on_road.wait_for(on, first, lambda v: v.state is JobState.PAUSED)
    drafted = on_road.drafted(on, tmp_path, lock="x@lab")
    row = drafted.plan.draft.preflight[0]
    assert (row.name, row.bad) == ("lock is free", 1)
    assert "held by anna since " in row.note
    assert f"job {first}: a test" in row.note
    on.record.ask(first, Ask(what=What.CANCEL, by="anna"))
    on_road.over(on, first)
    assert all(
        r.name != "lock is free" for r in on_road.drafted(on, tmp_path, lock="x@lab").plan.draft.preflight
    )


def test_a_plan_that_changes_nothing_says_so_first_and_offers_no_way_back() -> None:
    same = of("deploy", "2.15.0", "2.15.0", Action.NO_OP)
    lines = list(plan_view.lines(same, "d" * 64))
    assert "NOTHING WOULD CHANGE" in lines[1]
    assert lines[-1] == "  undo: nothing to take back"
    assert plan.undo_of(same, "j-1") == ""
    other = msgspec.structs.replace(same, draft=of("deploy", "2.14.0", "2.15.0").draft)
    assert not any("NOTHING" in line for line in plan_view.lines(other, "d" * 64))
