from __future__ import annotations

import pytest

from tests.tui.playing import playing

WIDE = (160, 48)
VIEWS = {
    "now": (),
    "fleet": ("2",),
    "deploy": ("3",),
    "logs": ("4",),
    "metrics": ("5",),
    "jobs": ("0",),
    "service": ("enter",),
    "host": ("2", "enter"),
    "host-lost": ("2", "j", "j", "j", "enter"),
    "job": ("0", "enter"),
    "units": (":", *"units", "space", *"web-1", "enter"),
    "changes": (":", *"changes", "enter"),
    "locks": (":", *"locks", "enter"),
    "record": ("@",),
    "describe": ("d",),
}
DIALOGS = {
    "help": (("?",), "KEYS in Now"),
    "palette": (("ctrl+p",), "Roll back"),
    "actions": (("a",), "actions for"),
    "deploy-versions": (("D",), "enter chooses"),
    "plan": (("R",), "to start:"),
    "form": ((":", *"put", "space", *"web-1:/etc/motd", "enter"), "source"),
}


@pytest.mark.parametrize("size", [(80, 24), WIDE], ids=["80x24", "160x48"])
@pytest.mark.parametrize("name", VIEWS)
async def test_every_view_looks_as_recorded(name: str, size: tuple[int, int]) -> None:
    async with playing(size=size) as play:
        await play.press(*VIEWS[name])
        await play.settle()
        await play.golden(f"{name}-{size[0]}")


@pytest.mark.parametrize("size", [(80, 24), WIDE], ids=["80x24", "160x48"])
@pytest.mark.parametrize("name", DIALOGS)
async def test_every_dialog_looks_as_recorded(name: str, size: tuple[int, int]) -> None:
    keys, words = DIALOGS[name]
    async with playing(size=size) as play:
        await play.press(*keys)
        await play.until(words)
        await play.settle()
        await play.golden(f"dialog-{name}-{size[0]}")


async def test_nothing_is_wider_than_the_screen_at_any_width() -> None:
    for width in (60, 72, 80, 99, 100, 120):
        async with playing(size=(width, 24)) as play:
            for keys in VIEWS.values():
                await play.press("1", *keys)
                assert max(len(line) for line in play.text.splitlines()) <= width


async def test_a_lost_host_says_lost_and_is_never_ok() -> None:
    async with playing() as play:
        await play.press("2")
        shown = await play.until("web-4")
        line = next(line for line in shown.splitlines() if "web-4" in line)
        assert "LOST" in line
        assert " ok " not in line
        assert "?" in line


async def test_a_service_with_an_unknown_host_is_not_fully_known() -> None:
    async with playing() as play:
        shown = await play.until("checkout")
        assert "3+1?" in shown
        assert "4 of 4" not in shown
