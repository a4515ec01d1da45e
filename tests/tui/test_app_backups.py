"""Backups on the screen: what is lost, what is proven, what is not known; and the exact snapshot that a key means."""

from __future__ import annotations

import pytest

from tests.tui.backed_up import ORDERS, H, WithBackups
from tests.tui.playing import Play, playing
from tests.tui.stage import NOW

WIDE = (160, 48)


@pytest.mark.parametrize("size", [(80, 24), WIDE], ids=["80x24", "160x48"])
async def test_the_pane_and_its_pages_look_as_recorded(size: tuple[int, int]) -> None:
    async with playing(WithBackups(), size=size) as play:
        await play.press("8")
        await play.until("orders-db")
        await play.golden(f"backups-{size[0]}")
        await onto(play, "orders-db")
        await play.press("enter")
        await play.until("BACKUP orders-db")
        await play.golden(f"backup-{size[0]}")
        await play.press("enter")
        await play.until("orders.dump")
        await play.golden(f"snapshot-{size[0]}")


async def onto(play: Play, name: str) -> None:
    for _ in range(4):
        if any(line.startswith(f">{name}") for line in play.text.splitlines()):
            return
        await play.press("j")
    raise AssertionError(play.text)


async def test_what_is_bad_stands_first_and_what_cannot_be_asked_is_never_green() -> None:
    async with playing(WithBackups()) as play:
        await play.press("8")
        screen = await play.until("orders-db")
        rows = [line.strip(" >").split()[0:3] for line in screen.splitlines()[3:7]]
        assert rows == [
            ["wiki", "prod", "BAD"],
            ["media", "prod", "?"],
            ["young", "prod", "?"],
            ["orders-db", "prod", "ok"],
        ]
        assert "damaged: part 3/28" in screen
        assert "pid 4711 on web-1" in screen


async def test_the_time_cursor_chooses_the_newest_snapshot_before_it() -> None:
    async with playing(WithBackups()) as play:
        await play.press("8")
        await play.until("orders-db")
        await onto(play, "orders-db")
        await play.press("enter", "t", *"00:10", "enter")
        screen = await play.until("newest before")
        chosen = next(one for one in ORDERS if one.time < NOW - 3 * H - 3 * 60 * 10**9)
        assert f">{chosen.short}" in screen
        await play.press("H")
        await play.until("by hand")
        wish = play.session.planned[-1]
        assert (wish.operation, wish.subject, wish.params) == (
            "backup.hold",
            "orders-db",
            {"snapshots": (chosen.short,)},
        )


async def test_a_menu_means_the_snapshot_under_the_cursor() -> None:
    async with playing(WithBackups()) as play:
        await play.press("8")
        await play.until("orders-db")
        await onto(play, "orders-db")
        await play.press("enter", "j", "j", "a")
        await play.until(f"actions for orders-db, snapshot {ORDERS[2].short}")
        await play.press("R")
        await play.until("by hand")
        wish = play.session.planned[-1]
        assert (wish.operation, wish.params) == ("backup.restore", {"snapshot": ORDERS[2].short})


async def test_nothing_is_held_or_restored_while_nothing_is_known() -> None:
    session = WithBackups()
    session.known_answers.clear()
    async with playing(session) as play:
        await play.press("8")
        await play.until("orders-db")
        await play.press("R")
        await play.until("no snapshot is known")
        assert not play.session.planned
