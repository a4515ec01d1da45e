"""The fast reading of a file: libyaml's events straight into plain text, lists and mappings.

Nothing here keeps positions. Whatever is not plain (alias, anchor, tag, duplicate key, a key that is not
text, deep nesting, a second document) raises `Irregular`; `positions.read` then says what and where.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Any

import yaml
from yaml.cyaml import CParser  # type: ignore[attr-defined]
from yaml.events import (
    DocumentEndEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

DEPTH = 24
"""Levels of nesting that a file may have; the deepest of the schema is 8."""

Plain = Any
"""Text, None, a list or a mapping of such: what a file holds before its fields say what it means."""

Event = Any
"""One of libyaml's events; its attributes are read without asking, for speed."""

Entry = Callable[[str, str | None, Plain, int], None]
"""Called as (section, name or None, value, line from 1) for each entry of a section, in order."""


class Irregular(Exception):
    """The file holds something that the fast reading does not take."""


def read(data: bytes, entry: Entry) -> None:
    """Read one file and hand over its entries one by one, so that no tree of the whole file is built.

    Raises:
        Irregular: Something in it is not plain.
        yaml.YAMLError: It is not YAML.
    """
    get: Callable[[], Event] = CParser(data).get_event
    get()  # the start of the stream
    start = get()
    if start.__class__ is StreamEndEvent:
        raise Irregular("empty")
    if start.__class__ is not DocumentStartEvent or start.version is not None or start.tags:
        raise Irregular("directive")
    top = get()
    if top.__class__ is not MappingStartEvent or top.anchor is not None or top.tag is not None:
        raise Irregular("not a mapping")
    sections: set[str] = set()
    while (event := get()).__class__ is not MappingEndEvent:
        section = _key(event, sections)
        sections.add(section)
        value = get()
        if value.__class__ is MappingStartEvent:
            if value.anchor is not None or value.tag is not None:
                raise Irregular("anchor or tag")
            _entries(get, section, entry, event.start_mark.line + 1)
        else:
            entry(section, None, _value(get, value, 2), event.start_mark.line + 1)
    if get().__class__ is not DocumentEndEvent or get().__class__ is not StreamEndEvent:
        raise Irregular("several documents")


def _key(event: Event, known: Container[str]) -> str:
    if event.__class__ is not ScalarEvent or event.anchor is not None or event.tag is not None:
        raise Irregular("key")
    key: str = event.value
    if key in known or key == "<<" or not key:
        raise Irregular("key")
    return key


def _entries(get: Callable[[], Event], section: str, entry: Entry, line: int) -> None:
    names: set[str] = set()
    while (event := get()).__class__ is not MappingEndEvent:
        name = _key(event, names)
        names.add(name)
        entry(section, name, _value(get, get(), 3), event.start_mark.line + 1)
    if not names:
        entry(section, None, {}, line)


def _value(get: Callable[[], Event], event: Event, depth: int) -> Plain:
    kind = event.__class__
    if kind is ScalarEvent:
        if event.anchor is not None or event.tag is not None:
            raise Irregular("anchor or tag")
        return event.value or (None if event.implicit[0] else "")
    if depth > DEPTH:
        raise Irregular("depth")
    if kind is MappingStartEvent:
        if event.anchor is not None or event.tag is not None:
            raise Irregular("anchor or tag")
        return _mapping(get, depth)
    if kind is SequenceStartEvent:
        if event.anchor is not None or event.tag is not None:
            raise Irregular("anchor or tag")
        items = []
        while (event := get()).__class__ is not SequenceEndEvent:
            items.append(_value(get, event, depth + 1))
        return items
    raise Irregular("alias")


def _mapping(get: Callable[[], Event], depth: int) -> dict[str, Plain]:
    # The hottest loop of a load: keys and plain scalars are handled in place, everything else by `_value`.
    found: dict[str, Plain] = {}
    while (event := get()).__class__ is not MappingEndEvent:
        if event.__class__ is not ScalarEvent or event.anchor is not None or event.tag is not None:
            raise Irregular("key")
        key = event.value
        if key in found or key == "<<" or not key:
            raise Irregular("key")
        event = get()
        if event.__class__ is ScalarEvent and event.anchor is None and event.tag is None:
            found[key] = event.value or (None if event.implicit[0] else "")
        else:
            found[key] = _value(get, event, depth + 1)
    return found


YamlError = yaml.YAMLError
