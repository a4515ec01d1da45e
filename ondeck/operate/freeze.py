"""Freeze windows: weekly `Fri 16:00` to `Mon 07:00`, or dated `2026-12-24 16:00` to `2027-01-02`."""

from __future__ import annotations

import re
from datetime import datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ondeck.errors import BadInput
from ondeck.inventory.model import Freeze

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WEEKLY = re.compile(r"^([A-Za-z]{3})[a-z]*\s+(\d{1,2}):(\d{2})$")
_WEEK = 7 * 24 * 60


def zone_of(name: str) -> tzinfo:
    """The inventory's zone.

    Raises:
        BadInput: No such zone on this machine.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadInput(
            f"no time zone {name!r} on this machine", hint="use a name such as Europe/Berlin or UTC"
        ) from error


def _weekly(raw: str) -> int | None:
    """Minute of the week, Monday 00:00 is 0; None when it is not of this form."""
    match = _WEEKLY.match(raw.strip())
    if match is None:
        return None
    day, hour, minute = match[1].lower(), int(match[2]), int(match[3])
    if day not in _DAYS or hour > 24 or minute > 59 or (hour == 24 and minute):
        raise BadInput(f"{raw!r} is no day and time", hint="write Fri 16:00")
    return (_DAYS.index(day) * 24 + hour) * 60 + minute


def _dated(raw: str, zone: tzinfo) -> datetime:
    try:
        parsed = datetime.fromisoformat(raw.strip())
    except ValueError as error:
        raise BadInput(
            f"{raw!r} is no time of a freeze", hint="write Fri 16:00 or 2026-12-24 16:00"
        ) from error
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=zone)


def holds(window: Freeze, now: datetime, zone: tzinfo) -> bool:
    """True inside the window; its start belongs to it, its end does not.

    Weekly windows follow the clock on the wall, so they begin at 16:00 on both sides of a change to
    summer time.

    Raises:
        BadInput: Its times cannot be understood.
    """
    local = now.astimezone(zone)
    start, end = _weekly(window.start), _weekly(window.end)
    if (start is None) != (end is None):
        raise BadInput(f"a freeze from {window.start!r} to {window.end!r} mixes weekly and dated times")
    if start is None or end is None:
        return _dated(window.start, zone) <= now < _dated(window.end, zone)
    minute = (local.weekday() * 24 + local.hour) * 60 + local.minute
    start, end = start % _WEEK, end % _WEEK
    if start == end:
        return True
    return start <= minute < end if start < end else minute >= start or minute < end
