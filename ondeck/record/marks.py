"""Marks: what people and other programs say happened, e.g. `ondeck mark checkout@prod deployed by CI`."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from ondeck.record import folder
from ondeck.record.claim import PATIENCE, claim
from ondeck.record.journal import frame, scan


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """One mark; time in ns since 1970."""

    time: int
    subject: str
    text: str
    who: str


def add(path: Path, mark: Mark, patience: float = PATIENCE) -> None:
    """Append a mark; a half-written one before it is cut. Waits so many seconds for another writer.

    Raises:
        StateBroken: It cannot be written, or another process holds the file.
    """
    fd = folder.open_private(path, os.O_RDWR | os.O_CREAT)
    try:
        claim(fd, path, patience)
        with open(fd, "rb", closefd=False) as file:
            found = scan(file.read())
        if found.damaged < 0:
            os.ftruncate(fd, found.end)
        os.lseek(fd, 0, os.SEEK_END)
        folder.write_all(fd, frame(msgspec.json.encode(mark)))
        os.fsync(fd)
    except OSError as error:
        raise folder.broken(path, error) from error
    finally:
        os.close(fd)


def read(path: Path) -> tuple[list[Mark], bool]:
    """All marks that can be read, and whether that is all of them.

    Raises:
        StateBroken: The file cannot be read.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return [], True
    except OSError as error:
        raise folder.broken(path, error) from error
    found = scan(data)
    return [msgspec.json.decode(body, type=Mark) for body in found.bodies], found.damaged < 0
