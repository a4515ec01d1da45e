from __future__ import annotations

from pathlib import Path

import pytest
from textual import events

from ondeck.errors import BadInput
from tests.tui.payloads import PAYLOADS
from tests.tui.playing import Play, playing
from tests.tui.stage import FakeSession
from tui.app import bindings
from tui.app.views import Answer


async def test_history_goes_back_and_forward() -> None:
    async with playing() as play:
        await play.press("2", "3", "[")
        assert "Fleet*" in play.text
        await play.press("]")
        assert "Deploy*" in play.text
        await play.press("-")
        assert "Fleet*" in play.text


async def test_q_goes_back_and_on_the_last_screen_leaves_with_jobs_named() -> None:
    async with playing() as play:
        await play.press("enter")
        await play.until("HOSTS, worst first")
        await play.press("q")
        assert "FAILING" in play.text
        await play.press("q")
        assert play.app.parting.startswith("1 job goes on")


async def test_names_on_the_command_line_open_their_page() -> None:
    async with playing() as play:
        await play.press(":")
        await play.type("web-1")
        await play.press("enter")
        await play.until("FIGURES")


async def test_what_is_not_in_this_version_says_so() -> None:
    async with playing() as play:
        await play.press("6")
        await play.until("not in this version")


async def test_a_filter_stays_after_enter_and_goes_with_esc() -> None:
    async with playing() as play:
        await play.press("2", "/")
        await play.type("db")
        await play.press("enter")
        assert "web-1" not in play.text
        await play.press("escape")
        await play.until("web-1")


async def test_keys_can_be_remapped() -> None:
    async with playing(keymap={"pane.fleet": "f5"}) as play:
        await play.press("f5")
        assert "Fleet*" in play.text


def test_a_remap_of_an_unknown_action_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys.yml"
    path.write_text("pane.nope: f1\n")
    with pytest.raises(BadInput, match=r"pane\.nope"):
        bindings.read_keymap(path)


def test_one_key_for_two_actions_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys.yml"
    path.write_text("pane.now: '2'\n")
    with pytest.raises(BadInput, match="'2'"):
        bindings.read_keymap(path)


def test_no_default_key_is_a_prefix_of_tmux_or_screen() -> None:
    keys = {key for act in bindings.ALL for key in act.keys.split(",")}
    assert not keys & bindings.RESERVED


def test_every_action_has_its_own_id() -> None:
    assert len({act.id for act in bindings.ALL}) == len(bindings.ALL)


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
async def test_hostile_text_breaks_no_view(payload: str) -> None:
    session = FakeSession()
    session.answers.append(Answer(source=payload, error=payload))
    session.hosts["web-4"] = type(session.hosts["web-4"])(
        name="web-4", env="prod", health=session.hosts["web-4"].health, since=session.time, error=payload
    )
    async with playing(session) as play:
        for keys in ("1", "2", "3", "4", "5", "0"):
            await play.press(keys)
            assert "\x1b" not in "".join(s.text for s in play.app.screen._compositor.render_strips())


async def burst(play: Play, *keys: str) -> None:
    """Keys that arrive in one read, as on a slow link."""
    for key in keys:
        play.app.post_message(events.Key(key, key if len(key) == 1 else " " if key == "space" else None))
    await play.settle()


async def test_a_burst_of_keys_means_what_it_means_typed_slowly() -> None:
    async with playing() as play:
        await burst(play, "2", "slash", "d", "b", "enter", "space", "x", "d", "f", "enter")
        await play.until("reads only so far")
        wish = play.session.planned[0]
        assert wish.hosts == ("db-1",)
        assert wish.params == {"argv": ("df",)}


async def test_a_burst_into_the_palette_chooses_there() -> None:
    async with playing() as play:
        await burst(play, "ctrl+p", "d", "b", "enter")
        await play.until("orders-db@prod  ")
