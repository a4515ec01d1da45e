"""The slow reading of a file, only after something was wrong: the same data with a place for every key.

It goes on where the fast reading stops, so that every problem of a file is told at once.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Any

import msgspec
import yaml
from yaml.cyaml import CParser  # type: ignore[attr-defined]
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
    StreamStartEvent,
)

from ondeck.inventory.events import DEPTH, Plain
from ondeck.inventory.problems import Path, Problem, dotted, shown
from ondeck.text import safe_line

Place = tuple[int, int]


class Read(msgspec.Struct):
    """A file with its places.

    Attributes:
        data: The whole content, as far as it could be read.
        keys: Place of each key by path, counted from 1.
        values: Place of each value by path.
        problems: What the YAML itself has wrong.
        broken: The rest of the file could not be read.
    """

    data: Plain = None
    keys: dict[Path, Place] = {}
    values: dict[Path, Place] = {}
    problems: list[Problem] = []
    broken: bool = False

    def place(self, path: Path, *, at_key: bool) -> Place:
        """The nearest known place of a path: its own, else that of what holds it, else the top."""
        while path:
            for places in (self.keys, self.values) if at_key else (self.values, self.keys):
                if path in places:
                    return places[path]
            path = path[:-1]
        return (1, 1)


class _Stop(Exception):
    """No sense can be made of what follows."""


class _Reader:
    def __init__(self, file: str, data: bytes, only: Container[Path] | None) -> None:
        self.file = file
        self.only = only
        self.parser = CParser(data)
        self.result = Read()

    def complain(self, event: Any, path: Path, message: str, hint: str = "") -> None:  # noqa: ANN401
        line, column = _place(event)
        self.result.problems.append(
            Problem(file=self.file, line=line, column=column, key=dotted(path), message=message, hint=hint)
        )

    def run(self) -> Read:
        try:
            self._stream()
        except yaml.YAMLError as error:
            self.result.problems.append(_syntax(self.file, error))
            self.result.broken = True
        except _Stop:
            self.result.broken = True
        return self.result

    def _stream(self) -> None:
        event = self.parser.get_event()
        while isinstance(event, StreamStartEvent):
            event = self.parser.get_event()
        if isinstance(event, StreamEndEvent):
            self._empty()
        assert isinstance(event, DocumentStartEvent)
        if event.version is not None or event.tags:
            self.complain(event, (), "expected no %YAML or %TAG directive")
        top = self.parser.get_event()
        if isinstance(top, ScalarEvent) and not top.value and top.implicit[0]:
            self._empty()
        if not isinstance(top, MappingStartEvent):
            self.complain(top, (), "expected a mapping of sections such as hosts: and services:")
            raise _Stop
        self.result.data = self._value(top, (), 1)
        self.parser.get_event()
        after = self.parser.get_event()
        if isinstance(after, DocumentStartEvent):
            self.complain(
                after, (), "expected one document in the file, found a second one", "split it into two files"
            )

    def _empty(self) -> None:
        self.result.problems.append(
            Problem(file=self.file, line=1, column=1, message="expected some content, found an empty file")
        )
        raise _Stop

    def _value(self, event: Any, path: Path, depth: int) -> Plain:  # noqa: ANN401
        if isinstance(event, AliasEvent):
            self.complain(
                event, path, f"aliases are not taken: *{safe_line(str(event.anchor))}", "write the value out"
            )
            return None
        if event.anchor is not None:
            self.complain(
                event, path, f"anchors are not taken: &{safe_line(event.anchor)}", "write the value out"
            )
        if event.tag is not None:
            self.complain(event, path, f"tags are not taken: {safe_line(event.tag)}", "write plain text")
        if isinstance(event, ScalarEvent):
            return event.value or (None if event.implicit[0] else "")
        if depth > DEPTH:
            self.complain(event, path, f"expected at most {DEPTH} levels of nesting")
            raise _Stop
        if isinstance(event, MappingStartEvent):
            return self._mapping(path, depth)
        assert isinstance(event, SequenceStartEvent)
        items: list[Plain] = []
        while not isinstance(item := self.parser.get_event(), SequenceEndEvent):
            inner = (*path, len(items))
            self.result.values[inner] = _place(item)
            items.append(self._value(item, inner, depth + 1))
        return items

    def _mapping(self, path: Path, depth: int) -> dict[str, Plain]:
        found: dict[str, Plain] = {}
        while not isinstance(event := self.parser.get_event(), MappingEndEvent):
            key = self._key(event, path, found)
            value = self.parser.get_event()
            if key is None:
                self._passed(value, path, depth)
                continue
            inner = (*path, key)
            self.result.keys[inner] = _place(event)
            self.result.values[inner] = _place(value)
            if depth == 2 and self.only is not None and inner not in self.only:
                self._skip(value)
            else:
                found[key] = self._value(value, inner, depth + 1)
        return found

    def _skip(self, event: Any) -> None:  # noqa: ANN401
        open_ = 0
        while True:
            if isinstance(event, MappingStartEvent | SequenceStartEvent):
                open_ += 1
            elif isinstance(event, MappingEndEvent | SequenceEndEvent):
                open_ -= 1
            if not open_:
                return
            event = self.parser.get_event()

    def _passed(self, event: Any, path: Path, depth: int) -> None:  # noqa: ANN401
        """Read over a value whose key was already complained of."""
        known = len(self.result.problems)
        self._value(event, (*path, "?"), depth + 1)
        del self.result.problems[known:]

    def _key(self, event: Any, path: Path, known: dict[str, Plain]) -> str | None:  # noqa: ANN401
        if not isinstance(event, ScalarEvent):
            self.complain(event, path, "expected a key that is text")
            if not isinstance(event, AliasEvent):
                self._passed(event, path, 1)
            return None
        key = str(event.value)
        inner = (*path, key)
        if event.anchor is not None or event.tag is not None:
            self.complain(event, inner, "anchors and tags are not taken")
        if key == "<<":
            self.complain(event, inner, "merge keys are not taken", "write the keys out")
            return None
        if not key:
            self.complain(event, path, "expected a key that is not empty")
            return None
        if key in known:
            line, _ = self.result.keys[inner]
            self.complain(event, inner, f"this key stands here twice, first on line {line}")
            return None
        return key


def read(file: str, data: bytes, only: Container[Path] | None = None) -> Read:
    """Read one file with the place of everything in it, or of what is in `only` these entries of sections."""
    return _Reader(file, data, only).run()


def _place(event: Any) -> Place:  # noqa: ANN401
    return event.start_mark.line + 1, event.start_mark.column + 1


def _syntax(file: str, error: yaml.YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    said = safe_line(str(getattr(error, "problem", "") or getattr(error, "reason", "") or error))
    context = safe_line(str(getattr(error, "context", "") or ""))
    hint = ""
    if "cannot start any token" in said:
        hint = "YAML is indented with spaces, never tabs; text that begins with @, ` or % needs quotes"
    elif "mapping values are not allowed" in said:
        hint = "text with ': ' in it needs quotes, or the line above is indented differently"
    message = f"expected YAML: {said}" + (f" {context}" if context else "")
    return Problem(file=file, line=line, column=column, message=shown_message(message), hint=hint)


def shown_message(text: str) -> str:
    """A message of libyaml, cut to one readable line."""
    return text if len(text) <= 200 else shown(text)
