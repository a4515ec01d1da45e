"""Opens the app: look at the terminal, read the inventory (from its cache), draw, and only then wait for things."""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING

from ondeck.settings import Settings
from tui.app import terminal, unlocking

if TYPE_CHECKING:
    from ondeck.deck import Deck


def open_app(settings: Settings) -> int:
    """Run the full screen to its end; the exit code.

    Raises:
        Missing: This is no terminal that can show it.
        BadInput: The terminal is too small, keys or inventory have problems.
        StateBroken: Our own state cannot be used.
    """
    gc.disable()  # it would walk every host again and again while the first frame is made
    conditions = terminal.sniff()
    terminal.check(conditions)
    terminal.set_environment(conditions)
    from ondeck.deck import open_deck, read_inventory
    from ondeck.record import folder

    inventory = read_inventory(settings)
    folder.ensure(settings.state)
    unlocking.ask_before_drawing(settings, inventory)
    from tui.app import theming
    from tui.app.bindings import read_keymap
    from tui.app.frame import OndeckApp
    from tui.app.live.session import LiveSession
    from tui.app.terminal_run import run_guarded

    keymap = read_keymap(settings.config / "keys.yml")
    themes = theming.load(settings.config, cache=settings.cache)

    def opened() -> Deck:
        """Called once the first frame is drawn: what was made for it stays as long as the app does."""
        gc.freeze()
        gc.enable()
        return open_deck(settings, inventory)

    session = LiveSession(inventory, settings, opened)
    app = OndeckApp(
        session, keymap=keymap, hertz=conditions.hz, themes=themes,
        theme=themes.chosen("", sixteen=conditions.sixteen),
    )  # fmt: skip
    app.ascii_only = conditions.ascii_only
    app.crash_folder = settings.state / "crashes"
    try:
        code = run_guarded(
            app, log=settings.state / "app.log", closing=session.close, ascii_only=conditions.ascii_only
        )
    finally:
        session.close()
    if app.parting:
        sys.stdout.write(app.parting + "\n")
    return code
