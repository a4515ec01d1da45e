"""What a provider works with, made by the road: one for faces, one for workers."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ondeck.errors import BadInput, Missing
from ondeck.inventory.model import Host, Inventory
from ondeck.operate.secrets import resolve
from ondeck.reach.ports import Link, Reach
from ondeck.record import folder
from ondeck.registry import Registry
from ondeck.secret import Secret
from ondeck.settings import Settings

if TYPE_CHECKING:
    from ondeck.deck import Deck
    from ondeck.record.store import Record

_PART = re.compile(r"[A-Za-z0-9@_][A-Za-z0-9@._-]{0,119}\Z")


HERE = Host(name="this-machine", env="", transport="local")
"""The machine that ondeck runs on; no host of the inventory, so nothing is operated on it by name."""


class WorkBench:
    """The bench of one process; it owns the reaches it opened."""

    def __init__(
        self,
        inventory: Inventory,
        registry: Registry,
        record: Record,
        settings: Settings,
        secrets: Mapping[str, Secret],
    ) -> None:
        self._inventory = inventory
        self._registry = registry
        self._record = record
        self._settings = settings
        self._secrets = secrets
        self._reaches: dict[str, Reach] = {}
        self._links: dict[str, Link] = {}

    @property
    def inventory(self) -> Inventory:
        """The inventory as this process knows it."""
        return self._inventory

    @property
    def settings(self) -> Settings:
        """Settings of this process."""
        return self._settings

    def reach(self, transport: str) -> Reach:
        """The reach of a transport, one for the whole process.

        Raises:
            Missing: No installed provider carries it.
        """
        if transport not in self._reaches:
            manifest = self._registry.serving("host.transport", transport)
            carrier = self._registry.load(manifest.name, "reach")
            self._reaches[transport] = carrier.open(self._inventory, self._settings)
        return self._reaches[transport]

    async def link(self, host: str) -> Link:
        """An open link to a host, shared; one that ended is made again.

        Raises:
            BadInput: The inventory has no such host.
            Missing: No installed provider carries its transport.
            Unreachable: It is not reached.
        """
        if host not in self._inventory.hosts:
            raise BadInput(f"no host {host!r} in the inventory", hint="ondeck get hosts")
        return await self._link(host, self._inventory.hosts[host])

    async def here(self) -> Link:
        """This machine as a link.

        Raises:
            Missing: The provider of the transport `local` is not installed.
        """
        return await self._link("", HERE)

    async def _link(self, key: str, host: Host) -> Link:
        link = self._links.get(key)
        if link is None or link.closed:
            # Another task may have been first meanwhile: its link is as good, and a reach may share one.
            opened = await self.reach(host.transport).connect(host)
            link = self._links.get(key)
            if link is None or link.closed:
                self._links[key] = link = opened
            else:
                await opened.aclose()
        return link

    async def secret(self, reference: str) -> Secret:
        """A secret that was resolved before the first change.

        Raises:
            Missing: It was not declared in the draft.
        """
        try:
            return self._secrets[reference]
        except KeyError:
            raise Missing(f"secret {reference!r} was not declared in the plan") from None

    def work_folder(self, *parts: str) -> Path:
        """A folder of this machine, 0700 and kept between jobs, below `work` of the state folder.

        Raises:
            BadInput: A part is no plain name of a folder.
            StateBroken: It cannot be made, or others may enter it.
        """
        if not parts or not all(_PART.match(part) for part in parts):
            raise BadInput(f"{'/'.join(parts)!r} cannot name a folder to work in")
        path = folder.ensure(self._record.root / "work")
        for part in parts:
            path = folder.ensure(path / part)
        return path

    def remembered(self, key: str) -> str:
        """A fact the record keeps between jobs; empty when unknown."""
        return self._record.remembered(key)

    async def aclose(self) -> None:
        """Close every reach that was opened, and with it its links."""
        self._links.clear()
        reaches, self._reaches = list(self._reaches.values()), {}
        for reach in reaches:
            await reach.aclose()


class FaceBench(WorkBench):
    """The bench of a face: plans and reads; holds no secret of a job."""

    def __init__(self, deck: Deck) -> None:
        super().__init__(deck.inventory, deck.registry, deck.record, deck.settings, {})
        self._deck = deck

    async def secret(self, reference: str) -> Secret:
        """What a reference stands for now, found in a thread; nobody is asked for it.

        Raises:
            Missing: It is not to be had.
            BadInput: It is no reference.
        """
        found = await asyncio.to_thread(resolve, self._deck, [reference])
        return found[reference]
