"""A parsed inventory kept by content: the same files are never parsed twice."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from ondeck.inventory.model import Inventory

SCHEMA = b"ondeck inventory 1\n"
"""Part of every key; another number makes every older cache file unread."""
KEPT = 8
"""Cache files that stay; the ones used longest ago go first."""


def digest(files: Sequence[tuple[str, bytes]]) -> str:
    """sha256 over names, lengths and contents, so that nothing can move between files unseen."""
    total = hashlib.sha256(SCHEMA)
    for name, data in files:
        total.update(b"%d %d " % (len(os.fsencode(name)), len(data)))
        total.update(os.fsencode(name))
        total.update(data)
    return total.hexdigest()


def read(folder: Path, key: str) -> Inventory | None:
    """The inventory kept under a key; None when there is none or it cannot be used.

    A file that is not ours or that others may write is not trusted.
    """
    path = folder / f"inventory-{key}.msgpack"
    try:
        with path.open("rb") as file:
            facts = os.fstat(file.fileno())
            if facts.st_uid != os.getuid() or facts.st_mode & 0o022:
                return None
            data = file.read()
    except OSError:
        return None
    try:
        found: Inventory = msgspec.msgpack.decode(data, type=Inventory)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return found if found.revision.digest == key else None


def write(folder: Path, key: str, inventory: Inventory) -> bool:
    """Keep an inventory, 0600, whole or not at all; False when the folder cannot be written.

    The cache only saves time, so a full or read-only disk is no reason to fail.
    """
    data = msgspec.msgpack.encode(inventory)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, name = tempfile.mkstemp(prefix=".inventory-", dir=folder)
    except OSError:
        return False
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        Path(name).replace(folder / f"inventory-{key}.msgpack")
        _tidy(folder)
    except OSError:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        return False
    return True


def _tidy(folder: Path) -> None:
    kept = sorted(folder.glob("inventory-*.msgpack"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in kept[KEPT:]:
        path.unlink(missing_ok=True)
