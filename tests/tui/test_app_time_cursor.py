"""`t`: what panes show of another time, and what they cannot show of it."""

from __future__ import annotations

import pytest

from tests.tui.playing import Play, playing
from tests.tui.stage import NOW, FakeSession, M, S


async def at(play: Play, text: str) -> None:
    await play.press("t")
    await play.type(text)
    await play.press("enter")


async def test_lines_from_before_the_held_ones_are_asked_for_and_waited_for() -> None:
    session = FakeSession()
    async with playing(session) as play:
        await play.press("4")
        await play.until("all 120 lines")
        feed = session.feed
        await at(play, "02:40")
        await play.until("AT 02:40:00, nothing before 03:03:05")
        assert [word for word, time in feed.told if time] == ["reach"]
        assert dict(feed.told)["reach"] == NOW - 33 * M - 5 * S
        feed.asking = NOW - 34 * M
        session.dirty = True
        await play.until("AT 02:40:00  asking since 02:39:05")
        feed.store.clear()
        session.dirty = True
        await play.until("all 0 lines")
        session.answers = []
        session.feed._states = {}
        session.dirty = True
        await play.until("asking for lines since 02:39:05 UTC")


async def test_who_can_change_what_stays_on_a_small_screen_beside_the_time_cursor() -> None:
    async with playing() as play:
        await at(play, "02:40")
        shown = await play.until("AT 02:40:00 UTC")
        assert "inv a1b2c3d ok  2 keys" in shown.splitlines()[0]


async def test_a_key_goes_elsewhere_while_history_still_comes() -> None:
    session = FakeSession()
    async with playing(session) as play:
        await play.press("4")
        await play.until("all 120 lines")
        session.feed.asking = NOW
        await at(play, "03:12")
        await play.until("paused")
        await play.press("G")
        await play.until("following")
        session.dirty = True
        await play.settle()
        assert "following" in play.text


async def test_a_hidden_view_of_logs_is_parked_and_goes_on_when_it_is_shown_again() -> None:
    async with playing() as play:
        await play.press("4")
        await play.until("all 120 lines")
        await play.press("2")
        await play.until("web-4")
        assert play.session.feed.told == [("park", 0)]
        await play.press("minus")
        await play.until("all 120 lines")
        assert play.session.feed.told[-1] == ("resume", 0)


async def test_what_was_not_read_while_nobody_looked_is_a_line_at_its_time() -> None:
    async with playing() as play:
        play.session.feed.gaps = [(NOW - 5 * S, NOW)]
        await play.press("4")
        shown = await play.until("NOT READ until 03:13:05 UTC")
        assert "== 03:13:00.000 NOT READ" in shown


async def test_a_history_that_was_cut_says_so_and_goes_live_again() -> None:
    async with playing() as play:
        await play.press("4")
        await play.until("all 120 lines")
        play.session.feed.stopped = NOW - 5 * S
        play.session.dirty = True
        await play.until("CUT: a history ends after 120 lines; t goes on, G is live")
        await play.press("k", "G")
        await play.until("following")
        assert play.session.feed.stopped == 0


@pytest.mark.parametrize("keys", [("1",), ("2",), ("3",), ("0",), ("2", "enter"), ("3", "enter")])
async def test_a_view_without_history_says_that_its_figures_are_of_now(keys: tuple[str, ...]) -> None:
    async with playing() as play:
        await play.press(*keys)
        await at(play, "03:04")
        shown = await play.until("figures are now, not 03:04")
        assert "AT 03:04:00" in shown.splitlines()[0]
        await at(play, "")
        await play.settle()
        assert "figures are now" not in play.text


async def test_a_chart_of_a_time_at_which_nobody_looked_says_so() -> None:
    async with playing() as play:
        await play.press("5")
        await at(play, "01:00")
        shown = await play.until("nothing measured from 00:57:30 to 01:02:30")
        assert "list is now, chart 01:00" in shown
