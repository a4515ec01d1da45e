"""Figures, ages and times as people read them; what is not known is `?`, never 0 or blank."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone, tzinfo

from ondeck.counting import counted
from ondeck.errors import BadInput

SECOND = 1_000_000_000


def zone(name: str) -> tzinfo:
    """The time zone that `:tz` names: UTC, local, or a name such as Europe/Berlin.

    Raises:
        BadInput: No such zone is known on this machine.
    """
    if name.upper() == "UTC":
        return UTC
    if name.lower() == "local":
        offset = datetime.now().astimezone().utcoffset() or timedelta()
        return timezone(offset, datetime.now().astimezone().tzname() or "local")
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadInput(f"no time zone {name!r}", hint="UTC, local or a name such as Europe/Berlin") from error


def clock(time: int, where: tzinfo = UTC) -> str:
    """`03:13:05`."""
    return datetime.fromtimestamp(time / SECOND, where).strftime("%H:%M:%S") if time else "?"


def zone_word(time: int, where: tzinfo) -> str:
    """`UTC`, `CET`, ... as it is at that time."""
    return datetime.fromtimestamp(time / SECOND, where).tzname() or "?"


def minute(time: int, now: int, where: tzinfo = UTC) -> str:
    """`03:13` today, `Mon 14:02` this week, else the date."""
    if not time:
        return "?"
    then, today = datetime.fromtimestamp(time / SECOND, where), datetime.fromtimestamp(now / SECOND, where)
    if then.date() == today.date():
        return then.strftime("%H:%M")
    return then.strftime("%a %H:%M" if (today - then).days < 6 else "%Y-%m-%d")


def span(seconds: float) -> str:
    """`8s`, `9m`, `2h10m`, `1d09h`, `21d`."""
    total = max(0, int(seconds))
    if total < 60:
        return f"{total}s"
    if total < 3600:
        return f"{total // 60}m"
    if total < 86400:
        hours, minutes = total // 3600, total % 3600 // 60
        return f"{hours}h{minutes:02d}m" if hours < 10 else f"{hours}h"
    days, hours = total // 86400, total % 86400 // 3600
    return f"{days}d{hours:02d}h" if days < 3 else f"{days}d"


def age(time: int, now: int) -> str:
    """How long ago; `?` when never."""
    return span((now - time) / SECOND) if time else "?"


def percent(share: float | None) -> str:
    """`41%` of a share from 0 to 1."""
    return "?" if share is None else f"{share * 100:.0f}%"


def size(count: float | None) -> str:
    """`3.1G`, powers of 1024."""
    if count is None:
        return "?"
    value = float(count)
    for unit in ("B", "K", "M", "G", "T"):
        if value < 1000 or unit == "T":
            return f"{value:.0f}{unit}" if value >= 10 or unit == "B" else f"{value:.1f}{unit}"
        value /= 1024
    return "?"


def count_of(number: int, word: str) -> str:
    """`1 job`, `2 jobs`."""
    return counted(number, word)


def moment(text: str, now: int, where: tzinfo = UTC) -> int:
    """The time somebody typed: `10m` ago, or a time of day in the zone shown, the last one of that name.

    Raises:
        BadInput: It is neither.
    """
    word = text.strip()
    unit = {"s": 1, "m": 60, "h": 3600, "d": 86400}.get(word[-1:], 0)
    if unit and word[:-1].isdigit():
        return now - int(word[:-1]) * unit * SECOND
    for form in ("%H:%M:%S", "%H:%M"):
        try:
            day = datetime.strptime(word, form).time()  # noqa: DTZ007 - only the time of day is taken
        except ValueError:
            continue
        today = datetime.fromtimestamp(now / SECOND, where)
        then = datetime.combine(today.date(), day, tzinfo=where)
        if then > today:
            then -= timedelta(days=1)
        return int(then.timestamp()) * SECOND
    raise BadInput(f"{word!r} is not a time", hint="03:04, 03:04:31 or 10m")


def verb_of(operation: str) -> str:
    """`ROLLBACK` of `service.rollback`: how a plan and its job are headed."""
    return operation.rpartition(".")[2].upper()
