"""A bench for tests of the host operator: the given inventory, settings and one reach."""

from __future__ import annotations

from ondeck.errors import Missing
from ondeck.inventory.model import Inventory
from ondeck.reach.ports import Reach
from ondeck.secret import Secret
from ondeck.settings import Settings


class TestBench:
    """What the operator works with."""

    __test__ = False

    def __init__(self, inventory: Inventory, settings: Settings, reach: Reach) -> None:
        self._inventory = inventory
        self._settings = settings
        self._reach = reach

    @property
    def inventory(self) -> Inventory:
        return self._inventory

    @property
    def settings(self) -> Settings:
        return self._settings

    def reach(self, transport: str) -> Reach:
        return self._reach

    async def secret(self, reference: str) -> Secret:
        raise Missing(reference)

    def remembered(self, key: str) -> str:
        return ""


class Told:
    """An Emit that keeps what it was told."""

    def __init__(self) -> None:
        self.out = b""
        self.err = b""
        self.steps: list[str] = []

    def output(self, data: bytes, *, err: bool = False) -> None:
        if err:
            self.err += data
        else:
            self.out += data

    def step(self, text: str) -> None:
        self.steps.append(text)

    def moved(self, done: float, total: float, unit: str = "") -> None:
        self.steps.append(f"{done:g} of {total:g} {unit}")
