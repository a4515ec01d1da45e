"""Gives the terminal to a shell on a host, and takes it back."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence

from textual.app import App, SuspendNotSupported


def open_shell(
    app: App[object], host: str, argv: Sequence[str], env: Mapping[str, str] | None = None
) -> tuple[str, int | None]:
    """Run a shell in place of the app, in tmux in a window beside it.

    Returns:
        What to say after it, and its exit status; None where it goes on in a window of its own.
    """
    known = os.environ if env is None else env
    if known.get("TMUX"):
        ended = subprocess.run(["tmux", "new-window", "-n", host, *argv], check=False, capture_output=True)
        if ended.returncode == 0:
            return f"shell on {host} in a new tmux window", None
    try:
        with app.suspend():
            status = _run(argv)
    except SuspendNotSupported:
        return "this terminal cannot be lent to a shell", None
    except OSError as error:
        return f"the shell could not start: {error.strerror or error}", None
    return (
        f"back from {host}" if status == 0 else f"back from {host}, the shell ended with {status}"
    ), status


def _run(argv: Sequence[str]) -> int:
    """In its own foreground: ctrl-c belongs to the shell while it runs."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        return subprocess.run(argv, check=False, restore_signals=True).returncode
    finally:
        signal.signal(signal.SIGINT, before)
