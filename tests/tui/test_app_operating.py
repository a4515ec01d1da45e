from __future__ import annotations

import asyncio

from ondeck.errors import Unreachable
from ondeck.job.spec import Risk
from tests.tui.playing import playing
from tests.tui.stage import FakeSession
from tui.app.session import Rules


async def test_a_rollback_by_keyboard_alone_from_the_first_screen() -> None:
    async with playing() as play:
        await play.press("R")
        await play.until("to start:")
        await play.type("prod")
        await play.press("enter")
        shown = await play.until("JOB j-3")
        assert "ROLLBACK checkout@prod" in shown
        assert [assent.typed for _, assent in play.session.begun] == ["prod"]


async def test_keys_before_the_plan_is_drawn_count_for_nothing() -> None:
    session = FakeSession()
    session.rules = Rules(level="confirm")
    session.settings = type(session.settings)(
        state=session.settings.state,
        cache=session.settings.cache,
        config=session.settings.config,
        actor="anna",
    )
    async with playing(session) as play:
        await play.press("R")
        await play.until("keys count in a moment")
        await play.press("y", "enter", "y")
        assert not play.session.begun
        await play.until("starts it")
        await play.press("enter")
        assert not play.session.begun
        await play.press("y")
        await play.until("JOB j-3")


async def test_a_wrong_name_starts_nothing() -> None:
    async with playing() as play:
        await play.press("R")
        await play.until("to start:")
        await play.type("prdo")
        await play.press("enter")
        await play.until("that is not prod")
        assert not play.session.begun


async def test_esc_leaves_a_plan_and_nothing_ran() -> None:
    async with playing() as play:
        await play.press("R")
        await play.until("to start:")
        await play.press("escape")
        await play.until("left, nothing ran")
        assert not play.session.begun


async def test_a_pasted_name_is_not_taken() -> None:
    from textual import events

    async with playing() as play:
        await play.press("R")
        await play.until("to start:")
        play.app.screen.post_message(events.Paste("prod"))
        await play.until("pasted text is not taken")
        await play.press("enter")
        assert not play.session.begun


async def test_a_small_terminal_refuses_to_confirm() -> None:
    async with playing(size=(40, 12)) as play:
        await play.press("R")
        await play.until("too small to confirm")
        await play.type("prod")
        await play.press("enter")
        assert not play.session.begun


async def test_a_refused_plan_cannot_be_started() -> None:
    session = FakeSession()
    session.rules = Rules(level="confirm", refused="freeze until Mon 07:00: weekend")
    async with playing(session) as play:
        await play.press("R")
        await play.until("REFUSED")
        await play.press("y", "enter")
        assert not play.session.begun


async def test_breaking_the_glass_needs_a_reason() -> None:
    session = FakeSession()
    session.rules = Rules(
        level="two-person", refused="needs a second person", type_this="prod", break_glass=True
    )
    async with playing(session) as play:
        await play.press("R")
        await play.until("breaks the glass")
        await play.press("b")
        await play.until("alone, loudly")
        await play.type("prod")
        await play.press("enter")
        await play.until("needs a reason")
        assert not play.session.begun
        await play.press("tab")
        await play.type("p95")
        await play.press("enter", "enter")
        await play.until("JOB j-3")
        assert play.session.begun[0][1].break_glass


async def test_a_read_on_marked_hosts_runs_unasked_and_groups_equal_output() -> None:
    session = FakeSession()
    session.rules, session.risk = Rules(level="none"), Risk.READ
    async with playing(session) as play:
        await play.press("2", "space", "space", "x")
        await play.type("df -h")
        await play.press("enter")
        await play.until("JOB j-3")
        wish = play.session.planned[0]
        assert wish.hosts == ("web-1", "web-2")
        assert wish.params == {"argv": ("df", "-h")}


async def test_a_verb_on_the_command_line_opens_its_plan() -> None:
    async with playing() as play:
        await play.press(":")
        await play.type("rollback checkout@prod --to 2.14.0")
        await play.press("enter")
        await play.until("to start:")
        assert play.session.planned[0].params == {"to": "2.14.0"}


async def test_what_went_wrong_while_planning_is_said() -> None:
    session = FakeSession()
    session.trouble = Unreachable("web-1 timed out", hint="is it up?")
    async with playing(session) as play:
        await play.press("R")
        await play.until("web-1 timed out")


async def test_orders_to_a_job_reach_it_and_cancel_is_asked_for() -> None:
    async with playing() as play:
        await play.press("0", "enter", "c")
        await play.until("asked job j-2 to continue")
        await play.press("X")
        await play.press("y")
        await play.until("asked job j-2 to cancel: what runs finishes")
        assert [order[:2] for order in play.session.orders if order[0] != "refresh"][-2:] == [
            ("continue", "j-2"),
            ("cancel", "j-2"),
        ]


async def test_keys_typed_ahead_of_a_plan_reach_neither_pane_nor_plan() -> None:
    session = FakeSession()
    session.slow = asyncio.Event()
    async with playing(session) as play:
        await play.press("R")
        await play.until("looking first")
        await play.press("p", "r", "o", "d", "enter", "d", "2")
        session.slow.set()
        await play.until("to start:  _")
        assert not session.begun
        await play.press("escape")
        await play.until("FAILING")


async def test_esc_while_looking_leaves_and_plans_nothing() -> None:
    session = FakeSession()
    session.slow = asyncio.Event()
    async with playing(session) as play:
        await play.press("R")
        await play.until("looking first")
        await play.press("escape")
        await play.until("left, nothing ran")
        session.slow.set()
        await play.settle()
        assert not session.planned


async def test_keys_typed_right_behind_the_slash_belong_to_the_filter() -> None:
    async with playing() as play:
        await play.press("2")
        await play.pilot.press("slash", "d", "b", "enter")
        await play.settle()
        assert "db-1" in play.text
        assert "web-1" not in play.text


async def test_the_help_of_a_plan_opens_before_anything_is_typed_and_types_nothing() -> None:
    async with playing() as play:
        await play.press("R")
        await play.until("to start:")
        await play.press("?")
        await play.until("KEYS of this plan")
        await play.press("escape")
        await play.until("to start:  _")
        await play.type("prod")
        await play.press("enter")
        await play.until("JOB j-3")


async def test_a_y_inside_a_word_starts_nothing() -> None:
    session = FakeSession()
    session.rules = Rules(level="confirm")
    session.settings = type(session.settings)(
        state=session.settings.state, cache=session.settings.cache, config=session.settings.config, actor="anna"
    )  # fmt: skip
    async with playing(session) as play:
        await play.press("R")
        await play.until("y starts it; enter does not")
        await play.press("m", "y")
        await play.until("m does not start it")
        assert not play.session.begun
        await play.until("y starts it; enter does not")
        await play.press("y")
        await play.until("JOB j-3")


async def test_keys_of_a_plan_are_shown_from_the_start_and_so_is_the_place_in_it() -> None:
    async with playing(size=(80, 20)) as play:
        await play.press("R")
        shown = await play.until("to start:")
        assert "tab reason" in shown
        assert "f3 copy" in shown
        assert "more below" in shown
