"""Single values of the files: text in, typed value out, `Bad` when it is not what the field takes.

YAML's own guessing is not used: a scalar is text until its field says what it is, so `no` in a list of
countries stays `no` and version `1.10` stays `1.10`.
"""

from __future__ import annotations

import re
from datetime import date
from enum import StrEnum

from ondeck.inventory.model import Threshold
from ondeck.inventory.problems import Bad, nearest, shown
from ondeck.text import is_safe

IDENTIFIER = "[A-Za-z0-9][A-Za-z0-9._-]{0,252}"
_is_identifier = re.compile(IDENTIFIER).fullmatch
_is_address = re.compile(
    r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,252})|[0-9A-Fa-f:]{0,45}:[0-9A-Fa-f:.]{0,45}(?:%[A-Za-z0-9._-]{1,32})?"
).fullmatch
_is_login = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._@\\-]{0,127}").fullmatch
_jump_parts = re.compile(
    r"(?:(?P<user>[^@]+)@)?(?P<address>\[[^\]]+\]|[^:@\[\]]+)(?::(?P<port>\d{1,5}))?"
).fullmatch
_duration_parts = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)(ms|s|m|h|d|w)")
_is_number = re.compile(r"\d{1,12}(?:\.\d{1,6})?").fullmatch
_is_whole = re.compile(r"\d{1,9}").fullmatch
_is_moment = re.compile(
    r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)|\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])) "
    r"(?:[01]\d|2[0-3]):[0-5]\d"
).fullmatch

SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
DURATION = r"^(\d+(\.\d+)?(ms|s|m|h|d|w))+$"
MOMENT = r"^((Mon|Tue|Wed|Thu|Fri|Sat|Sun)|\d{4}-\d{2}-\d{2}) \d{2}:\d{2}$"  # the loose form for editors


def text(value: str) -> str:
    """Any text on one line without control or invisible characters."""
    if value.isprintable() or (is_safe(value) and "\n" not in value):
        return value
    raise Bad(f"expected one line without control characters, found {shown(value)}")


def filled(value: str) -> str:
    """Text that is not empty."""
    if not value.strip():
        raise Bad("expected some text, found an empty one")
    return text(value)


def identifier(value: str) -> str:
    """A name: letters, digits, dot, dash and underscore, first a letter or digit, at most 253."""
    if _is_identifier(value):
        return value
    raise Bad(
        f"expected a name, found {shown(value)}",
        "a name has letters, digits, '.', '_' and '-', starts with a letter or digit, at most 253 characters",
    )


def address(value: str) -> str:
    """A DNS name or an IP address, never something that a program could take for an option."""
    if _is_address(value):
        return value
    hint = "a DNS name, 10.0.0.1 or fe80::1%eth0; the port has a field of its own"
    raise Bad(f"expected a DNS name or IP address, found {shown(value)}", hint)


def login(value: str) -> str:
    """The name of a login."""
    if _is_login(value):
        return value
    raise Bad(f"expected a login name, found {shown(value)}")


def jump(value: str) -> str:
    """A jump host that is no host of the inventory: `user@host:port`, user and port as wanted."""
    match = _jump_parts(value)
    if match is None:
        raise Bad(f"expected user@host:port, found {shown(value)}", "IPv6 in brackets: [fe80::1]:22")
    address(match["address"].strip("[]"))
    if match["user"]:
        login(match["user"])
    if match["port"]:
        whole(1, 65535)(match["port"])
    return value


def flag(value: str) -> bool:
    """`true` or `false`; `yes`, `no`, `on` and `off` are taken too."""
    match value.lower():
        case "true" | "yes" | "on":
            return True
        case "false" | "no" | "off":
            return False
    raise Bad(f"expected true or false, found {shown(value)}")


def whole(low: int, high: int) -> _Whole:
    """A whole number between two bounds, both included."""
    return _Whole(low, high)


