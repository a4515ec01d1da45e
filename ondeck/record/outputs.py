"""What targets print: one bounded file each. The head is kept, then a ring of the tail."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from urllib.parse import quote

from ondeck.errors import StateBroken
from ondeck.record import folder

HEAD = 4 << 20
TAIL = 12 << 20
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


def name_of(target: str) -> str:
    """A target as a file name that can be taken back."""
    return quote(target, safe="._-@+") if not target.startswith(".") else quote(target, safe="")


class Output:
    """Writes one target's output. Beyond the head only the latest bytes are kept, and the cut is told.

    Output is the least of what a job records: when the disk is full it is dropped, counted and told.

    Attributes:
        dropped: Bytes between head and tail that the bound left out.
        lost: Bytes that could not be written.
        why: Why not: `no space`, or what the system said.
    """

    def __init__(self, root: Path, target: str, *, head: int = HEAD, tail: int = TAIL) -> None:
        self._path = root / f"{name_of(target)}.out"
        self._late = root / f"{name_of(target)}.tail"
        self._head, self._tail = head, tail
        self._room = head
        self._ring = b""
        self._ring_dirty = False
        self.dropped = 0
        self.lost = 0
        self.why = ""
        self._hole = 0
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
            hole = b"\n[ondeck: %d bytes were lost here]\n" % self._hole if self._hole else b""
            folder.write_all(self._fd, hole + data)
            self._hole = 0
        except (OSError, StateBroken) as error:
            self._hole += len(data)
            self._lose(len(data), error)

    def _lose(self, count: int, error: OSError | StateBroken) -> None:
        cause = error if isinstance(error, OSError) else error.__cause__
        if isinstance(cause, OSError) and cause.errno not in _NO_SPACE:
            self.why = self.why or cause.strerror or "it cannot be written"
        else:
            self.why = "no space"
        self.lost += count

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
            left_out = self.dropped + self._hole
            note = b"\n[ondeck: %d bytes left out here]\n" % left_out if left_out else b""
            try:
                folder.write_new(self._late, note + self._ring[cut:], durable=False)
            except StateBroken as error:
                self._lose(len(self._ring) - cut, error)


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
