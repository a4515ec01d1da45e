"""What a provider works with, whether it reads or changes: handed in, never looked up."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from ondeck.inventory.model import Inventory
from ondeck.reach.ports import Link, Reach
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

    async def link(self, host: str) -> Link:
        """An open link to a host of the inventory, shared with whoever else asks; the bench closes it.

        Raises:
            BadInput: The inventory has no such host.
            Missing: No installed provider carries its transport.
            Unreachable: It is not reached.
        """
        ...

    async def here(self) -> Link:
        """This machine as a link, for programs that run beside us; the bench closes it.

        Raises:
            Missing: The provider of the transport `local` is not installed.
        """
        ...

    async def secret(self, reference: str) -> Secret:
        """What a reference stands for (`vault:kv/x#password`); nobody is asked for it.

        In a job it was resolved before the first change, so it has to stand in `Draft.secrets`. In a face
        it is resolved now.

        Raises:
            Missing: It was not declared in the draft, or it is not to be had.
            BadInput: It is no reference.
        """
        ...

    def work_folder(self, *parts: str) -> Path:
        """A folder of this machine to work in, 0700 and kept between jobs, below `work` of the state folder.

        Raises:
            BadInput: A part is no plain name of a folder.
            StateBroken: It cannot be made, or others may enter it.
        """
        ...

    def remembered(self, key: str) -> str:
        """A fact the record keeps between jobs, e.g. `last-good checkout@prod`; empty when unknown."""
        ...
