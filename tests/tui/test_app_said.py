"""What is said at the bottom is said whole."""

from __future__ import annotations

from ondeck.errors import BadInput
from tests.tui.playing import playing
from tests.tui.stage import FakeSession
from tui.app.session import Card, Wish


async def test_a_message_longer_than_the_line_is_seen_to_its_end_with_its_hint() -> None:
    session = FakeSession()
    session.trouble = BadInput(
        "no release to go back to is known for checkout@prod: it runs 2.14.0, and nothing older is kept on it",
        hint="name a version: ondeck deploy checkout@prod VERSION",
    )
    async with playing(session) as play:
        await play.press("3", "R")
        await play.until("name a version")
        shown = " ".join(play.text.split())
        assert "and nothing older is kept on it name a version: ondeck deploy checkout@prod VERSION" in shown
        await play.press("j")
        await play.settle()
        assert play.text.splitlines()[-1] == ":"
        assert "? help" in play.text.splitlines()[-2]


async def test_a_flow_that_breaks_says_so_instead_of_ending_in_silence() -> None:
    session = FakeSession()

    async def broken(wish: Wish) -> Card:
        raise KeyError("web-9")

    session.plan = broken  # type: ignore[method-assign]
    async with playing(session) as play:
        await play.press("3", "R")
        await play.until("this broke in ondeck itself: KeyError: 'web-9'")
