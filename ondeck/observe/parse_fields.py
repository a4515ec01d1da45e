"""Log lines made of fields: one JSON object a line, or logfmt (`level=info msg="..."`)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

from ondeck.observe.records import Level
from ondeck.text import styled

# Time, level, message, and where the message starts in the line (-1: it is not a part of the line).
Parsed = tuple[int, Level, str, int]
Stamp = Callable[[str], int | None]
LevelOf = Callable[[str], Level]

_TIME = ("time", "ts", "timestamp", "@timestamp", "t", "datetime", "date")
_LEVEL = ("level", "lvl", "severity", "levelname", "log.level", "loglevel")
_MESSAGE = ("msg", "message", "event", "log")
_DECODER = msgspec.json.Decoder()

_FMT_TIME = re.compile(r"(?:^|\s)(?:time|ts|timestamp|t|at)=(?:\"([^\"]*)\"|(\S+))\s?")
_FMT_LEVEL = re.compile(r"(?:^|(?<=\s))(?:level|lvl|severity)=\"?([A-Za-z]+)\"?\s?")
_FMT_MESSAGE = re.compile(r"(?:^|(?<=\s))(?:msg|message)=(?:\"((?:[^\"\\]|\\.)*)\"|(\S+))\s?")
_NUMBER = re.compile(r"\d{9,19}(?:\.\d{1,9})?$")


def epoch(value: float) -> int | None:
    """Nanoseconds of a number that counts s, ms, us or ns since 1970, told apart by its size."""
    for limit, factor in ((1e11, 1_000_000_000), (1e14, 1_000_000), (1e17, 1_000), (4e18, 1)):
        if 1e8 <= value < limit:
            if isinstance(value, int):
                return value * factor
            return round(value * min(factor, 1_000_000)) * max(1, factor // 1_000_000)
    return None


def _time(value: object, stamp: Stamp) -> int | None:
    if isinstance(value, str):
        if _NUMBER.match(value):
            return epoch(float(value) if "." in value else int(value))
        return stamp(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return epoch(value)
    return None


def _level(value: object, level_of: LevelOf) -> Level:
    if isinstance(value, str):
        return level_of(value)
    if isinstance(value, int):  # bunyan and pino count 10 (trace) to 60 (fatal)
        return Level(min(5, max(0, value // 10 - 1 if value >= 20 else 1))) if value >= 10 else Level.NONE
    return Level.NONE


def _take(fields: dict[str, Any], names: tuple[str, ...]) -> Any:  # noqa: ANN401 - any JSON value
    for name in names:
        if name in fields:
            return fields.pop(name)
    return None


def _value(value: object) -> str:
    if isinstance(value, str):
        return value if value and " " not in value else f'"{value}"'
    return msgspec.json.encode(value).decode()


def json_line(text: str, stamp: Stamp, level_of: LevelOf) -> Parsed | None:
    """Time, level and message of a JSON object; its other fields follow the message as `name=value`."""
    if not text.startswith("{"):
        return None
    try:
        fields = _DECODER.decode(text)
    except (msgspec.DecodeError, RecursionError, ValueError):
        return None
    time = _time(_take(fields, _TIME), stamp) if isinstance(fields, dict) else None
    if time is None:
        return None
    level = _level(_take(fields, _LEVEL), level_of)
    message = _take(fields, _MESSAGE)
    said = message if isinstance(message, str) else "" if message is None else _value(message)
    rest = " ".join(f"{name}={_value(value)}" for name, value in fields.items())
    # Escapes such as \u001b come to life when JSON is decoded: made safe after it.
    whole = f"{said.rstrip()} {rest}" if rest and said else said.rstrip() or rest
    return time, level, styled(whole)[0], -1


def logfmt_line(text: str, stamp: Stamp, level_of: LevelOf) -> Parsed | None:
    """Time, level and message of a logfmt line; the other fields stay as they stand."""
    at = _FMT_TIME.search(text)
    if at is None:
        return None
    time = _time(at[1] if at[1] is not None else at[2], stamp)
    if time is None:
        return None
    level = Level.NONE
    spans = [at.span()]
    named = _FMT_LEVEL.search(text)
    if named is not None:
        level = level_of(named[1])
        spans.append(named.span())
    message = _FMT_MESSAGE.search(text)
    said = ""
    if message is not None:
        said = message[1].replace('\\"', '"') if message[1] is not None else message[2]
        spans.append(message.span())
    rest = text
    for start, end in sorted(spans, reverse=True):
        rest = f"{rest[:start]} {rest[end:]}" if start else rest[end:]
    rest = rest.strip()
    return time, level, f"{said} {rest}" if said and rest else said or rest, -1
