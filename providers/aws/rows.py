"""Small facts of AWS's answers as safe texts: tags, times, sizes; and the names of things."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, unquote

from ondeck import times
from ondeck.errors import BadInput
from ondeck.text import safe_line

CLAIM = "ondeck:attempt"
"""Tag that says which attempt made a thing or works on it."""
_KEPT_PLAIN = "/!$&'()*+:;=@~ "


def text(value: Any) -> str:  # noqa: ANN401 - any scalar of an answer
    """Something that AWS sent as one safe line; empty for nothing."""
    return "" if value is None else safe_line(str(value))


def tags(thing: Mapping[str, Any]) -> dict[str, str]:
    """Tags by key; whoever may tag may write anything."""
    return {text(tag["Key"]): text(tag["Value"]) for tag in thing.get("Tags") or ()}


def called(thing: Mapping[str, Any], otherwise: str) -> str:
    """Its `Name` tag, else its id."""
    return tags(thing).get("Name") or otherwise


def ns(value: datetime | str | None) -> int:
    """A time of an answer in ns since 1970; 0 when there is none."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return 0
    if value is None:
        return 0
    if value.tzinfo is None:
        value = value.replace(tzinfo=UTC)
    return int(value.timestamp() * 1e9)


def when(value: datetime | str | None) -> str:
    """A time of an answer in UTC; empty when there is none."""
    at = ns(value)
    return times.iso(at) if at else ""


def age(value: datetime | str | None) -> str:
    """How long ago; `?` when not known."""
    return times.ago(ns(value))


def size(count: int | None) -> str:
    """Bytes in a unit of 1024; `?` when not known."""
    if count is None:
        return "?"
    figure = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if figure < 1024:
            return f"{figure:.0f} {unit}" if unit == "B" else f"{figure:.1f} {unit}"
        figure /= 1024
    return f"{figure:.1f} TiB"


def split(thing: str) -> tuple[str, str]:
    """Region and the rest of `REGION/ID`.

    Raises:
        BadInput: It is not of that form.
    """
    region, slash, rest = thing.partition("/")
    if not slash or not region or not rest:
        raise BadInput(f"{thing!r} is not of the form REGION/ID", hint="eu-west-1/i-0123456789abcdef0")
    return region, rest


def key_in_name(key: str) -> str:
    """An object's key as it stands in a name: a comma or a question mark means something else there."""
    return quote(key, safe=_KEPT_PLAIN)


def object_of(rest: str) -> tuple[str, str, str]:
    """Bucket, key and version of `BUCKET/KEY[?versionId=V]`; key and version may be empty."""
    bucket, _, tail = rest.partition("/")
    key, _, version = tail.partition("?versionId=")
    return bucket, unquote(key), version


def one_line(errors: Mapping[str, Exception], regions: Sequence[str]) -> str:
    """Which regions could not be asked and why; said once where all of them say the same."""
    said = {region: getattr(error, "message", str(error)) for region, error in errors.items()}
    if len(said) == len(regions) > 1 and len(set(said.values())) == 1:
        return text(f"no region could be asked: {next(iter(said.values()))}")
    return text("; ".join(f"{region}: {why}" for region, why in said.items()))
