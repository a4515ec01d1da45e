"""What a step of a job on a backup prints, while it prints it."""

from __future__ import annotations

import re

from ondeck.operate.backup.engine import Engine
from ondeck.operate.ports import Emit

_TAIL = 64 << 10
_PASSWORD = re.compile(rb"//[^/@\s:]+:[^/@\s]+@")


class Output:
    """Takes what a step prints: progress to the face, the rest to the job, its end for the reason."""

    def __init__(self, engine: Engine, emit: Emit | None) -> None:
        self._engine = engine
        self._emit = emit
        self._lines = {False: b"", True: b""}
        self.out = b""
        self.err = b""

    def take(self, data: bytes, err: bool) -> None:
        """Bytes as they come."""
        if err:
            self.err = (self.err + data)[-_TAIL:]
        else:
            self.out = (self.out + data)[-_TAIL:]
        *lines, rest = (self._lines[err] + data).split(b"\n")
        self._lines[err] = rest[-_TAIL:]
        for line in lines:
            self._told(line, err)

    def _told(self, line: bytes, err: bool) -> None:
        moved = self._engine.moved(line)
        if self._emit is None:
            return
        if moved is None:
            self._emit.output(_masked(line) + b"\n", err=err)
        elif any(moved):
            self._emit.moved(moved[0], moved[1], "B")

    def ended(self) -> None:
        """What it printed last, without a line's end."""
        for err, line in self._lines.items():
            if line:
                self._told(line, err)
        self._lines = {False: b"", True: b""}


def _masked(data: bytes) -> bytes:
    """Without the password of an address: tools print where they could not go."""
    return _PASSWORD.sub(rb"//***@", data)
