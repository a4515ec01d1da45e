"""A job's log held against the audit: a log that was cut or put back must not say that nothing was done."""

from __future__ import annotations

import msgspec

from ondeck.record.audit import Audit
from ondeck.record.view import JobView


def shortfall(audit: Audit, view: JobView) -> str:
    """What the audit knows of a job and its log does not reach; empty when the log holds all of it.

    Raises:
        StateBroken: The audit is there and cannot be read.
    """
    most, said = 0, ""
    for entry in audit.entries():
        if entry.job != view.id:
            continue
        if entry.records is not msgspec.UNSET:
            most = max(most, entry.records)
        if entry.phase == "outcome":
            said = entry.text
    if view.events >= most:
        return ""
    known = f"; the audit says that it ended: {said}" if said else ""
    return f"its log holds {view.events} records and the audit knows of {most}: it was cut, or is an old copy{known}"
