"""Where the inventory is, when nobody says it or somebody does."""

from __future__ import annotations

from pathlib import Path

from ondeck.errors import BadInput
from ondeck.settings import Settings

MARK = "ondeck.yml"
"""The file that makes a folder an inventory."""


def find_root(settings: Settings, start: Path) -> Path:
    """The inventory's folder: the named one, else the nearest at or above `start`, else the user's own.

    Args:
        settings: Its `inventory` is what `-i` or ONDECK_INVENTORY named.
        start: Usually the current folder.

    Raises:
        BadInput: The named folder is not there, or nothing was named and nothing is found.
    """
    if settings.inventory is not None:
        return _named(settings.inventory.expanduser())
    start = start.absolute()
    for folder in (start, *start.parents):
        if _is_file(folder / MARK):
            return folder
    own = settings.config / "inventory"
    if own.is_dir():
        return own.resolve()
    raise BadInput(
        f"no inventory: no {MARK} in {start} or above it, and no {own}",
        hint="`ondeck init DIR` writes a first one, `ondeck demo` plays with one, -i DIR or ONDECK_INVENTORY names one",
    )


def _named(folder: Path) -> Path:
    if folder.is_dir():
        return folder.absolute()
    if folder.name == MARK and _is_file(folder):
        return folder.parent.absolute()
    what = "this is a file" if folder.exists() else "there is no such folder"
    raise BadInput(
        f"the inventory is a folder of *.yml files; {what}",
        where=str(folder),
        hint="named by -i or ONDECK_INVENTORY; `ondeck init DIR` writes a first one",
    )


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False
