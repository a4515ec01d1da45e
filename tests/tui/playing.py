"""Running the app in a test: its screen as plain text, and golden texts."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from tests.tui.stage import FakeSession
from tui.app.frame import OndeckApp

GOLDEN = Path(__file__).parent / "golden"
UPDATE = bool(os.environ.get("ONDECK_UPDATE_GOLDEN"))  # read now: tests run with a clean environment
_NAMES = {
    " ": "space", "@": "at", "-": "minus", "=": "equals_sign", ".": "full_stop", ":": "colon", "/": "slash",
    "?": "question_mark", "*": "asterisk", "&": "ampersand", "!": "exclamation_mark", "[": "left_square_bracket",
    "]": "right_square_bracket",
}  # fmt: skip


class Play:
    """A running app with its session."""

    def __init__(self, app: OndeckApp, session: FakeSession, pilot: Pilot[int]) -> None:
        self.app = app
        self.session = session
        self.pilot = pilot

    async def press(self, *keys: str) -> None:
        """Keys by name or by character."""
        for key in keys:
            await self.pilot.press(_NAMES.get(key, key))
            await self.settle()

    async def type(self, text: str) -> None:
        """A text, character by character."""
        await self.press(*text)

    async def settle(self) -> None:
        """Until what was asked for has been drawn."""
        for _ in range(3):
            await self.pilot.pause()

    async def until(self, words: str, *, turns: int = 1500) -> str:
        """Wait until the screen shows a text; the screen."""
        for _ in range(turns):
            shown = self.text
            if words in shown:
                return shown
            await self.pilot.pause(0.01)
        raise AssertionError(f"{words!r} is not on the screen:\n{self.text}")

    @property
    def text(self) -> str:
        """The screen as plain text."""
        return "\n".join(strip.text.rstrip() for strip in self.app.screen._compositor.render_strips())

    async def golden(self, name: str) -> None:
        """Compare the screen with a recorded one, once it came to rest; ONDECK_UPDATE_GOLDEN=1 records it."""
        path = GOLDEN / f"{name}.txt"
        if UPDATE:
            await self.rest()
            path.write_text(self.text + "\n", encoding="utf-8")
        wanted = path.read_text(encoding="utf-8")
        for _ in range(1500):
            if self.text + "\n" == wanted:
                return
            await self.pilot.pause(0.01)
        assert self.text + "\n" == wanted, f"{path.name} differs; look at it, then update"

    async def rest(self) -> None:
        """Until nothing on the screen changed for half a second."""
        before, still = "", 0
        while still < 50:
            await self.pilot.pause(0.01)
            shown = self.text
            still = still + 1 if shown == before else 0
            before = shown


@asynccontextmanager
async def playing(
    session: FakeSession | None = None,
    *,
    size: tuple[int, int] = (80, 24),
    keymap: dict[str, str] | None = None,
) -> AsyncIterator[Play]:
    """The app on a made-up fleet, first screen drawn."""
    found = session or FakeSession()
    async with play_on(found, size=size, keymap=keymap) as play:
        yield play


@asynccontextmanager
async def play_on(
    session: Any, *, size: tuple[int, int] = (80, 24), keymap: dict[str, str] | None = None
) -> AsyncIterator[Play]:
    """The app on any session."""
    app = OndeckApp(session, keymap=keymap, hertz=50.0)
    async with app.run_test(size=size) as pilot:
        play = Play(app, session, pilot)
        await play.until("? help")
        await play.settle()
        yield play
