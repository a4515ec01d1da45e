"""Reads a folder of YAML files as one inventory, or says everything that is wrong with it."""

from __future__ import annotations

import gc
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from ondeck.errors import BadInput
from ondeck.inventory import cache as kept
from ondeck.inventory import revision
from ondeck.inventory.model import Inventory, Revision

LARGEST = 256 << 20
"""Bytes of one file; 100,000 hosts are about 16 MB."""


def load(root: Path, *, cache: Path | None = None) -> Inventory:
    """Load every `*.yml` of a folder as one inventory.

    Args:
        root: The folder.
        cache: Folder where parsed inventories are kept by content; None keeps nothing.

    Raises:
        InventoryProblems: Something is wrong; it names every place at once.
        BadInput: There is no such folder, or no `*.yml` in it.
    """
    root = root.absolute()
    with _without_collector():
        files = _files(root)
        digest = kept.digest(files)
        found = kept.read(cache, digest) if cache is not None else None
        if found is None:
            from ondeck.inventory import parsing  # YAML is not even imported when the cache has it

            found = parsing.parse(files, digest, root)
            if cache is not None:
                kept.write(cache, digest, found)
        return _placed(found, root)


@contextmanager
def _without_collector() -> Iterator[None]:
    # The collector looks at every new object again and again while a large file is read: 69 % of the
    # time of 100,000 hosts. Nothing that is made here has cycles.
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _files(root: Path) -> list[tuple[str, bytes]]:
    try:
        names = sorted(entry.name for entry in os.scandir(root) if _is_ours(entry.name))
    except NotADirectoryError:
        raise BadInput("the inventory is a folder, this is a file", where=str(root)) from None
    except OSError as error:
        raise BadInput(f"the inventory's folder cannot be read: {error.strerror}", where=str(root)) from error
    if not names:
        raise BadInput(
            "no *.yml file in the inventory's folder",
            where=str(root),
            hint="`ondeck init` writes a first one",
        )
    files = []
    unread = []
    for name in names:
        try:
            files.append((name, _content(root / name)))
        except OSError as error:
            unread.append((name, error))
    if unread:
        raise _unread(unread, root)
    return files


def _unread(files: list[tuple[str, OSError]], root: Path) -> Exception:
    from ondeck.inventory.problems import InventoryProblems, Problem

    return InventoryProblems(
        [
            Problem(file=name, message=f"the file cannot be read: {error.strerror or error}")
            for name, error in files
        ],
        root=str(root),
    )


def _is_ours(name: str) -> bool:
    return name.endswith(".yml") and not name.startswith((".", "#"))


def _content(path: Path) -> bytes:
    # Not blocking: a pipe with the name of a file must not hold the start.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise OSError("not a regular file")
        if facts.st_size > LARGEST:
            raise OSError(f"larger than {LARGEST >> 20} MiB")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read()
    finally:
        os.close(descriptor)


def _placed(inventory: Inventory, root: Path) -> Inventory:
    """The inventory with what depends on where it lies: revision and absolute paths."""
    where = Revision(root=str(root), commit=revision.commit(root), digest=inventory.revision.digest)
    ssh = inventory.ssh
    placed = msgspec.structs.replace(
        ssh, known_hosts=_absolute(ssh.known_hosts, root), config=_absolute(ssh.config, root)
    )
    return msgspec.structs.replace(inventory, revision=where, ssh=placed)


def _absolute(text: str, root: Path) -> str:
    if not text or text.startswith("~"):
        return os.path.expanduser(text)  # noqa: PTH111 - keeps `~` where there is no home, never raises
    return str((root / text).resolve() if text.startswith(".") else root / text)
