"""What targets print: one bounded file each. The head is kept, then a ring of the tail."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

from ondeck.errors import StateBroken
from ondeck.record import folder

HEAD = 4 << 20
TAIL = 12 << 20


def name_of(target: str) -> str:
    """A target as a file name that can be taken back."""
    return quote(target, safe="._-@+") if not target.startswith(".") else quote(target, safe="")


class Output:
    """Writes one target's output. Beyond the head only the latest bytes are kept, and the cut is told.

    Output is the least of what a job records: when the disk is full it is dropped and counted.
    """

    def __init__(self, root: Path, target: str, *, head: int = HEAD, tail: int = TAIL) -> None:
        self._path = root / f"{name_of(target)}.out"
        self._late = root / f"{name_of(target)}.tail"
        self._head, self._tail = head, tail
        self._room = head
        self._ring = b""
        self._ring_dirty = False
        self.dropped = 0
        self._fd = -1

    def write(self, data: bytes) -> None:
        """Take some bytes."""
        if self._room > 0:
            self._to_head(data[: self._room])
            data = data[self._room :] if len(data) > self._room else b""
        if data:
            self._to_tail(data)

    def _to_head(self, data: bytes) -> None:
        self._room -= len(data)
        try:
            if self._fd < 0:
                self._fd = folder.open_private(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
                self._room = max(0, self._head - os.fstat(self._fd).st_size - len(data))
            folder.write_all(self._fd, data)
        except (OSError, StateBroken):
            self.dropped += len(data)

    def _to_tail(self, data: bytes) -> None:
        self._ring += data
        self._ring_dirty = True
        if len(self._ring) > 2 * self._tail:
            self.dropped += len(self._ring) - self._tail
            self._ring = self._ring[-self._tail :]

    def close(self) -> None:
        """Write down the tail."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        if self._ring_dirty:
            cut = max(0, len(self._ring) - self._tail)
            self.dropped += cut
            note = b"\n[ondeck: %d bytes left out here]\n" % self.dropped if self.dropped else b""
            try:
                folder.write_new(self._late, note + self._ring[cut:], durable=False)
            except StateBroken:
                self.dropped += len(self._ring)


def stamp(root: Path, target: str) -> tuple[int, int]:
    """Bytes of a target's output and when it was last written (ns); (0, 0) when it printed nothing.

    Raises:
        StateBroken: It cannot be looked at.
    """
    size = written = 0
    for suffix in (".out", ".tail"):
        path = root / f"{name_of(target)}{suffix}"
        try:
            found = path.stat()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise folder.broken(path, error) from error
        size, written = size + found.st_size, max(written, found.st_mtime_ns)
    return size, written


def read(root: Path, target: str, offset: int, limit: int) -> bytes:
    """Bytes of a target's output from an offset over head and tail together; empty at the end."""
    found = b""
    for suffix in (".out", ".tail"):
        path = root / f"{name_of(target)}{suffix}"
        try:
            with path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                if offset < size:
                    file.seek(offset)
                    found += file.read(limit - len(found))
                    offset += len(found)
                offset -= size
        except FileNotFoundError:
            continue
        except OSError as error:
            raise folder.broken(path, error) from error
        if len(found) >= limit:
            break
    return found
