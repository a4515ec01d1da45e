"""What a job does is said in words everywhere, while it runs and for ever after."""

from __future__ import annotations

from pathlib import Path

import msgspec
from click.testing import CliRunner

from ondeck.job import plan as plans
from ondeck.job.plan import Action
from ondeck.observe.records import Change
from tests import road as on_road
from tests.tui.playing import playing
from tests.tui.stage import NOW, FakeSession, M, card, old_job
from tui.app.live.jobviews import job_look
from tui.app.session import Rules, Wish
from tui.cli import jobs
from tui.cli.face import Face, Globals


def drafted(operation: str, summary: str, subject: str = "checkout@prod") -> plans.Plan:
    session = FakeSession()
    spec = next(s for s in session.specs() if s.name == "service.rollback")
    plan = card(spec, Wish(operation=spec.name, subject="checkout@prod"), Rules(), spec.risk, session).plan
    request = msgspec.structs.replace(plan.request, operation=operation, subject=subject)
    return msgspec.structs.replace(
        plan, request=request, draft=msgspec.structs.replace(plan.draft, summary=summary)
    )


def test_work_is_the_verb_with_its_versions_or_its_command() -> None:
    back = drafted("service.rollback", "2.15.0 a7b8c9 -> 2.14.0 b7b8c9 (last good)")
    assert plans.work_of(back) == "rollback 2.15.0 -> 2.14.0, 3 hosts"
    run = drafted("host.exec", "df -h on 3 hosts", "name in (web-1,web-2,web-3)")
    assert plans.work_of(run) == "exec df -h, 3 hosts"
    again = drafted("service.restart", "restart checkout on 3 of 4 hosts")
    changes = tuple(msgspec.structs.replace(c, action=Action.RUN) for c in again.draft.changes)
    again = msgspec.structs.replace(again, draft=msgspec.structs.replace(again.draft, changes=changes))
    assert plans.work_of(again) == "restart checkout, 3 hosts"


def test_what_it_did_is_still_said_when_it_has_ended_and_is_in_audit_jobs_and_changes(tmp_path: Path) -> None:
    on = on_road.deck(tmp_path)
    view = on_road.over(on, on_road.start(on, tmp_path))
    look = job_look(view)
    assert (look.summary, look.deed, look.end) == ("touch 3 targets", "touch 3 targets", "")
    texts = [entry.text for entry in on.record.audit.entries() if entry.phase == "intent"]
    assert texts == ["touch 3 targets, 3 hosts"]
    assert [change.text for change in on.record.changes(0)] == ["touch 3 targets, 3 hosts"]
    face = Face(Globals())
    face.__dict__["deck"] = on
    assert "touch 3 targets" in CliRunner().invoke(jobs.jobs, [], obj=face).output


async def test_job_page_and_list_show_the_command_of_a_job_that_has_ended() -> None:
    session = FakeSession()
    job = msgspec.structs.replace(
        old_job(), operation="host.exec", subject="name in (web-1,web-2,web-3,web-4)",
        summary="systemctl restart nginx --no-block on 4 hosts", deed="exec systemctl restart nginx --no-block",
    )  # fmt: skip
    session.job_list = [job]
    async with playing(session) as play:
        await play.press("0")
        shown = await play.until("exec systemctl restart")
        assert "4 hosts@prod" in shown
        await play.press("enter")
        shown = await play.until("systemctl restart nginx --no-block on 4 hosts")
        assert "EXEC 4 hosts@prod" in shown


async def test_now_counts_the_changes_that_it_has_no_room_for_and_cuts_none_while_columns_are_free() -> None:
    session = FakeSession()
    text = "rollback 2.15.0 -> 2.14.0, 3 hosts"
    one = Change(
        time=0, env="prod", kind="rollback", subject="checkout@prod", text=text, who="anna", job="j-1"
    )
    changes = tuple(msgspec.structs.replace(one, time=NOW - n * M, text=f"{text} {n}") for n in range(1, 8))
    session.answers = [msgspec.structs.replace(session.answers[0], changes=changes)]
    async with playing(session) as play:
        await play.until("+2 more")
        assert f"{text} 1" in play.text


async def test_a_host_shows_the_deploys_of_its_services_and_describe_no_python() -> None:
    session = FakeSession()
    async with playing(session) as play:
        await play.press(":")
        await play.type("web-1")
        await play.press("enter")
        shown = await play.until("CHANGES")
        assert "2.14.0 -> 2.15.0" in shown
        await play.press("d")
        shown = await play.until("owner")
        assert "('" not in shown
