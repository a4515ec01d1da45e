"""What all panes share: the session, styles, keys, the zone shown, the time cursor, and a voice."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import TYPE_CHECKING, Any

from tui.app import phrases
from tui.app.roles import Roles
from tui.app.session import Session
from tui.app.views import Selected

if TYPE_CHECKING:
    from tui.app.dialogs.menu import Choice


def _silent(text: str, role: str) -> None:
    del text, role


def _nowhere(address: str) -> None:
    del address


def _undrawn() -> None:
    return None


def _unheard(work: Coroutine[Any, Any, None]) -> object:
    work.close()
    return None


async def _unasked(kind: str, value: str = "", words: str = "") -> str | None:
    del kind, value, words
    return None


async def _unchosen(title: str, choices: Sequence[Choice]) -> str | None:
    del title, choices
    return None


def _unwished(operation: str, subject: str, params: Mapping[str, Any]) -> None:
    del operation, subject, params


def _nothing(verb: str, chosen: Selected) -> None:
    del verb, chosen


@dataclass
class Desk:
    """Shared by the frame with every pane and dialog; panes read it, the frame writes it.

    Attributes:
        at: The time cursor, ns; 0 means now.
        say: Put a line at the bottom of the screen.
        open: Go to an address.
        redraw: Draw the view and the chrome again.
        spawn: Run a flow that waits.
        ask: Let the person type one line.
        operate: Plan the operation of a service with this verb.
        wish: Plan an operation on a named thing, with these parameters.
        choose: Let the person choose one line, by its key or with enter on it.
    """

    session: Session
    roles: Roles = field(default_factory=Roles)
    keymap: Mapping[str, str] = field(default_factory=dict)
    zone: tzinfo = UTC
    at: int = 0
    say: Callable[[str, str], None] = _silent
    open: Callable[[str], None] = _nowhere
    redraw: Callable[[], None] = _undrawn
    spawn: Callable[[Coroutine[Any, Any, None]], object] = _unheard
    ask: Callable[..., Awaitable[str | None]] = _unasked
    operate: Callable[[str, Selected], None] = _nothing
    wish: Callable[[str, str, Mapping[str, Any]], None] = _unwished
    choose: Callable[[str, Sequence[Choice]], Awaitable[str | None]] = _unchosen

    def clock(self, time: int) -> str:
        """`03:13:05` in the zone shown."""
        return phrases.clock(time, self.zone)

    def stamp(self, time: int) -> str:
        """`03:13:05 UTC`, where no clock stands above it."""
        return f"{phrases.clock(time, self.zone)} {phrases.zone_word(time, self.zone)}" if time else "?"

    def minute(self, time: int) -> str:
        """`03:13`, or with the day when it is not today."""
        return phrases.minute(time, self.session.now(), self.zone)

    def age(self, time: int) -> str:
        """How long ago."""
        return phrases.age(time, self.session.now())

    def env_role(self, env: str) -> str:
        """The role of an environment's name in a row: calm, the band stands on top of the screen."""
        return "bold" if self.env_band(env) == "prod" else ""

    def env_band(self, env: str) -> str:
        """The role of an environment's band, from the colour in the inventory."""
        found = self.session.inventory.environments.get(env)
        colour = found.colour if found else ""
        return {"red": "prod", "yellow": "stage"}.get(colour, "env")
