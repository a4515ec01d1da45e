r"""A log of checked records: length, CRC32 and one line of JSON each. One writer, any number of readers.

A record is `LLLLLLLL CCCCCCCC {json}\n`: length and CRC32 of the JSON as eight hexadecimal digits, so that
the file stays readable with `less`. What a crash left half-written at the end is recognised and cut by the
next writer; a bad record with good ones behind it is damage, and is named.
"""

from __future__ import annotations

import errno
import os
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import msgspec

from ondeck.errors import StateBroken
from ondeck.job.events import DURABLE, Event, Note, decode, encode
from ondeck.record.folder import broken, open_private, write_all

_HEAD = 18
_RESERVE = 64 << 10
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def frame(body: bytes) -> bytes:
    """One record around a line of JSON."""
    return b"%08x %08x %s\n" % (len(body), zlib.crc32(body), body)


def _one(data: bytes, start: int) -> tuple[bytes, int] | None:
    head = data[start : start + _HEAD]
    if len(head) < _HEAD or head[8:9] != b" " or head[17:18] != b" ":
        return None
    try:
        length, check = int(head[:8], 16), int(head[9:17], 16)
    except ValueError:
        return None
    end = start + _HEAD + length
    body = data[start + _HEAD : end]
    if data[end : end + 1] != b"\n" or zlib.crc32(body) != check:
        return None
    return body, end + 1


class Scan(msgspec.Struct, frozen=True):
    """What stands in a log.

    Attributes:
        end: Offset behind the last good record.
        torn: Bytes behind it that are no record.
        damaged: Number of the first bad record when good ones follow it; -1 when there is none.
    """

    bodies: tuple[bytes, ...]
    end: int
    torn: int = 0
    damaged: int = -1


def scan(data: bytes, start: int = 0) -> Scan:
    """Read good records up to the first that is not; never raises."""
    bodies: list[bytes] = []
    position = start
    while position < len(data):
        found = _one(data, position)
        if found is None:
            damaged = len(bodies) if _good_behind(data, position) else -1
            return Scan(tuple(bodies), position, len(data) - position, damaged)
        bodies.append(found[0])
        position = found[1]
    return Scan(tuple(bodies), position)


def _good_behind(data: bytes, position: int) -> bool:
    while (position := data.find(b"\n", position) + 1) > 0:
        if _one(data, position) is not None:
            return True
    return False


class Tail:
    """Reads a log as it grows, each byte once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self.torn = 0
        self.damaged = -1
        self.count = 0

    def read(self) -> list[Event]:
        """Events that were added since the last call; none when the file is not there yet.

        Raises:
            StateBroken: The file cannot be read, or a record is of a kind that this version does not know.
        """
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise broken(self._path, error) from error
        found = scan(data)
        self._offset += found.end
        self.torn = found.torn
        if found.damaged >= 0:
            self.damaged = self.count + found.damaged
        try:
            events = [decode(body) for body in found.bodies]
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise StateBroken(f"{self._path} holds a record that cannot be understood: {error}") from error
        self.count += len(events)
        return events


Fault = Callable[[int, bool], None]


def no_fault(_number: int, _after: bool) -> None:
    """The hook of every real job: nothing happens."""


class Journal:
    """The one writer of a job's log. The caller holds the job's `alive` lock.

    A reserve beside the log is given up when the disk is full, so that a running job can still record how
    its attempts ended; `full` then says that nothing new may be begun.
    """

    def __init__(self, path: Path, *, fault: Fault = no_fault) -> None:
        """Open for appending; what a crash left half-written is cut and noted.

        Raises:
            StateBroken: It cannot be opened, or is damaged before its end.
        """
        self._path = path
        self._reserve = path.with_name("reserve")
        self._fault = fault
        self.full = False
        self._fd = open_private(path, os.O_RDWR | os.O_CREAT)
        try:
            self._begin()
        except OSError as error:
            os.close(self._fd)
            raise broken(path, error) from error
        except StateBroken:
            os.close(self._fd)
            raise

    def _begin(self) -> None:
        with open(self._fd, "rb", closefd=False) as file:
            found = scan(file.read())
        if found.damaged >= 0:
            raise StateBroken(
                f"{self._path}: record {found.damaged} is damaged and others follow it",
                hint="this job cannot go on; look at its hosts by hand, then settle its targets in a new job",
            )
        self.count = len(found.bodies)
        self._end = found.end
        os.ftruncate(self._fd, found.end)
        os.lseek(self._fd, found.end, os.SEEK_SET)
        self._keep_reserve()
        if found.torn:
            self.append(Note(text=f"the last record was half-written by a crash: {found.torn} bytes cut"))

    def _keep_reserve(self) -> None:
        try:
            fd = open_private(self._reserve, os.O_WRONLY | os.O_CREAT)
            try:
                os.posix_fallocate(fd, 0, _RESERVE)
            finally:
                os.close(fd)
        except (OSError, StateBroken):
            self.full = True

    def append(self, event: Event) -> Event:
        """Write an event; what must survive a crash of the machine is synced by `sync`.

        Raises:
            StateBroken: Not even the reserve had room.
        """
        stamped = event if event.at else msgspec.structs.replace(event, at=time.time_ns())
        data = frame(encode(stamped))
        self._fault(self.count, False)
        try:
            self._write(data)
        except OSError as error:
            raise broken(self._path, error) from error
        self.count += 1
        self._end += len(data)
        self._fault(self.count - 1, True)
        return stamped

    def _write(self, data: bytes) -> None:
        try:
            write_all(self._fd, data)
        except OSError as error:
            if error.errno not in _FULL:
                raise
            self.full = True
            os.ftruncate(self._fd, self._end)
            os.lseek(self._fd, self._end, os.SEEK_SET)
            self._reserve.unlink(missing_ok=True)
            write_all(self._fd, data)

    def sync(self) -> None:
        """Everything appended so far is on disk when this returns.

        Raises:
            StateBroken: The disk says no.
        """
        try:
            os.fsync(self._fd)
        except OSError as error:
            raise broken(self._path, error) from error

    def record(self, event: Event) -> Event:
        """Append, and sync when the event has to survive."""
        stamped = self.append(event)
        if isinstance(stamped, DURABLE):
            self.sync()
        return stamped

    def close(self, *, ended: bool) -> None:
        """Close; the reserve is given back when the job has ended."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        if ended:
            self._reserve.unlink(missing_ok=True)
