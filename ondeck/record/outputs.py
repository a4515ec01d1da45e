"""What targets print: one bounded store each. The head is kept, then the latest bytes in a row of small files.

Every byte stands on disk as soon as it was taken, so that a worker that is killed loses none of them, and
none is written twice. A place in the output is counted in bytes since its beginning and stays what it is when
older bytes are left out.
"""

from __future__ import annotations

import errno
import os
from itertools import pairwise
from pathlib import Path
from urllib.parse import quote

import msgspec

from ondeck.errors import StateBroken
from ondeck.record import folder

HEAD = 4 << 20
TAIL = 12 << 20
_PIECES = 12
"""Files of the tail; what is kept of it is never less than `TAIL` and at most one file more."""


_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


class Part(msgspec.Struct, frozen=True):
    """A part of an output: its bytes, and the place behind it, where the next one begins."""

    data: bytes
    end: int


def name_of(target: str) -> str:
    """A target as a file name that can be taken back."""
    return quote(target, safe="._-@+") if not target.startswith(".") else quote(target, safe="")


class Output:
    """Writes one target's output. Between the head and the latest bytes the rest is left out.

    Output is the least of what a job records: when the disk is full it is dropped, and the gap is told.

    Attributes:
        lost: Bytes that could not be written.
        why: Why not: `no space`, or what the system said.
    """

    def __init__(self, root: Path, target: str, *, head: int = HEAD, tail: int = TAIL) -> None:
        self._head = root / f"{name_of(target)}.out"
        self._tail = root / f"{name_of(target)}.tail"
        self._piece = max(1, tail // _PIECES)
        self._keep = tail
        self._limit = head
        self._path = self._head
        self._fd = -1
        self._room = 0
        self._end = -1
        self._in_head = True
        self._at = 0
        self.lost = 0
        self.why = ""

    def write(self, data: bytes) -> None:
        """Take some bytes."""
        rest = memoryview(data)
        while rest:
            if self._fd < 0 or self._room <= 0:
                self._next()
            part = rest[: self._room]
            rest = rest[len(part) :]
            self._put(part)

    def _put(self, part: memoryview) -> None:
        self._room -= len(part)
        self._end += len(part)
        if self._fd < 0:
            self.lost += len(part)
            return
        try:
            folder.write_all(self._fd, bytes(part))
        except OSError as error:
            # What follows goes into a file that says where it begins: the gap shows.
            self._room, self._in_head = 0, False
            written = os.fstat(self._fd).st_size
            self._lose(self._end - self._at - written, error)
            if written == 0:
                self._path.unlink(missing_ok=True)

    def _lose(self, count: int, error: OSError | StateBroken) -> None:
        cause = error if isinstance(error, OSError) else error.__cause__
        if isinstance(cause, OSError) and cause.errno not in _NO_SPACE:
            self.why = self.why or cause.strerror or "it cannot be written"
        else:
            self.why = "no space"
        self.lost += count

    def _next(self) -> None:
        """The file for what comes next; without one it is dropped up to where the next would begin."""
        self.close()
        try:
            if self._end < 0:
                self._begin()
            if self._in_head and self._end < self._limit:
                self._open(self._head, 0)
                self._room = self._limit - self._end
                return
            self._in_head = False
            folder.ensure(self._tail)
            self._open(self._tail / f"{self._end:015d}", self._end)
            self._let_go()
        except (OSError, StateBroken) as error:
            self._end, self._in_head = max(0, self._end), False
            self._lose(0, error)
        self._room = self._piece

    def _let_go(self) -> None:
        """Remove what lies before the latest bytes; pieces of attempts that ended early may be short."""
        pieces = _pieces(self._tail)
        for old, following in pairwise(pieces):
            if self._end - following < self._keep:
                return
            (self._tail / f"{old:015d}").unlink(missing_ok=True)

    def _open(self, path: Path, begin: int) -> None:
        self._path, self._at = path, begin
        self._fd = folder.open_private(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def _begin(self) -> None:
        """Where an earlier attempt on this target ended."""
        pieces = _pieces(self._tail)
        self._in_head = not pieces
        last = self._tail / f"{pieces[-1]:015d}" if pieces else self._head
        self._end = (pieces[-1] if pieces else 0) + (last.stat().st_size if last.exists() else 0)

    def close(self) -> None:
        """Nothing more comes for now."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _pieces(tail: Path) -> list[int]:
    """Where each file of the tail begins, in order."""
    try:
        return sorted(int(path.name) for path in tail.iterdir() if path.name.isdecimal())
    except FileNotFoundError:
        return []


def stamp(root: Path, target: str) -> tuple[int, int]:
    """Where a target's output ends, in bytes, and when it was last written (ns); (0, 0) when it printed nothing.

    Raises:
        StateBroken: It cannot be looked at.
    """
    head, tail = root / f"{name_of(target)}.out", root / f"{name_of(target)}.tail"
    end = written = 0
    try:
        for begin, path in ((0, head), *((begin, tail / f"{begin:015d}") for begin in _pieces(tail))):
            try:
                found = path.stat()
            except FileNotFoundError:
                continue
            end, written = max(end, begin + found.st_size), max(written, found.st_mtime_ns)
    except OSError as error:
        raise folder.broken(head, error) from error
    return end, written


def read(root: Path, target: str, offset: int, limit: int) -> Part:
    """Bytes of a target's output from a place on; nothing at the end. Where some are left out, it says so.

    Raises:
        StateBroken: It cannot be read.
    """
    head, tail = root / f"{name_of(target)}.out", root / f"{name_of(target)}.tail"
    try:
        data = _slice(head, offset, limit)
        if data:
            return Part(data, offset + len(data))
        return _late(tail, offset, limit)
    except OSError as error:
        raise folder.broken(head, error) from error


def _late(tail: Path, offset: int, limit: int) -> Part:
    for begin in _pieces(tail):
        if begin > offset:
            gap = begin - offset
            return Part(b"\n[ondeck: %d bytes left out here]\n" % gap, begin)
        data = _slice(tail / f"{begin:015d}", offset - begin, limit)
        if data:
            return Part(data, offset + len(data))
    return Part(b"", offset)


def _slice(path: Path, offset: int, limit: int) -> bytes:
    """Some bytes of a file; nothing of one that is gone."""
    try:
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(limit)
    except FileNotFoundError:
        return b""
