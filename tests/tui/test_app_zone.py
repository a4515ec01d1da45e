"""`:tz`: every time on every screen is in the zone asked for, and the zone is named."""

from __future__ import annotations

import re

import pytest

from tests.tui.playing import Play, playing
from tests.tui.test_app_screens import VIEWS

IN_UTC = re.compile(r"\b0[23]:\d\d\b")
"""The made-up night is around 03:13 UTC, so 08:43 in Kolkata."""


async def zone(play: Play, name: str) -> None:
    await play.press(":")
    await play.type(f"tz {name}")
    await play.press("enter")


@pytest.mark.parametrize("name", VIEWS)
async def test_no_time_stays_in_utc_after_another_zone_was_asked_for(name: str) -> None:
    async with playing(size=(120, 40)) as play:
        await zone(play, "Asia/Kolkata")
        await play.until("times are in IST")
        await play.press(*VIEWS[name])
        await play.settle()
        assert IN_UTC.findall(play.text) == []
        assert "08:43:05 IST" in play.text.splitlines()[0]


async def test_log_lines_and_their_column_follow_the_zone_while_they_are_on_screen() -> None:
    async with playing() as play:
        await play.press("4")
        shown = await play.until("03:13:00.000 ERROR")
        assert " UTC          LEVEL SOURCE" in shown
        await zone(play, "Asia/Kolkata")
        shown = await play.until("08:43:00.000 ERROR")
        assert " IST          LEVEL SOURCE" in shown
        assert IN_UTC.findall(shown) == []
        await zone(play, "")
        await play.until("03:13:00.000 ERROR")


async def test_the_time_cursor_is_read_and_said_in_the_zone_shown() -> None:
    async with playing() as play:
        await zone(play, "Asia/Kolkata")
        await play.press("4", "t")
        await play.type("08:40")
        await play.press("enter")
        shown = await play.until("time cursor at 08:40:00 IST")
        assert "AT 08:40:00" in shown


@pytest.mark.parametrize("name", ["nonsense", "../../etc/passwd", "Europe", "Mars/Olympus"])
async def test_a_zone_that_is_none_is_said_and_changes_nothing(name: str) -> None:
    async with playing() as play:
        await zone(play, name)
        shown = await play.until(f"no time zone '{name}'")
        assert "UTC, local or a name such as Europe/Berlin" in shown
        assert "03:13:05 UTC" in shown
