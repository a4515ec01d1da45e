"""What jobs share on disk and what nobody needs any more: plans, contents of plans, inventories."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ondeck.errors import StateBroken
from ondeck.job import plan as plans
from ondeck.operate.reconcile import todo
from ondeck.record import folder

if TYPE_CHECKING:
    from ondeck.record.store import Record

_AGE = 24 * 3600
"""Seconds after which a thing is looked at; a plan could not be started any more for 23 hours."""


def put_inventory(record: Record, data: bytes, at: Path) -> None:
    """Make the job's inventory a second name of the one that all jobs of the same inventory have.

    Raises:
        StateBroken: It cannot be written.
    """
    shared = folder.ensure(record.inventories_root) / f"{hashlib.sha256(data).hexdigest()}.json"
    if not shared.exists():
        folder.write_new(shared, data, durable=False)
    try:
        os.link(shared, at)
    except OSError:
        # Another file system, or it was swept just now: a copy of its own is as good.
        folder.write_new(at, data, durable=False)


def sweep(record: Record) -> None:
    """Remove what nobody needs. What cannot be told stays; that something could not be removed is no error."""
    for path in _old(record.plans_root, "p*"):
        path.unlink(missing_ok=True)
    for path in _old(record.inventories_root, "*"):
        if path.stat().st_nlink == 1:
            path.unlink(missing_ok=True)
    contents = list(_old(record.plans_root / "content", "*"))
    if not contents:
        return
    try:
        needed = _needed(record)
    except StateBroken:
        return
    for path in contents:
        if path.name.encode() in needed:
            os.utime(path)  # looked at again tomorrow
        else:
            path.unlink(missing_ok=True)


def _old(root: Path, pattern: str) -> Iterator[Path]:
    limit = time.time() - _AGE
    for path in sorted(root.glob(pattern)):
        try:
            if path.is_file() and path.stat().st_mtime < limit:
                yield path
        except FileNotFoundError:
            continue


def _needed(record: Record) -> bytes:
    """The plans of all jobs that may still go on, in one; a content is named in them by its digest.

    Raises:
        StateBroken: A job cannot be read, so nobody knows what it needs.
    """
    found = record.newest(0)
    if found.unread:
        raise StateBroken(f"jobs cannot be read: {', '.join(found.unread)}")
    return b"\n".join(
        plans.encode(view.plan) for view in found.views if not view.over or view.unsettled or todo(view)
    )
