"""What is left behind when something breaks that nobody foresaw: a file with the stack, and one line."""

from __future__ import annotations

import os
import time
import traceback
from pathlib import Path


def report(folder: Path | None, error: BaseException | None) -> str:
    """Write a stack without locals, 0600; the line to show: what happened and where the file is."""
    what = type(error).__name__ if error is not None else "error"
    if folder is None:
        return f"ondeck stopped: {what}"
    lines = traceback.format_exception(error) if error is not None else ["no exception\n"]
    path = folder / f"crash-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{os.getpid()}.txt"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.writelines(lines)
    except OSError as problem:
        return f"ondeck stopped: {what}; the report could not be written: {problem.strerror}"
    return f"ondeck stopped: {what}; the report is in {path}"
