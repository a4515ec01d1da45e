"""The hint line: keys that do something now, and no others."""

from __future__ import annotations

import msgspec
import pytest

from tests.tui.playing import Play, playing
from tests.tui.stage import FakeSession, held_job, old_job
from tui.app.views import TargetLook

WIDE = (160, 30)
ENDED = ("p pause", "c continue", "X cancel", "r reconcile", "S settle")


def hints(play: Play) -> str:
    return play.text.splitlines()[-2]


async def opened(play: Play, address: str) -> None:
    await play.press(":")
    await play.type(address)
    await play.press("enter")
    await play.until(f"JOB {address}")


async def test_a_job_that_has_ended_offers_nothing_that_is_over() -> None:
    async with playing(size=WIDE) as play:
        await opened(play, "j-1")
        for words in ENDED:
            assert words not in hints(play)
        assert "R roll back" in hints(play)


async def test_a_paused_job_can_go_on_or_be_cancelled_and_not_paused_again() -> None:
    async with playing(size=WIDE) as play:
        await opened(play, "j-2")
        assert "c continue  X cancel" in hints(play)
        assert "p pause" not in hints(play)
        assert "r reconcile" not in hints(play)


async def test_hints_of_a_job_follow_it_while_it_is_on_screen() -> None:
    session = FakeSession()
    session.job_list = [msgspec.structs.replace(held_job(), state="running", waiting="")]
    async with playing(session, size=WIDE) as play:
        await opened(play, "j-2")
        assert "p pause  X cancel" in hints(play)
        lost = TargetLook(name="db-1", outcome="unknown")
        session.job_list = [
            msgspec.structs.replace(session.job_list[0], state="ended", outcome="unknown", targets=(lost,))
        ]
        session.dirty = True
        await play.until("r reconcile  S settle")
        assert "X cancel" not in hints(play)


async def test_the_list_of_jobs_offers_what_the_job_under_the_cursor_can_take() -> None:
    session = FakeSession()
    session.job_list = [held_job(), old_job()]
    async with playing(session, size=WIDE) as play:
        await play.press("0")
        await play.until("c continue  X cancel")
        await play.press("j")
        assert "X cancel" not in hints(play)
        assert "enter open" in hints(play)


async def test_a_read_only_session_offers_no_changes() -> None:
    async with playing(FakeSession(read_only=True), size=WIDE) as play:
        await play.press("3")
        await play.until("READ-ONLY")
        assert "deploy" not in hints(play)
        assert "roll back" not in hints(play)


async def test_a_shell_is_offered_where_one_host_is_meant() -> None:
    async with playing(size=WIDE) as play:
        await play.press("2")
        await play.until("s shell")
        await play.press("3")
        await play.until("D deploy")
        assert "s shell" not in hints(play)


@pytest.mark.parametrize("keys", [(":", *"record", "enter"), (":", *"units", "enter")])
async def test_nothing_to_copy_means_no_key_to_copy(keys: tuple[str, ...]) -> None:
    async with playing(size=WIDE) as play:
        await play.press(*keys)
        await play.until("esc back")
        assert "y copy" not in hints(play)


async def test_logs_offer_matches_once_something_is_looked_for_and_live_once_paused() -> None:
    async with playing() as play:
        await play.press("4")
        await play.until("all 120 lines")
        assert "n next" not in hints(play)
        assert "G live" not in hints(play)
        await play.press("/")
        await play.type("circuit")
        await play.press("enter")
        await play.until("match 24 of 24")
        assert "n next" in hints(play)
        assert "G live" in hints(play)


async def test_on_the_page_of_a_host_a_shell_and_a_command_mean_that_host_alone() -> None:
    async with playing(size=WIDE) as play:
        await play.press("2", "enter")
        await play.until("s shell  x run")
        assert play.app.deck_screen.view.selected().name == "checkout@prod"
        await play.press("x")
        await play.until("run on web-1: web-1")


@pytest.mark.parametrize("size", [(80, 24), WIDE])
async def test_the_line_of_a_command_says_that_no_shell_reads_it(size: tuple[int, int]) -> None:
    async with playing(size=size) as play:
        await play.press("2", "x")
        shown = await play.until("no shell: ; | && are words; sh -c '...' for one   esc")
        assert "run on web-1" in shown


async def test_marked_hosts_are_for_running_a_command_so_its_key_stands_first() -> None:
    async with playing() as play:
        await play.press("2", "space", "space")
        await play.until("2 marked")
        assert hints(play).startswith(" x run")
        await play.press("t")
        await play.type("02:40")
        await play.press("enter")
        await play.until("figures are now")
        assert hints(play).startswith(" x run")


async def test_now_says_that_its_rows_are_not_those_of_the_time_cursor() -> None:
    async with playing() as play:
        await play.press("t")
        await play.type("02:40")
        await play.press("enter")
        await play.until("AT 02:40")
        assert "figures are now, not 02:40" in hints(play)
