"""Copying: to the clipboard of the terminal that the person sits at, and to the buffer of tmux."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from textual.app import App

SECONDS = 2.0
LARGEST = 1 << 20
"""Bytes that are handed to tmux at most."""


def copy(app: App[int], text: str) -> str:
    """Send a text on its way; what was done, in words: whether the terminal takes it nobody can know."""
    app.copy_to_clipboard(text)
    tmux = shutil.which("tmux") if os.environ.get("TMUX") else None
    if tmux is None:
        return f"copy sent: {text}"
    data = text.encode()[:LARGEST]
    threading.Thread(target=_load, args=(tmux, data), name="ondeck-tmux", daemon=True).start()
    return f"copy sent, prefix ] pastes: {text}"


def _load(tmux: str, data: bytes) -> None:
    """By default tmux hands no program's clipboard on, but everybody can paste from its buffer."""
    try:
        subprocess.run(
            [tmux, "load-buffer", "-"], input=data, capture_output=True, timeout=SECONDS, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return