class _Whole:
    def __init__(self, low: int, high: int) -> None:
        self.low, self.high = low, high

    def __call__(self, value: str) -> int:
        if _is_whole(value) and self.low <= int(value) <= self.high:
            return int(value)
        raise Bad(f"expected a whole number from {self.low} to {self.high}, found {shown(value)}")


def duration(value: str) -> float:
    """Seconds of `90s`, `5m`, `1h30m`, `21d`."""
    parts = _duration_parts.findall(value)
    if parts and "".join(number + unit for number, unit in parts) == value:
        return sum(float(number) * SECONDS[unit] for number, unit in parts)
    hint = f"did you mean {value}s?" if _is_number(value) else ""
    raise Bad(f"expected a duration such as 90s, 5m, 1h30m or 21d, found {shown(value)}", hint)


def percent(value: str) -> float:
    """A share of 0 to 1 from `25` or `25%`."""
    raw = value.removesuffix("%")
    if _is_number(raw) and 0 < float(raw) <= 100:
        return float(raw) / 100
    raise Bad(f"expected a percentage above 0 and up to 100, found {shown(value)}")


def batch(value: str) -> str:
    """A batch size: a number of hosts such as `1`, or a share such as `25%`; never nothing."""
    raw = value.removesuffix("%")
    if _is_whole(raw) and int(raw) >= 1 and (not value.endswith("%") or int(raw) <= 100):
        return value
    raise Bad(f"expected a number of hosts from 1 or a share from 1% to 100%, found {shown(value)}")


def moment(value: str) -> str:
    """A weekday and time `Fri 16:00`, or a date and time `2026-12-24 16:00`."""
    if _is_moment(value) and (value[0].isalpha() or _is_date(value[:10])):
        return value
    raise Bad(
        f"expected a moment such as 'Fri 16:00' or '2026-12-24 16:00', found {shown(value)}",
        "days are Mon Tue Wed Thu Fri Sat Sun, hours 00 to 23",
    )


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def threshold(value: str) -> Threshold:
    """`70/85`: warn at 70, bad at 85."""
    warn, slash, bad = (part.strip().removesuffix("%") for part in value.partition("/"))
    if slash and _is_number(warn) and _is_number(bad):
        if float(warn) > float(bad):
            raise Bad(
                f"expected WARN/BAD with the lower one first, found {shown(value)}",
                "what is bad is warned of",
            )
        return Threshold(warn=float(warn), bad=float(bad))
    raise Bad(f"expected two figures WARN/BAD such as 70/85, found {shown(value)}")


def figure(value: str) -> tuple[float, str]:
    """A figure with its unit: `400ms` and `1s` in ms, `1%` in percent, a bare number without unit."""
    if value.endswith("%") and _is_number(value[:-1]):
        return float(value[:-1]), "percent"
    if _is_number(value):
        return float(value), ""
    try:
        return duration(value) * 1000, "ms"
    except Bad:
        raise Bad(f"expected a figure such as 400ms, 1.5s, 5% or 200, found {shown(value)}") from None


def zone(value: str) -> str:
    """A time zone of the system's database."""
    if value == "UTC":
        return value
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(value).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Bad(f"expected a time zone such as UTC or Europe/Paris, found {shown(value)}") from None


class OneWord:
    """One of a closed set of words."""

    def __init__(self, *words: str) -> None:
        self.words = words

    def __call__(self, value: str) -> str:
        """The word itself."""
        if value in self.words:
            return value
        raise Bad(
            f"expected {' or '.join(self.words)}, found {shown(value)}",
            nearest(value, self.words),
        )


class EnumWord(OneWord):
    """A member of an enum by its word."""

    def __init__(self, enum: type[StrEnum]) -> None:
        super().__init__(*(str(member) for member in enum))
        self.enum = enum

    def __call__(self, value: str) -> StrEnum:
        """The member."""
        super().__call__(value)
        return self.enum(value)
