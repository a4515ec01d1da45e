"""The bytes of an engine's log into lines with the engine's own times, whatever the chunks.

Without a terminal each write is a frame: stream (1 or 2), three zeros, length, payload; with one the bytes come
as they are. With `timestamps=1` every line begins with its time; a line that the engine stored in pieces has one
before each piece. Source: Docker Engine API 1.41, "Attach to a container", stream format.
"""

from __future__ import annotations

import re

from ondeck.errors import RemoteFailed
from providers.docker.deploys.state import nanoseconds

_HEAD = 8
_LONGEST = 1 << 20
_TIME = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z) ?")

Piece = tuple[int, bytes]
"""A time in ns and the bytes of a line, with its newline where it ended."""


class Frames:
    """One stream of an engine; feed it chunks."""

    def __init__(self, tty: bool) -> None:
        """Begin.

        Args:
            tty: The container has a terminal: no frames.
        """
        self._tty = tty
        self._pending = b""
        # Standard output and error are lines of their own.
        self._open: dict[int, tuple[int, bytes]] = {}

    def feed(self, data: bytes) -> list[Piece]:
        """Lines that are complete with this chunk.

        Raises:
            RemoteFailed: It is no stream of an engine.
        """
        data, found = self._pending + data, []
        if self._tty:
            *lines, self._pending = data.split(b"\n")
            return [self._timed(line + b"\n") for line in lines]
        while len(data) >= _HEAD:
            stream, length = data[0], int.from_bytes(data[4:_HEAD], "big")
            if stream > 2 or data[1:4] != b"\0\0\0" or length > _LONGEST:
                raise RemoteFailed("the log is not in the engine's format")
            if len(data) < _HEAD + length:
                break
            found += self._frame(stream, data[_HEAD : _HEAD + length])
            data = data[_HEAD + length :]
        self._pending = data
        return found

    def flush(self) -> list[Piece]:
        """Lines that never ended."""
        left = [piece for piece in self._open.values() if piece[1]]
        self._open = {}
        if self._tty and self._pending:
            left.append(self._timed(self._pending))
            self._pending = b""
        return left

    def _frame(self, stream: int, payload: bytes) -> list[Piece]:
        found = []
        for line in payload.splitlines(keepends=True) if payload.count(b"\n") > 1 else [payload]:
            when, text = self._timed(line)
            began, before = self._open.pop(stream, (0, b""))
            whole = before + text
            if whole.endswith(b"\n") or len(whole) > _LONGEST:
                found.append((began or when, whole))
            else:
                self._open[stream] = (began or when, whole)
        return found

    @staticmethod
    def _timed(line: bytes) -> Piece:
        match = _TIME.match(line)
        if match is None:
            return 0, line
        return nanoseconds(match[1].decode()), line[match.end() :]
