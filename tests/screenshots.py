"""Pictures of every view and dialog at 80x24 and 160x48, into build/screenshots: `make screenshots`.

The made-up fleet shows what is rare (lost hosts, held jobs, refusals); the demo shows what is real. Each picture
is an SVG and the same screen as plain text. A machine that cannot run the demo gets the made-up fleet only, and
the reason is printed.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from ondeck.errors import Missing
from tests.tui.playing import Play, play_on, playing
from tests.tui.test_app_screens import DIALOGS, VIEWS

FOLDER = Path(__file__).parents[1] / "build" / "screenshots"
SIZES = ((80, 24), (160, 48))
NIGHT: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("now", (), "health fails"),
    ("now-first-staging", ("j",), "staging"),
    ("service", ("k", "enter"), "HOSTS, worst first"),
    ("fleet", ("2",), "web-3"),
    ("host", ("enter",), "FIGURES"),
    ("deploy", ("3",), "2.15.0"),
    ("logs", ("4",), "GET"),
    ("metrics", ("5",), "web-"),
    ("changes", (":", *"changes", "enter"), "ci#4411"),
    ("units", (":", *"units", "space", *"web-1", "enter"), "UNITS"),
    ("versions", ("1", "D"), "2.16.0"),
    ("plan", ("escape", "R"), "to start:"),
    ("job-running", (), "JOB "),
    ("job-ended", (), "SUCCEEDED"),
    ("jobs", ("0",), "succeeded"),
    ("record", ("@",), "rollback"),
    ("now-after", ("1",), "FAILING"),
    ("exec-job", ("2", "g", "space", "x", *"uptime", "enter"), "load average"),
)
"""Name, keys that lead there from the picture before, and what is awaited on the screen."""


def _keep(play: Play, name: str) -> None:
    width, height = play.app.size
    path = FOLDER / f"{name}-{width}x{height}"
    path.with_suffix(".svg").write_text(play.app.export_screenshot(title=name), encoding="utf-8")
    path.with_suffix(".txt").write_text(play.text + "\n", encoding="utf-8")


async def _stage(size: tuple[int, int]) -> int:
    scenes: dict[str, tuple[Sequence[str], str]] = {name: (keys, "") for name, keys in VIEWS.items()}
    scenes |= {f"dialog-{name}": found for name, found in DIALOGS.items()}
    for name, (keys, words) in scenes.items():
        async with playing(size=size) as play:
            await play.press(*keys)
            await play.until(words)
            await play.settle()
            _keep(play, f"stage-{name}")
    return len(scenes)


@asynccontextmanager
async def _live(size: tuple[int, int]) -> AsyncIterator[Play]:
    from lab.embedded.demo import start_demo
    from ondeck import settings
    from ondeck.deck import open_deck
    from tui.app.live.session import LiveSession

    with start_demo() as demo:
        os.environ.update(demo.environment)
        deck = open_deck(settings.load(inventory=demo.inventory))
        session = LiveSession(deck.inventory, deck.settings, lambda: deck)
        try:
            async with play_on(session, size=size) as play:
                yield play
        finally:
            session.close()


async def _demo(size: tuple[int, int]) -> int:
    count = 0
    async with _live(size) as play:
        for name, keys, words in NIGHT:
            await play.press(*keys)
            if name == "job-running":
                asked = re.search(r"type +(\S+) +to start", play.text)
                await play.press(*(asked[1] if asked else "y"), "enter")
            try:
                await play.until(words, turns=900)
            except AssertionError as error:
                sys.stderr.write(f"demo {name} at {size[0]}x{size[1]}: {str(error).splitlines()[0]}\n")
            await asyncio.sleep(1.0)
            await play.settle()
            _keep(play, f"demo-{name}")
            count += 1
    return count


async def draw(wanted: Sequence[str]) -> int:
    """Write every picture, or only `stage` or `demo`; how many."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    count = 0
    for size in SIZES:
        if not wanted or "stage" in wanted:
            count += await _stage(size)
        if not wanted or "demo" in wanted:
            try:
                count += await _demo(size)
            except Missing as error:
                sys.stderr.write(f"no pictures of the demo: {error.message}\n")
    return count


def main() -> int:
    """Draw; 0 when done."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["HOME"] = home
        count = asyncio.run(draw(sys.argv[1:]))
    sys.stdout.write(f"{count} pictures in {FOLDER}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
