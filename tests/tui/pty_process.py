"""A process on a pseudo-terminal that tests read, or on purpose do not read."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import struct
import sys
import termios
import time
from pathlib import Path
from types import TracebackType

ROOT = Path(__file__).resolve().parents[2]


class PtyProcess:
    """Starts `python -m MODULE ARGS...` on a pty of its own and collects what it writes."""

    def __init__(
        self, module: str, *args: str, size: tuple[int, int] = (80, 24), env: dict[str, str] | None = None
    ) -> None:
        environ = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": os.environ.get("HOME", "/"),
            "PYTHONPATH": str(ROOT),
            "TERM": "xterm-256color",
            "LANG": "C.UTF-8",
            **(env or {}),
        }
        self.output = bytearray()
        self.master, slave = os.openpty()
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        self.before = termios.tcgetattr(slave)
        self.pid = os.fork()
        if self.pid == 0:
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
            for descriptor in (0, 1, 2):
                os.dup2(slave, descriptor)
            os.closerange(3, 256)
            os.execve(sys.executable, [sys.executable, "-m", module, *args], environ)
        self.slave = slave
        self.status: int | None = None

    def __enter__(self) -> PtyProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.status is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self.pid, 0)
        for descriptor in (self.master, self.slave):
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def read(self, seconds: float) -> bytes:
        """Take what comes within so many seconds."""
        start = len(self.output)
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            ready, _, _ = select.select([self.master], [], [], left)
            if ready:
                try:
                    data = os.read(self.master, 65536)
                except OSError:
                    break
                if not data:
                    break
                self.output += data
        return bytes(self.output[start:])

    def read_until(self, marker: bytes, seconds: float = 20.0) -> None:
        """Read until bytes appear.

        Raises:
            AssertionError: They did not.
        """
        until = time.monotonic() + seconds
        while marker not in self.output and time.monotonic() < until:
            self.read(0.05)
        assert marker in self.output, bytes(self.output[-2000:])

    def send(self, data: bytes) -> None:
        """Type."""
        os.write(self.master, data)

    def kill(self, number: signal.Signals) -> None:
        """Send a signal to this one process."""
        os.kill(self.pid, number)

    def ended(self, seconds: float, *, reading: bool = True) -> int | None:
        """Its exit code (negative for a signal) once it ended; None when it did not in time."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if reading:
                self.read(0.02)
            done, status = os.waitpid(self.pid, os.WNOHANG)
            if done:
                self.status = os.waitstatus_to_exitcode(status)
                return self.status
            time.sleep(0.01)
        return None
