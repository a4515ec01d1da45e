"""What the app asks of jobs: exactly what its words say, over the same road as the command line."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ondeck.job.events import Ask, What
from ondeck.job.outcome import JobState, Outcome, WaitingFor
from ondeck.operate import reconcile
from tests import road as on_road
from tests.tui.playing import playing
from tui.app.frame import OndeckApp
from tui.app.live.road import LiveRoad
from tui.app.session import Assent, Rules


def orders(play: Any) -> list[tuple[str, ...]]:
    return [(order[0], order[5]) for order in play.session.orders if order[0] not in ("refresh", "changes")]


async def test_cancel_with_y_lets_what_runs_finish() -> None:
    async with playing() as play:
        await play.press("0", "enter", "X")
        await play.until("1 never starts")
        await play.press("7", "y")
        await play.until("what runs finishes, nothing new starts")
        assert orders(play) == [("cancel", "")]


async def test_cancel_with_s_stops_what_runs_too() -> None:
    async with playing() as play:
        job = play.session.job_list[1]
        runs = tuple(msgspec.structs.replace(target, started=1) for target in job.targets)
        play.session.job_list = [msgspec.structs.replace(job, targets=runs)]
        await play.press("0", "enter", "X")
        await play.until("stop the 1 that runs too")
        await play.press("s")
        await play.until("what runs is stopped too")
        assert orders(play) == [("cancel", "hard")]


async def test_anything_else_cancels_nothing() -> None:
    async with playing() as play:
        await play.press("0", "enter", "X", "q")
        await play.until("not cancelled")
        await play.press("X", "enter")
        await play.until("not cancelled")
        assert orders(play) == []


def live(on: Any, notes: list[str]) -> LiveRoad:
    return LiveRoad(on, None, lambda what, command, result: notes.append(command))  # type: ignore[arg-type]


async def test_a_hard_cancel_reaches_the_worker_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on = on_road.deck(tmp_path)
    sent: list[Ask] = []
    monkeypatch.setattr(reconcile, "tend", lambda deck, job, ask, _: sent.append(ask) or "1")
    notes: list[str] = []
    assert "stopped too" in await live(on, notes).order("j-1", "cancel", hard=True)
    assert "finishes" in await live(on, notes).order("j-1", "cancel")
    assert [ask.hard for ask in sent] == [True, False]
    assert notes == ["ondeck cancel j-1 --now", "ondeck cancel j-1"]


async def test_continue_in_the_app_lends_the_agent_to_a_job_that_waits_for_credentials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on = on_road.deck(tmp_path)
    job = await asyncio.to_thread(on_road.start, on, tmp_path, batches="1,2", script=("web-2=auth",))
    on_road.wait_for(on, job, lambda v: v.waiting_for is WaitingFor.CREDENTIALS)
    (tmp_path / "effects" / "lent").touch()
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/agent")
    notes: list[str] = []
    assert await live(on, notes).order(job, "continue") == f"lent job {job} the agent of this terminal"
    assert notes == [f"ondeck attach {job}"]
    assert on_road.over(on, job).outcome is Outcome.SUCCEEDED


def test_continue_without_an_agent_stays_a_continue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on = on_road.deck(tmp_path)
    job = on_road.start(on, tmp_path, batches="1,2", script=("web-1=fail",))
    on_road.wait_for(on, job, lambda v: v.state is JobState.PAUSED)
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/agent")
    asked = Ask(what=What.CONTINUE, by="anna")
    assert reconcile.as_meant(on, job, asked) is asked
    reconcile.tend(on, job, Ask(what=What.CANCEL, by="anna"))
    on_road.over(on, job)


async def test_the_timer_may_begin_before_the_screen_stands() -> None:
    from tests.tui.stage import FakeSession

    class Hasty(OndeckApp):
        def get_default_screen(self) -> Any:
            found = super().get_default_screen()
            self.deck_screen.tick()
            return found

    app = Hasty(FakeSession())  # type: ignore[arg-type]
    app.deck_screen.tick()
    async with app.run_test(size=(80, 24)):
        assert app.deck_screen.view.name_of == "now"


def ended_with_rest() -> Any:
    from tests.tui.stage import old_job

    job = old_job()
    first, *others = job.targets
    rest = msgspec.structs.replace(first, outcome="not_started")
    return msgspec.structs.replace(job, targets=(rest, *others), state="ended")


async def test_continue_of_an_ended_job_of_somebody_else_wants_the_name_typed() -> None:
    async with playing() as play:
        play.session.job_list = [ended_with_rest()]
        play.session.again = Rules(level="type-name", type_this="prod", why=("it was bob who started it",))
        await play.press("0", "enter", "c")
        await play.until("it was bob who started it")
        await play.until("type prod to go on: ")
        await play.type("prod")
        await play.press("enter")
        await play.until("asked job")
        assert [o for o in orders(play) if o[0] == "continue"] == [("continue", "")]
        assert play.session.assents == [Assent(typed="prod")]


async def test_a_wrong_word_is_said_and_the_line_stays_open_until_it_is_right_or_left() -> None:
    async with playing() as play:
        play.session.job_list = [ended_with_rest()]
        why = "would go on to 2 targets: 1 failed, more than 0 may (web-1 failed)"
        play.session.again = Rules(level="type-name", type_this="prod", why=(why,))
        await play.press("0", "enter", "c")
        assert why in await play.until("type prod to go on: ")
        await play.press("y", "enter")
        await play.until("that is not prod: type prod to go on")
        assert play.app.deck_screen.prompt.is_open
        await play.press("escape")
        await play.until("it does not go on")
        assert play.session.assents == []


async def test_settle_of_a_gate_that_nobody_knows_asks_for_the_gate() -> None:
    async with playing() as play:
        job = msgspec.structs.replace(play.session.job_list[0], state="ended", outcome="unknown")
        targets = tuple(msgspec.structs.replace(t, outcome="succeeded") for t in job.targets)
        play.session.job_list = [msgspec.structs.replace(job, targets=targets)]
        await play.press("0", "enter", "S")
        await play.until("the last gate:")
        await play.type("passed")
        await play.press("enter")
        await play.until("the reason is kept")
        await play.type("looked")
        await play.press("enter")
        await play.until("settled the last gate")
        assert [o[:5] for o in play.session.orders if o[0] == "settle"] == [
            ("settle", job.id, "", "succeeded", "looked")
        ]


@pytest.mark.parametrize(
    ("rules", "typed"), [(Rules(level="type-name", type_this="prod"), "prod"), (Rules(), "y")]
)
async def test_continue_of_a_paused_job_says_what_happened_and_asks(rules: Rules, typed: str) -> None:
    async with playing() as play:
        why = "would go on to 2 targets: 1 failed, more than 0 may (web-1 failed)"
        play.session.again = msgspec.structs.replace(rules, why=(why,), pause=7)
        await play.press("0", "enter", "c")
        await play.until(why)
        assert orders(play) == []
        await play.type(typed)
        await play.press("enter")
        await play.until("asked job")
        assert orders(play) == [("continue", "")]
        assert play.session.assents == [Assent(typed=rules.type_this, pause=7)]
