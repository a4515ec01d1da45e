"""The plan dialog before the confirm: everything that is said can be seen, and what is typed is answered."""

from __future__ import annotations

import msgspec
import pytest

from ondeck.job.plan import Action
from tests.tui.playing import Play, playing
from tests.tui.stage import FakeSession
from tui.app import commands
from tui.app.session import Card, Rules, Wish


class Nothing(FakeSession):
    """Everything is so already."""

    async def plan(self, wish: Wish) -> Card:
        found = await super().plan(wish)
        changes = tuple(msgspec.structs.replace(c, action=Action.NO_OP) for c in found.plan.draft.changes)
        draft = msgspec.structs.replace(found.plan.draft, changes=changes)
        return msgspec.structs.replace(found, plan=msgspec.structs.replace(found.plan, draft=draft))


async def opened(play: Play) -> None:
    await play.press("R")
    await play.until("type  prod  to start")


async def test_f2_brings_the_exact_commands_into_sight() -> None:
    async with playing() as play:
        await opened(play)
        await play.press("f2")
        await play.until("ln -sfn releases/2.14.0 current")
        await play.press("f2")
        await play.until("ROLLBACK checkout@prod")


async def test_enter_on_an_empty_name_says_what_to_type() -> None:
    async with playing() as play:
        await opened(play)
        await play.press("enter")
        await play.until("type prod, then enter")
        assert play.session.begun == []


async def test_the_line_to_run_by_hand_has_the_reason_that_was_typed() -> None:
    async with playing() as play:
        await opened(play)
        await play.press("tab")
        await play.type("p95 up")
        await play.press("enter")
        await play.until("ondeck rollback checkout@prod --reason 'p95 up'")


async def test_a_plan_that_changes_nothing_says_so_first() -> None:
    async with playing(Nothing()) as play:
        await play.press("R")
        shown = await play.until("NOTHING WOULD CHANGE")
        assert "undo     nothing to take back" in shown


async def test_rules_that_are_too_long_for_the_line_carry_a_mark() -> None:
    session = FakeSession()
    session.rules = Rules(level="type-name", type_this="prod", why=("rollback in prod " * 9,))
    async with playing(session) as play:
        await opened(play)
        line = next(line for line in play.text.splitlines() if line.strip().startswith("rollback in prod"))
        assert line.rstrip().endswith("~")


@pytest.mark.parametrize(
    ("line", "reason", "wanted"),
    [
        ("ondeck exec -l x=1 -- df --reason x", "why", "ondeck exec -l x=1 --reason why -- df --reason x"),
        ("ondeck restart a@b --reason old", "a new one", "ondeck restart a@b --reason 'a new one'"),
        ("ondeck restart a@b --reason old", "", "ondeck restart a@b"),
    ],
)  # fmt: skip
def test_a_reason_stands_before_the_command_and_once(line: str, reason: str, wanted: str) -> None:
    assert commands.with_reason(line, reason) == wanted
