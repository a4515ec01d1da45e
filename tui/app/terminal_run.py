"""Running the app so that every way out gives the terminal back: a key, a crash, SIGTERM, a lost link."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

from textual.app import App

from tui import crash
from tui.app.terminal_restore import Saved

GRACE = 1.2
"""Seconds that the app has to leave in order; then it is ended. With the restore it stays below two."""

_SIGNALS = (signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


def busy(app: App[object]) -> bool:
    """True while the terminal has not taken the frames we already gave it: skip this one.

    Textual keeps its writer's queue private; without it we never skip.
    """
    try:
        return bool(app._driver._writer_thread._queue.qsize() > 1)  # type: ignore[union-attr]
    except AttributeError:
        return False


class CrashReports(App[int]):
    """Writes a crash without local variables into a file, and says in one line where it is."""

    crash_folder: Path | None = None
    crash_note: str = ""

    def _fatal_error(self) -> None:
        """Textual would print every local variable, secrets too; this writes the stack only."""
        error = sys.exc_info()[1]
        self.crash_note = crash.report(self.crash_folder, error)
        self._close_messages_no_wait()

    def _print_error_renderables(self) -> None:
        """What Textual would print on the way out stays off the terminal: it may quote anything."""
        if self._exit_renderables and not self.crash_note:
            self.crash_note = crash.report(self.crash_folder, self._exception)
        self._exit_renderables.clear()


class _Watch:
    """A thread that gets signals through the wake-up descriptor, also while the main thread is stuck."""

    def __init__(self, app: App[int], saved: Saved, closing: Callable[[], None] | None, grace: float) -> None:
        self._app, self._saved, self._closing, self._grace = app, saved, closing, grace
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        self._left = threading.Event()
        self._before: dict[signal.Signals, object] = {}
        self._old_fd = -1
        self._thread = threading.Thread(target=self._run, name="ondeck-signals", daemon=True)
        self.number = 0

    def start(self) -> None:
        for number in _SIGNALS:
            self._before[number] = signal.signal(number, self._handler)
        self._old_fd = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        self._thread.start()

    def stop(self) -> None:
        self._left.set()
        signal.set_wakeup_fd(self._old_fd)
        for number, before in self._before.items():
            signal.signal(number, before)  # type: ignore[arg-type]
        with contextlib.suppress(OSError):
            os.write(self._write, b"\0")
        self._thread.join(1.0)
        for descriptor in (self._read, self._write):
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def _handler(self, number: int, frame: FrameType | None) -> None:
        """The wake-up descriptor has it already; written again in case somebody else took the descriptor."""
        with contextlib.suppress(OSError):
            os.write(self._write, bytes((number,)))

    def _run(self) -> None:
        wanted = {int(number) for number in _SIGNALS}
        while not self._left.is_set():
            try:
                data = os.read(self._read, 64)
            except OSError:
                return
            number = next((byte for byte in data if byte in wanted), 0)
            if number:
                self.number = number
                self._leave(number)
                return

    def _leave(self, number: int) -> None:
        asked = threading.Thread(target=self._ask, args=(number,), name="ondeck-leave", daemon=True)
        asked.start()
        if self._left.wait(self._grace):
            return
        self._saved.cut_off(signal.Signals(number))
        self._saved.put_back()
        os._exit(128 + number)

    def _ask(self, number: int) -> None:
        # Apart from the watch: a closing that waits must not keep it from ending the process.
        if self._closing is not None:
            with contextlib.suppress(Exception):
                self._closing()
        self._app.exit(128 + number, return_code=128 + number)


@contextlib.contextmanager
def quiet_stderr(log: Path | None, *, encoding: str = "utf-8") -> Iterator[int]:
    """Give Textual a descriptor of its own to draw on, and send descriptor 2 to a log file meanwhile.

    Textual draws on `sys.__stderr__`; a library or a child process that writes to descriptor 2 would draw
    into its picture. Yields the descriptor that is drawn on.
    """
    drawing = os.dup(1)
    kept = os.dup(2)
    before, before_too = sys.__stderr__, sys.stderr
    sys.stderr.flush()
    target = _log_descriptor(log)
    os.dup2(target, 2)
    os.close(target)
    screen = os.fdopen(drawing, "w", encoding=encoding, errors="replace", newline="")
    sys.__stderr__ = screen  # type: ignore[misc]
    try:
        yield drawing
    finally:
        sys.__stderr__ = before  # type: ignore[misc]
        sys.stderr = before_too
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)
        with contextlib.suppress(OSError, ValueError):
            screen.close()


def _log_descriptor(log: Path | None) -> int:
    if log is not None:
        with contextlib.suppress(OSError):
            log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            return os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    return os.open(os.devnull, os.O_WRONLY)


def run_guarded(
    app: App[int],
    *,
    log: Path | None = None,
    closing: Callable[[], None] | None = None,
    ascii_only: bool = False,
    mouse: bool = True,
    grace: float = GRACE,
) -> int:
    """Run an app to its end and return the exit code; the terminal is in order whatever happened.

    Args:
        app: The app; with `CrashReports` among its bases a crash leaves a report.
        log: File that gets what libraries write to standard error meanwhile.
        closing: Called in a thread when a signal asks us to leave; flush what must not be lost.
        ascii_only: The terminal is not UTF-8.
        mouse: Ask the terminal for mouse reports.
        grace: Seconds between a signal and the end of the process, whatever it is doing.
    """
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    note = ""
    code = 1
    with quiet_stderr(log, encoding="ascii" if ascii_only else "utf-8") as drawing:
        saved = Saved(drawing)
        watch = _Watch(app, saved, closing, grace)
        watch.start()
        try:
            result = app.run(mouse=mouse)
            code = result if isinstance(result, int) else (app.return_code or 0)
        except Exception as error:  # noqa: BLE001 - the boundary: reported, and the terminal given back
            note = crash.report(getattr(app, "crash_folder", None), error)
            saved.put_back()
        finally:
            watch.stop()
    note = getattr(app, "crash_note", "") or note
    if note:
        sys.stderr.write(note + "\n")
        return code or 1
    return 128 + watch.number if watch.number else code
