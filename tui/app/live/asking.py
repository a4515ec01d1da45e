"""Questions to hosts that are asked once when somebody looks: units, and what changed lately."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from typing import Any, TypeAlias

from ondeck.bench import Bench
from ondeck.capabilities import Capabilities
from ondeck.engine import Engine
from ondeck.errors import OndeckError
from ondeck.inventory.model import Host, Inventory
from ondeck.observe.history import EveryChange, ask_changes
from ondeck.observe.ports import UnitReader
from ondeck.observe.records import Asked
from tui.app.views import Answer, UnitsLook

UNITS_FOR = 15.0
CHANGES_FOR = 120.0
AT_ONCE = 8
DAY = 86_400_000_000_000
Question: TypeAlias = Callable[[Bench], Coroutine[Any, Any, Asked]]


class LiveQuestions:
    """Belongs to the face's thread."""

    def __init__(self, inventory: Inventory, engine: Engine, capabilities: Capabilities) -> None:
        self._inventory = inventory
        self._engine = engine
        self._capabilities = capabilities
        self._units: dict[str, UnitsLook] = {}
        self._asking: dict[tuple[str, str], Future[Asked]] = {}
        self._asked: dict[tuple[str, str], float] = {}
        self._wanted: list[str] = []
        self.answers: dict[str, Answer] = {}

    def units(self, host: str) -> UnitsLook:
        """What is known; asks again when it is old."""
        key = ("units", host)
        if key not in self._asking and time.monotonic() - self._asked.get(key, -1e9) > UNITS_FOR:
            self._ask("units", host)
        found = self._units.get(host) or UnitsLook(host=host)
        asking = key in self._asking
        return found if found.asking == asking else _with(found, asking=asking)

    def want_changes(self, hosts: Sequence[str]) -> None:
        """Ask these hosts what changed, a few at a time."""
        now = time.monotonic()
        for name in hosts[:40]:
            if now - self._asked.get(("changes", name), -1e9) > CHANGES_FOR and name not in self._wanted:
                self._wanted.append(name)
        self._next()

    def _next(self) -> None:
        busy = sum(1 for kind, _ in self._asking if kind == "changes")
        while self._wanted and busy < AT_ONCE:
            self._ask("changes", self._wanted.pop(0))
            busy += 1

    def _ask(self, kind: str, name: str) -> None:
        host = self._inventory.hosts.get(name)
        if host is None:
            return
        self._asked[(kind, name)] = time.monotonic()
        try:
            ask = self._units_of(host) if kind == "units" else self._changes_of(host)
        except OndeckError as error:
            self._take(kind, name, Asked(source=name, error=error.message))
            return
        self._asking[(kind, name)] = self._engine.call(ask)

    def _units_of(self, host: Host) -> Question:
        reader: UnitReader = self._capabilities.host("units")
        return lambda bench: reader.units(host, bench)

    def _changes_of(self, host: Host) -> Question:
        reader = EveryChange(self._capabilities.every("changes"))
        since = time.time_ns() - DAY
        return lambda bench: ask_changes(bench, reader, host, since)

    def drain(self) -> bool:
        """Take in answers."""
        ended = [key for key, future in self._asking.items() if future.done()]
        for key in ended:
            kind, name = key
            try:
                found = self._asking.pop(key).result()
            except Exception as error:  # noqa: BLE001 - whatever went wrong is the answer of that host
                words = (
                    error.message if isinstance(error, OndeckError) else f"{type(error).__name__}: {error}"
                )
                found = Asked(source=name, error=words)
            self._take(kind, name, found)
        self._next()
        return bool(ended)

    def _take(self, kind: str, name: str, found: Asked) -> None:
        if kind == "units":
            self._units[name] = UnitsLook(
                host=name, asked=time.time_ns(), error=found.error, units=found.units
            )
        else:
            self.answers[name] = Answer(source=name, error=found.error, changes=found.changes)


def _with(look: UnitsLook, *, asking: bool) -> UnitsLook:
    return UnitsLook(host=look.host, asked=look.asked, asking=asking, error=look.error, units=look.units)
