"""Copying says what it did, and inside tmux the text can be pasted from its buffer."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import pytest

from tests.tui.playing import playing


async def test_copy_says_where_it_was_sent_and_fills_the_buffer_of_tmux(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program in tmux's place writes down what it was given."""
    fake = tmp_path / "tmux"
    fake.write_text(
        f'#!/bin/sh\necho "$@" >{tmp_path}/argv\ncat >{tmp_path}/part\nmv {tmp_path}/part {tmp_path}/got\n'
    )
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("TMUX", "/nowhere,1,0")
    async with playing() as play:
        await play.press("2", "Y")
        await play.until("copy sent, prefix ] pastes: ondeck get hosts")
        for _ in range(1000):
            if (tmp_path / "got").exists():
                break
            await asyncio.sleep(0.02)
    assert (tmp_path / "got").read_text().startswith("ondeck get hosts")
    assert (tmp_path / "argv").read_text() == "load-buffer -\n"


async def test_copy_outside_of_tmux_promises_no_more_than_it_did(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TMUX", raising=False)
    async with playing() as play:
        await play.press("2", "Y")
        await play.until("copy sent: ondeck get hosts")


async def test_metrics_of_marked_hosts_shows_all_of_them_and_names_one_once() -> None:
    async with playing() as play:
        await play.press("2", "/")
        await play.type("web-")
        await play.press("enter", "space", "space", "m")
        shown = await play.until("2 hosts   web-1 cpu")
        assert "web-2" in shown
        await play.press(":")
        await play.type("metrics web-1")
        await play.press("enter")
        shown = await play.until("last 5 min")
        assert "web-1   web-1" not in shown


async def test_actions_on_a_service_page_offer_those_of_the_service_first() -> None:
    async with playing() as play:
        await play.press(":")
        await play.type("checkout@prod")
        await play.press("enter")
        await play.until("RELEASES")
        await play.press("j", "a")
        shown = await play.until("Run a command")
        assert shown.index("Deploy a release") < shown.index("Run a command")
