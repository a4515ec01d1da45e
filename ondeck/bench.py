"""What a provider works with, whether it reads or changes: handed in, never looked up."""

from __future__ import annotations

from typing import Protocol

from ondeck.inventory.model import Inventory
from ondeck.reach.ports import Reach
from ondeck.secret import Secret
from ondeck.settings import Settings


class Bench(Protocol):
    """What a provider works with: handed in, never looked up."""

    @property
    def inventory(self) -> Inventory:
        """The inventory as the job or the face knows it."""
        ...

    @property
    def settings(self) -> Settings:
        """Settings of this process."""
        ...

    def reach(self, transport: str) -> Reach:
        """The reach of a transport (`host.transport`), one object for the whole process.

        Raises:
            Missing: No installed provider carries it.
        """
        ...

    def secret(self, reference: str) -> Secret:
        """A secret that was resolved before the first change.

        Raises:
            Missing: It was not declared in the draft.
        """
        ...

    def remembered(self, key: str) -> str:
        """A fact the record keeps between jobs, e.g. `last-good checkout@prod`; empty when unknown."""
        ...
