"""The content of a put between plan and apply: in the plan when it is small text, else beside it."""

from __future__ import annotations

import difflib
import hashlib
import os
import stat
import tempfile
from pathlib import Path
from typing import Any

from ondeck import text
from ondeck.errors import BadInput, PlanStale, StateBroken
from ondeck.record.folder import ensure
from ondeck.settings import Settings

INLINE = 256 << 10
"""Bytes of text that stand in a plan itself."""

LARGEST = 64 << 20
"""Bytes that a put carries at most: larger things are releases, or belong on a file server."""

_DIFF_LINES = 400


def sha(data: bytes) -> str:
    """sha256, hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def read_source(name: str) -> bytes:
    """The file on this machine.

    Raises:
        BadInput: It is not there, cannot be read, or is too large.
    """
    path = Path(name).expanduser()
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):
            raise BadInput(f"{name} is not a regular file", hint="write it to a file first")
        if about.st_size > LARGEST:
            raise BadInput(f"{name} is larger than {LARGEST >> 20} MiB")
        return path.read_bytes()
    except OSError as error:
        raise BadInput(f"cannot read {name}: {error.strerror}") from error


def _as_text(data: bytes) -> str | None:
    try:
        decoded = data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return None if "\0" in decoded else decoded


def pin(data: bytes, settings: Settings) -> dict[str, Any]:
    """What the plan keeps of it: the text, or its digest with the bytes in the plans' folder.

    Raises:
        StateBroken: The folder cannot be written.
    """
    digest = sha(data)
    decoded = _as_text(data)
    if decoded is not None and len(data) < INLINE:
        return {"sha256": digest, "size": len(data), "text": decoded}
    folder = ensure(ensure(settings.state / "plans") / "content")
    try:
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(file.name).replace(folder / digest)
    except OSError as error:
        raise StateBroken(f"cannot keep the file's content: {error.strerror}", where=str(folder)) from error
    return {"sha256": digest, "size": len(data)}


def unpin(pinned: dict[str, Any], settings: Settings) -> bytes:
    """The content that was planned.

    Raises:
        PlanStale: It is not there any more, or is not what was planned.
    """
    if "text" in pinned:
        data = str(pinned["text"]).encode()
    else:
        try:
            data = (settings.state / "plans" / "content" / str(pinned["sha256"])).read_bytes()
        except OSError as error:
            raise PlanStale(f"the planned content is gone: {error.strerror}", hint="plan again") from error
    if sha(data) != pinned["sha256"]:
        raise PlanStale("the kept content is not what was planned", hint="plan again")
    return data


def difference(old: bytes | None, new: bytes | None, path: str) -> str:
    """A unified diff as safe text; sizes and checksums for what is not text."""
    before = _as_text(old) if old is not None else ""
    after = _as_text(new) if new is not None else ""
    if before is None or after is None:
        return "\n".join(
            f"{sign} {len(data)} bytes, sha256 {sha(data)}"
            for sign, data in (("-", old), ("+", new))
            if data is not None
        )
    lines = difflib.unified_diff(
        text.safe(before).splitlines(),
        text.safe(after).splitlines(),
        path if old is not None else "/dev/null",
        path if new is not None else "/dev/null",
        lineterm="",
    )
    found = list(lines)
    if len(found) > _DIFF_LINES:
        found = [*found[:_DIFF_LINES], f"[{len(found) - _DIFF_LINES} more lines]"]
    return "\n".join(found)
