"""The deck: everything a face stands on. Only a face's entry sees it whole."""

from __future__ import annotations

from pathlib import Path

import msgspec

from ondeck.inventory.model import Inventory
from ondeck.record.store import Record
from ondeck.registry import Registry
from ondeck.settings import Settings


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


def open_deck(settings: Settings) -> Deck:
    """Read the inventory and check our own state.

    Raises:
        BadInput: No inventory was found, or it has problems.
        StateBroken: The state folder cannot be used.
    """
    from ondeck.inventory.find import find_root
    from ondeck.inventory.loader import load

    root = find_root(settings, Path.cwd())
    inventory = load(root, cache=settings.cache)
    return Deck(inventory=inventory, registry=Registry(), record=Record(settings), settings=settings)
