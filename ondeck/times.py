"""Points in time and spans as people type them."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta

from ondeck.errors import BadInput

_SPAN = re.compile(r"^([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d|w)$")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_CLOCK = re.compile(r"^([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?$")


def span(raw: str, *, what: str) -> float:
    """Seconds of `90s`, `10m`, `1.5h`, `2d`.

    Raises:
        BadInput: It is not such a span; `what` names the flag.
    """
    match = _SPAN.match(raw.strip())
    if match is None:
        raise BadInput(f"{what}: {raw!r} is not a span of time", hint="write 30s, 10m, 2h or 1d")
    return float(match[1]) * _UNITS[match[2]]


def moment(raw: str, *, what: str, now: float | None = None) -> int:
    """Nanoseconds since 1970 of `10m` (ago), `03:00` (the last one, UTC) or an ISO date and time.

    Raises:
        BadInput: It is none of these, or lies in the future.
    """
    current = time.time() if now is None else now
    stripped = raw.strip()
    if _SPAN.match(stripped):
        return _since_1970(current - span(stripped, what=what), raw, what)
    if clock := _CLOCK.match(stripped):
        return int(_last(clock, current, raw, what) * 1e9)
    try:
        parsed = datetime.fromisoformat(stripped)
    except ValueError:
        raise BadInput(
            f"{what}: {raw!r} is not a time", hint="write 10m (ago), 03:00 (UTC) or 2026-01-31T03:00+00:00"
        ) from None
    stamp = (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
    if stamp > current:
        raise BadInput(f"{what}: {raw!r} lies in the future (it is {iso(int(current * 1e9))})")
    return _since_1970(stamp, raw, what)


def _since_1970(stamp: float, raw: str, what: str) -> int:
    if stamp < 0:
        raise BadInput(f"{what}: {raw!r} lies before 1970", hint="write 10m (ago), 03:00 (UTC) or a date")
    return int(stamp * 1e9)


def _last(clock: re.Match[str], current: float, raw: str, what: str) -> float:
    today = datetime.fromtimestamp(current, UTC)
    try:
        then = today.replace(
            hour=int(clock[1]), minute=int(clock[2]), second=int(clock[3] or 0), microsecond=0
        )
    except ValueError:
        raise BadInput(f"{what}: {raw!r} is not a time of day") from None
    return (then if then <= today else then - timedelta(days=1)).timestamp()


def iso(ns: int) -> str:
    """A time as `2026-01-31T03:04:05Z`; `?` when it is not known or no calendar has it."""
    if not ns:
        return "?"
    try:
        return datetime.fromtimestamp(ns / 1e9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return "?"


def rfc3339(ns: int) -> str:
    """A time as `2026-01-31T03:04:05.123456789Z`: nothing of it is lost."""
    return f"{datetime.fromtimestamp(ns // 10**9, UTC):%Y-%m-%dT%H:%M:%S}.{ns % 10**9:09d}Z"


def short(ns: int, now: int | None = None) -> str:
    """A time in UTC as `03:04:05` when it is of today, else `01-31 03:04`, of another year its date."""
    if not ns:
        return "?"
    then = datetime.fromtimestamp(ns / 1e9, UTC)
    today = datetime.fromtimestamp((time.time_ns() if now is None else now) / 1e9, UTC)
    if then.date() == today.date():
        return then.strftime("%H:%M:%S")
    return then.strftime("%m-%d %H:%M" if then.year == today.year else "%Y-%m-%d")


def clock(ns: int) -> str:
    """A time of day in UTC with milliseconds, `03:04:05.123`."""
    return datetime.fromtimestamp(ns / 1e9, UTC).strftime("%H:%M:%S.%f")[:-3]


def ago(ns: int, now: int | None = None) -> str:
    """An age in one or two units: `12s`, `9m`, `1d09h`; `?` when it is not known."""
    if not ns:
        return "?"
    return length(((time.time_ns() if now is None else now) - ns) / 1e9)


def length(seconds: float) -> str:
    """A span of seconds in one or two units."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
    return f"{whole // 86400}d{whole % 86400 // 3600:02d}h"
