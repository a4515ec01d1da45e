"""What a word names that may be a host or a selector, with or without a path behind it."""

from __future__ import annotations

from ondeck.inventory.model import Inventory

_SELECTS = frozenset("=<>*?[( ")


def is_selector(inventory: Inventory, name: str) -> bool:
    """True for a text that selects hosts rather than naming one."""
    return name not in inventory.hosts and bool(set(name) & _SELECTS)


def split_path(target: str) -> tuple[str, str]:
    """What is named and the path behind it, of `HOST:/PATH` or `SELECTOR:/PATH`; no path is empty."""
    name, colon, tail = target.partition(":/")
    return (name, f"/{tail}") if colon else (target, "")


def thing_of(target: str) -> tuple[str, str]:
    """Place and thing of `PLACE/THING`; the thing is empty where the place as a whole is meant."""
    place, _, thing = target.partition("/")
    return place, thing
