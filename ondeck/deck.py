"""The deck: everything a face stands on. Only a face's entry sees it whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ondeck.inventory.model import Inventory
from ondeck.settings import Settings

if TYPE_CHECKING:
    from ondeck.record.store import Record
    from ondeck.registry import Registry


class Deck(msgspec.Struct, frozen=True, kw_only=True):
    """Inventory, providers, record and settings of one process.

    Attributes:
        manifests: Dotted paths of manifests that a worker loads besides the installed providers.
    """

    inventory: Inventory
    registry: Registry
    record: Record
    settings: Settings
    manifests: tuple[str, ...] = ()


def read_inventory(settings: Settings) -> Inventory:
    """Find the inventory and read it, with what its live sources answered last.

    Raises:
        BadInput: No inventory was found, or it has problems.
    """
    from ondeck.inventory.find import find_root
    from ondeck.inventory.loader import load

    found = load(find_root(settings, Path.cwd()), cache=settings.cache)
    if not found.discover and not any("discover" in account.options for account in found.accounts.values()):
        return found
    from ondeck.inventory.discovering import with_kept

    return with_kept(found, settings.cache)


def open_deck(settings: Settings, inventory: Inventory | None = None) -> Deck:
    """Read the inventory, unless it is given, and check our own state.

    Raises:
        BadInput: No inventory was found, or it has problems.
        StateBroken: The state folder cannot be used.
    """
    from ondeck.record.store import Record
    from ondeck.registry import Registry

    if inventory is None:
        inventory = read_inventory(settings)
    return Deck(inventory=inventory, registry=Registry(), record=Record(settings), settings=settings)
