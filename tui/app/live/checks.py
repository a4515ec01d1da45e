"""Declared checks: asked while somebody looks at Now or `:certs`, seldom, and never by logging in."""

from __future__ import annotations

import time
from concurrent.futures import Future

from ondeck.bench import Bench
from ondeck.capabilities import Capabilities
from ondeck.engine import Engine
from ondeck.inventory.model import Inventory
from ondeck.observe import checks
from ondeck.observe.checks import CheckLook

EVERY = 300.0
"""Seconds between two questions: a certificate does not change by itself."""


class LiveChecks:
    """Belongs to the face's thread; the answer comes as a future."""

    def __init__(self, inventory: Inventory, engine: Engine, able: Capabilities) -> None:
        self._engine = engine
        self._able = able
        self._next = 0.0
        self._asking: Future[list[CheckLook]] | None = None
        self._known = checks.declared(inventory)

    def looks(self) -> tuple[CheckLook, ...]:
        """What is known; asks again when it is old."""
        if self._known and self._asking is None and time.monotonic() >= self._next:
            self._next = time.monotonic() + EVERY

            async def ask(bench: Bench) -> list[CheckLook]:
                return await checks.look(self._able, bench)

            self._asking = self._engine.call(ask)
        return self._known

    def drain(self) -> bool:
        """Take in the answer."""
        if self._asking is None or not self._asking.done():
            return False
        self._known, self._asking = tuple(self._asking.result()), None
        return True
