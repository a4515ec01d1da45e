"""References and credentials: asked when somebody opens `:creds`, and servers only when that was typed."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import Future

from ondeck.bench import Bench
from ondeck.deck import Deck
from ondeck.engine import Engine
from ondeck.operate import creds
from tui.app.views import CredsLook

EVERY = 60.0
"""Seconds until what is at hand is looked at again."""

ASKED_EVERY = 300.0
"""Seconds until servers, keyrings and commands are asked again: every such read is noted over there."""


class LiveCreds:
    """Belongs to the face's thread."""

    def __init__(self, deck: Deck, engine: Engine) -> None:
        self._deck = deck
        self._engine = engine
        self._known: dict[bool, CredsLook] = {}
        self._next: dict[bool, float] = {}
        self._asking: dict[bool, Future[CredsLook]] = {}

    def look(self, *, ask: bool) -> CredsLook:
        """What is known; asks when that is old."""
        if ask not in self._asking and time.monotonic() >= self._next.get(ask, 0.0):
            self._next[ask] = time.monotonic() + (ASKED_EVERY if ask else EVERY)
            self._asking[ask] = self._engine.call(lambda bench: self._ask(bench, ask))
        found = self._known.get(ask) or CredsLook()
        return CredsLook(
            asked=found.asked,
            asking=ask in self._asking,
            error=found.error,
            references=found.references,
            credentials=found.credentials,
        )

    async def _ask(self, bench: Bench, ask: bool) -> CredsLook:
        references, credentials = await asyncio.gather(
            asyncio.to_thread(creds.references, self._deck, ask=ask),
            creds.credentials(self._deck.registry, bench),
        )
        return CredsLook(asked=time.time_ns(), references=references, credentials=credentials)

    def drain(self) -> bool:
        """Take in answers."""
        ended = [ask for ask, future in self._asking.items() if future.done()]
        for ask in ended:
            try:
                self._known[ask] = self._asking.pop(ask).result()
            except Exception as error:  # noqa: BLE001 - whatever went wrong is the answer, by its kind alone
                self._known[ask] = CredsLook(asked=time.time_ns(), error=type(error).__name__)
        return bool(ended)
