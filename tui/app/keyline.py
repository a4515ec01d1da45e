"""One key at a time: a key typed ahead is handed on only when the one before has done all that it does.

Textual hands each key to the widget that has the keyboard at that moment, and runs its binding later. On a
slow link keys come in bursts, and `/db` would send `d` to the table before `/` has opened the filter.
"""

from __future__ import annotations

import asyncio
from collections import deque

from textual import events
from textual.app import App
from textual.message import Message
from textual.message_pump import MessagePump

LONGEST = 1.0
"""Seconds after which a key counts as done although nothing said so: its widget has gone."""
LAPS = 3
"""Times a mark goes up behind a key: what the key posted (a submit, a flow's first step) is done before it."""
MOST = 2000
"""Keys that wait; more than that were not typed by a person."""


class Done(Message, namespace="keyline"):
    """Follows a key up through all widgets: when it reaches the app, so has the key."""

    def __init__(self, target: MessagePump, laps: int) -> None:
        super().__init__()
        self.target = target
        self.laps = laps


class OrderedKeys(App[int]):
    """An app that passes keys on in their order of meaning."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting_keys: deque[events.Key] = deque()
        self._fence: Done | None = None
        self._holds = 0
        self._overdue: asyncio.TimerHandle | None = None

    async def on_event(self, event: events.Event) -> None:
        """Keys from the terminal queue up here; everything else goes on as always."""
        if isinstance(event, events.Key) and not event.is_forwarded:
            if len(self._waiting_keys) < MOST:
                self._waiting_keys.append(event)
            await self._hand_on()
        else:
            await super().on_event(event)

    async def _hand_on(self) -> None:
        if self._fence is not None or self._holds or not self._waiting_keys:
            return
        key = self._waiting_keys.popleft()
        target = self.focused or self.screen
        self._fence = Done(target, LAPS)
        self._watch()
        self.key_comes()
        await super().on_event(key)
        self._send()

    def key_comes(self) -> None:
        """A key is about to be handed on."""

    def _send(self) -> None:
        fence = self._fence
        if fence is not None and not fence.target.post_message(fence):
            self._passed()

    def on_keyline_done(self, message: Done) -> None:
        """A key has done what it does."""
        message.stop()
        if message is not self._fence:
            return
        if message.laps > 1:
            self._fence = Done(message.target, message.laps - 1)
            self._send()
        else:
            self._passed()

    def hold_keys(self) -> None:
        """Let keys wait until `free_keys`: another view is being put on the screen."""
        self._holds = 1
        self._watch()

    def free_keys(self) -> None:
        """Keys go on."""
        self._holds = 0
        self._more()

    def _passed(self) -> None:
        self._fence = None
        self._more()

    def _watch(self) -> None:
        if self._overdue is not None:
            self._overdue.cancel()
        self._overdue = asyncio.get_running_loop().call_later(LONGEST, self._give_up)

    def _give_up(self) -> None:
        self._overdue = None
        self._fence = None
        self._holds = 0
        self._more()

    def _more(self) -> None:
        if self._fence is None and not self._holds and self._overdue is not None:
            self._overdue.cancel()
            self._overdue = None
        if self._waiting_keys:
            self.call_next(self._hand_on)
