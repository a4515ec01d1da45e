"""Giving the terminal back, also when nobody reads what we write."""

from __future__ import annotations

import contextlib
import os
import signal
import termios
import threading
import time
from typing import Any

RESTORE = (
    b"\x18\x1b\\"  # end a sequence that was cut in the middle
    b"\x1b[?2026l"  # show what a synchronised update held back
    b"\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[?1016l"  # mouse
    b"\x1b[?1004l\x1b[?2004l\x1b[?2048l"  # focus, bracketed paste, in-band resize
    b"\x1b[<u"  # kitty keys, before leaving the alternate screen
    b"\x1b[0m\x1b[?7h\x1b[?1049l\x1b[?25h"  # attributes, line wrap, main screen, cursor
)
"""Undoes every mode that Textual 8.2 sets; harmless on a terminal that is in order."""


class Saved:
    """The terminal as we found it, and a way back to it that never waits for its reader."""

    def __init__(self, output: int, source: int = 0) -> None:
        """Remember the line settings of `source` and which terminal `output` is."""
        self.output = output
        self.source = source
        self._attributes: list[Any] | None = None
        self._path = ""
        with contextlib.suppress(termios.error, OSError):
            self._attributes = termios.tcgetattr(source)
            self._path = os.ttyname(output)

    def put_back(self, seconds: float = 0.4) -> bool:
        """Restore settings and modes within so many seconds; False when the terminal took no byte.

        Pending output is thrown away: a stalled terminal would otherwise hold the restoring bytes behind it.
        """
        if self._attributes is not None:
            with contextlib.suppress(termios.error, OSError):
                termios.tcsetattr(self.source, termios.TCSANOW, self._attributes)
        if not self._path:
            return False
        try:
            # A description of our own: O_NONBLOCK on the inherited one would stay set in the user's shell.
            own = os.open(self._path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
        except OSError:
            return False
        try:
            return _write(own, seconds)
        finally:
            os.close(own)

    def cut_off(self, number: signal.Signals) -> None:
        """Send what other threads still write to nowhere, so that they let go of the terminal.

        A thread that waits inside `write` holds the terminal's write lock, and flushing does not wake it. A
        signal with a Python handler does: its write is tried again, on what is now the null device.
        """
        with contextlib.suppress(OSError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.output)
            os.close(nowhere)
        for thread in threading.enumerate():
            if thread.ident is not None and thread is not threading.current_thread():
                with contextlib.suppress(OSError):
                    signal.pthread_kill(thread.ident, number)


def _write(descriptor: int, seconds: float) -> bool:
    left = RESTORE
    until = time.monotonic() + seconds
    while True:
        try:
            left = left[os.write(descriptor, left) :]
            if not left:
                return True
        except BlockingIOError:
            with contextlib.suppress(termios.error):
                termios.tcflush(descriptor, termios.TCOFLUSH)
        except OSError:
            return False
        if time.monotonic() >= until:
            return False
        time.sleep(0.005)
