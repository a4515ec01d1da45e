"""A person at a terminal: a program in a pty of a given size, keys that are typed, a screen that is read.

It ends only what it started: the child's own process group.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import threading
import time
from collections.abc import Mapping, Sequence
from types import TracebackType

import pyte

_CHUNK = 65536
_KEEP = 32 << 20  # raw bytes that are kept for checks
KEYS = {
    "enter": "\r",
    "esc": "\x1b",
    "tab": "\t",
    "space": " ",
    "backspace": "\x7f",
    "up": "\x1b[A",
    "down": "\x1b[B",
    "right": "\x1b[C",
    "left": "\x1b[D",
    "pgup": "\x1b[5~",
    "pgdn": "\x1b[6~",
    "home": "\x1b[H",
    "end": "\x1b[F",
    "f1": "\x1bOP",
}


def key(name: str) -> str:
    """The bytes of a key: a name of `KEYS`, `ctrl-x`, or the characters themselves."""
    if name.startswith("ctrl-") and len(name) == 6:
        return chr(ord(name[5].upper()) - 64)
    return KEYS.get(name, name)


class Terminal:
    """A program in a pty, read by a thread of its own; use it in a `with`."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        columns: int = 80,
        rows: int = 24,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        pace: float = 0.0,
    ) -> None:
        """Start the program.

        Args:
            argv: The program; found through PATH of `env`.
            columns: Width of the terminal.
            rows: Height of the terminal.
            env: Its whole environment; this process's own when None. TERM is set when it is not there.
            cwd: Folder to start in.
            pace: Seconds between two reads of at most 4 KiB: a slow line.
        """
        environment = {"TERM": "xterm-256color", **(os.environ if env is None else env)}
        self.raw = bytearray()
        self.typed = 0
        self.size = (columns, rows)
        self._screen = pyte.Screen(columns, rows)
        self._feed = pyte.ByteStream(self._screen)
        self._lock = threading.Lock()
        self._reading = threading.Event()
        self._reading.set()
        self._pace = pace
        self._broken = ""
        self.status: int | None = None
        self.pid, self._master = pty.fork()
        if self.pid == 0:
            self._become(argv, environment, cwd, columns, rows)
        self.resize(columns, rows)
        os.set_blocking(self._master, False)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    @staticmethod
    def _become(
        argv: Sequence[str], environment: Mapping[str, str], cwd: str | None, columns: int, rows: int
    ) -> None:
        try:
            # Whoever runs the tests may ignore hangups; a login shell's child does not.
            signal.signal(signal.SIGHUP, signal.SIG_DFL)
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            if cwd:
                os.chdir(cwd)
            os.execvpe(argv[0], list(argv), dict(environment))
        except OSError as error:
            os.write(2, f"{argv[0]}: {error}\n".encode())
        finally:
            os._exit(127)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        self.end()

    def _read(self) -> None:
        while not self._over.is_set():
            if not self._reading.wait(0.1):
                continue
            try:
                readable, _, _ = select.select([self._master], [], [], 0.05)
                data = os.read(self._master, 4096 if self._pace else _CHUNK) if readable else None
            except (OSError, ValueError):
                break
            if data == b"":
                break
            if data:
                with self._lock:
                    self.raw += data[: max(0, _KEEP - len(self.raw))]
                    self._show(data)
                if self._pace:
                    time.sleep(self._pace)
        self._over.set()

    def _show(self, data: bytes) -> None:
        # What pyte cannot parse is kept as a finding; the raw bytes are there for a real check.
        try:
            self._feed.feed(data)
        except (TypeError, IndexError, KeyError, AttributeError) as error:
            self._broken = f"pyte: {error!r}"

    def rows(self) -> list[str]:
        """The screen as text, one string a row, blanks at the right cut."""
        with self._lock:
            return [row.rstrip() for row in self._screen.display]

    def text(self) -> str:
        """The screen as one text."""
        return "\n".join(self.rows())

    def type(self, *names: str, delay: float = 0.02) -> None:
        """Press keys: names as in `key`, or plain text, each `delay` seconds after the other."""
        for name in names:
            self.typed += 1 if name in KEYS or name.startswith("ctrl-") else len(name)
            self.send(key(name).encode())
            time.sleep(delay)

    def send(self, data: bytes) -> None:
        """Bytes as if they were typed; waits when the program does not read them.

        Raises:
            TimeoutError: It did not read for ten seconds.
        """
        until = time.monotonic() + 10
        while data:
            try:
                data = data[os.write(self._master, data) :]
            except BlockingIOError:
                if time.monotonic() > until:
                    raise TimeoutError("the program does not read its keys") from None
                select.select([], [self._master], [], 0.1)

    def wait_for(self, wanted: str | re.Pattern[str], timeout: float = 10.0) -> str:
        """Wait until a text or a pattern is on the screen; gives the screen.

        Raises:
            AssertionError: It did not come, with the screen as it is.
        """
        return self._wait(wanted, timeout, there=True)

    def wait_gone(self, wanted: str | re.Pattern[str], timeout: float = 10.0) -> str:
        """Wait until it is no longer on the screen."""
        return self._wait(wanted, timeout, there=False)

    def _wait(self, wanted: str | re.Pattern[str], timeout: float, *, there: bool) -> str:
        until = time.monotonic() + timeout
        while True:
            ended = self._over.is_set()
            screen = self.text()
            found = wanted in screen if isinstance(wanted, str) else wanted.search(screen) is not None
            if found is there:
                return screen
            if ended or time.monotonic() > until:
                word = "came" if there else "went"
                said = f"the program ended ({self.poll()})" if ended else f"{timeout} s passed"
                raise AssertionError(f"{wanted!r} never {word}; {said}; {self._broken}\n{screen}")
            time.sleep(0.02)

    def resize(self, columns: int, rows: int) -> None:
        """Another size; the program gets SIGWINCH from the kernel."""
        with self._lock:
            self.size = (columns, rows)
            self._screen.resize(rows, columns)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def stall(self) -> None:
        """Read no more: the program's writes will block."""
        self._reading.clear()

    def go_on(self) -> None:
        """Read again."""
        self._reading.set()

    def close(self) -> None:
        """Hang up: the terminal is gone, the program gets SIGHUP."""
        self._over.set()
        self._reading.set()
        self._thread.join(5)
        with contextlib.suppress(OSError):
            os.close(self._master)
        self._master = -1

    def modes(self) -> list[int]:
        """The terminal's settings as `termios.tcgetattr` gives its flags: to compare before and after."""
        flags = termios.tcgetattr(self._master)
        return [int(flag) for flag in flags[:4]]

    def poll(self) -> int | None:
        """Exit status as `subprocess` counts it; None while it runs."""
        if self.status is None:
            try:
                done, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:
                return self.status
            if done:
                self.status = os.waitstatus_to_exitcode(status)
        return self.status

    def wait(self, timeout: float = 10.0) -> int:
        """Wait for its end; gives the exit status.

        Raises:
            AssertionError: It did not end.
        """
        until = time.monotonic() + timeout
        while self.poll() is None:
            if time.monotonic() > until:
                raise AssertionError(f"the program still runs after {timeout} s\n{self.text()}")
            time.sleep(0.01)
        assert self.status is not None
        return self.status

    def signal(self, number: int) -> None:
        """A signal to the program itself."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def end(self) -> None:
        """End its process group, if it still runs."""
        for number, patience in ((signal.SIGTERM, 3.0), (signal.SIGKILL, 5.0)):
            if self.poll() is not None:
                return
            try:
                os.killpg(self.pid, number)
            except OSError as error:
                if error.errno != errno.ESRCH:
                    raise
            until = time.monotonic() + patience
            while self.poll() is None and time.monotonic() < until:
                time.sleep(0.01)
