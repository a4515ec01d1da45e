"""Kinds of fields: how a value of the files becomes a typed one, and the JSON Schema that says the same.

A record's table of fields is the one source for the loader, for `ondeck schema` and for the suggestions
when a key is not known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from ondeck.inventory import values
from ondeck.inventory.problems import Bad, Complaints, Path, listed, nearest, shown
from ondeck.text import is_safe

MISSING = object()
"""What a kind gives back when it has already complained: the field is then left at its default."""


class Kind(Protocol):
    """What a field takes."""

    def read(self, value: Any, path: Path, out: Complaints) -> Any:  # noqa: ANN401 - any field's type
        """The typed value, or `MISSING` after complaining.

        Raises:
            Bad: The value as a whole is wrong; the caller knows its place.
        """
        ...

    def schema(self) -> dict[str, Any]:
        """What it takes, as JSON Schema."""
        ...


class Scalar:
    """A single value, by a function that takes its text."""

    def __init__(self, parse: Callable[[str], Any], about: str = "some text", **schema: Any) -> None:  # noqa: ANN401
        self.parse = parse
        self.about = about
        self._schema = {"type": "string", **schema}

    def read(self, value: Any, path: Path, out: Complaints) -> Any:  # noqa: ANN401
        """See `Kind`."""
        if value.__class__ is not str:
            raise Bad(f"expected {self.about}, found {shown(value)}")
        return self.parse(value)

    def schema(self) -> dict[str, Any]:
        """See `Kind`."""
        return dict(self._schema)


class ListOf:
    """A list; a single value stands for a list of one where `single` says so."""

    def __init__(
        self, item: Kind, *, about: str = "a list", single: bool = False, least: int = 0, most: int = 10_000
    ) -> None:
        self.item = item
        self.about = about
        self.single = single
        self.least = least
        self.most = most

    def read(self, value: Any, path: Path, out: Complaints) -> Any:  # noqa: ANN401
        """See `Kind`."""
        if self.single and value.__class__ is str:
            value = [value]
        if value.__class__ is not list:
            raise Bad(f"expected {self.about}, found {shown(value)}")
        if not self.least <= len(value) <= self.most:
            raise Bad(f"expected {self.about} with at least {self.least} and at most {self.most} items")
        found = []
        for index, item in enumerate(value):
            try:
                read = self.item.read(item, (*path, index), out)
            except Bad as bad:
                out.add((*path, index), bad.message, bad.hint)
                continue
            if read is not MISSING:
                found.append(read)
        return tuple(found)

    def schema(self) -> dict[str, Any]:
        """See `Kind`."""
        item = self.item.schema()
        many: dict[str, Any] = {"type": "array", "items": item}
        if self.least:
            many["minItems"] = self.least
        return {"anyOf": [item, many]} if self.single else many


class MapOf:
    """A mapping of free names to values of one kind."""

    def __init__(
        self, item: Kind, *, about: str = "a mapping", key: Callable[[str], Any] | None = None
    ) -> None:
        self.item = item
        self.about = about
        self.key = key or values.identifier

    def read(self, value: Any, path: Path, out: Complaints) -> Any:  # noqa: ANN401
        """See `Kind`."""
        if value.__class__ is not dict:
            raise Bad(f"expected {self.about}, found {shown(value)}")
        found = {}
        for name, item in value.items():
            try:
                self.key(name)
            except Bad as bad:
                out.add((*path, name), bad.message, bad.hint, at_key=True)
                continue
            try:
                read = self.item.read(item, (*path, name), out)
            except Bad as bad:
                out.add((*path, name), bad.message, bad.hint)
                continue
            if read is not MISSING:
                found[name] = read
        return found

    def schema(self) -> dict[str, Any]:
        """See `Kind`."""
        names = (
            {"propertyNames": {"enum": list(self.key.words)}} if isinstance(self.key, values.OneWord) else {}
        )
        return {"type": "object", **names, "additionalProperties": self.item.schema()}


class PlainData:
    """Text, lists and mappings that a provider checks later; kept as they are."""

    def read(self, value: Any, path: Path, out: Complaints) -> Any:  # noqa: ANN401
        """See `Kind`."""
        self._walk(value, path, out)
        return value

    def _walk(self, value: Any, path: Path, out: Complaints) -> None:  # noqa: ANN401
        match value:
            case str():
                if not is_safe(value):
                    out.add(path, f"expected text without control characters, found {shown(value)}")
            case list():
                for index, item in enumerate(value):
                    self._walk(item, (*path, index), out)
            case dict():
                for key, item in value.items():
                    if not is_safe(key):
                        out.add((*path, key), "expected a key without control characters", at_key=True)
                    self._walk(item, (*path, key), out)

    def schema(self) -> dict[str, Any]:
        """See `Kind`."""
        return {}


class ByShape:
    """A value that may be written as text, as a list or as a mapping, each read by a kind of its own."""

    def __init__(
        self, *, text: Kind | None = None, many: Kind | None = None, mapping: Kind | None = None
    ) -> None:
        self.kinds = {str: text, list: many, dict: mapping}

    def read(self, value: Any, path: Path, out: Complaints) -> Any:  # noqa: ANN401
        """See `Kind`."""
        kind = self.kinds.get(value.__class__)
        if kind is not None:
            return kind.read(value, path, out)
        names = {str: "text", list: "a list", dict: "a mapping"}
        allowed = " or ".join(names[shape] for shape, kind in self.kinds.items() if kind is not None)
        raise Bad(f"expected {allowed}, found {shown(value)}")

    def schema(self) -> dict[str, Any]:
        """See `Kind`."""
        return {"anyOf": [kind.schema() for kind in self.kinds.values() if kind is not None]}


class Field:
    """One key of a record."""

    __slots__ = ("about", "attr", "key", "kind", "parse", "required")

    def __init__(self, key: str, kind: Kind, about: str, *, attr: str = "", required: bool = False) -> None:
        self.key = key
        self.kind = kind
        self.about = about
        self.attr = attr or key
        self.required = required
        self.parse = kind.parse if isinstance(kind, Scalar) else None


class Fields:
    """The keys of a record and what is done with those that are not among them.

    Args:
        rest: Attribute that takes every other key as plain data; without it they are an error.
        check: Looks at the values together and may raise `Bad`.
    """

    def __init__(
        self,
        *fields: Field,
        rest: str = "",
        check: Callable[[dict[str, Any]], None] | None = None,
        about: str = "",
    ) -> None:
        self.by_key: Mapping[str, Field] = {field.key: field for field in fields}
        self.required: Sequence[Field] = tuple(field for field in fields if field.required)
        self.rest = rest
        self.check = check
        self.about = about

    def read(self, value: Any, path: Path, out: Complaints) -> dict[str, Any] | None:  # noqa: ANN401
        """Attributes by name; None when something was wrong and has been complained of."""
        if value is None:
            value = {}
        if value.__class__ is not dict:
            raise Bad(f"expected a mapping with {_some(self.by_key)}, found {shown(value)}")
        before = len(out.found)
        attributes: dict[str, Any] = {}
        rest: dict[str, Any] = {}
        by_key = self.by_key
        for key, item in value.items():
            field = by_key.get(key)
            if field is None:
                rest[key] = item
                continue
            try:
                if field.parse is not None and item.__class__ is str:
                    attributes[field.attr] = field.parse(item)
                elif (read := field.kind.read(item, (*path, key), out)) is not MISSING:
                    attributes[field.attr] = read
            except Bad as bad:
                out.add((*path, key), bad.message, bad.hint)
        if rest:
            self._keep(rest, attributes, path, out)
        self._require(value, path, out)
        return self._whole(attributes) if len(out.found) == before else None

    def _require(self, value: dict[str, Any], path: Path, out: Complaints) -> None:
        for field in self.required:
            if field.key not in value:
                out.add(path, f"expected {field.key}: {field.about}", at_key=True)

    def _whole(self, attributes: dict[str, Any]) -> dict[str, Any]:
        if self.check is not None:
            self.check(attributes)
        return attributes

    def _keep(self, rest: dict[str, Any], attributes: dict[str, Any], path: Path, out: Complaints) -> None:
        if self.rest:
            attributes[self.rest] = PlainData().read(rest, path, out)
            return
        for key in rest:
            hint = nearest(key, self.by_key) or listed(self.by_key, 20)
            out.add((*path, key), "unknown key", hint, at_key=True)

    def schema(self) -> dict[str, Any]:
        """The mapping as JSON Schema, each key with its description."""
        properties = {}
        for key, field in self.by_key.items():
            properties[key] = {**field.kind.schema(), "description": field.about}
        found: dict[str, Any] = {"type": "object", "properties": properties}
        if self.about:
            found["description"] = self.about
        if self.required:
            found["required"] = [field.key for field in self.required]
        if not self.rest:
            found["additionalProperties"] = False
        return found


class RecordOf:
    """A mapping that becomes one record."""

    def __init__(self, fields: Fields, build: Callable[..., Any]) -> None:
        self.fields = fields
        self.build = build

    def read(self, value: Any, path: Path, out: Complaints) -> Any:  # noqa: ANN401
        """See `Kind`."""
        attributes = self.fields.read(value, path, out)
        return MISSING if attributes is None else self.build(**attributes)

    def schema(self) -> dict[str, Any]:
        """See `Kind`."""
        return self.fields.schema()


class NamedRecords:
    """A mapping of names to records that carry their name; becomes a tuple in the order of the file."""

    def __init__(self, fields: Fields, build: Callable[..., Any]) -> None:
        self.fields = fields
        self.build = build

    def read(self, value: Any, path: Path, out: Complaints) -> Any:  # noqa: ANN401
        """See `Kind`."""
        one = MapOf(RecordOf(self.fields, lambda **attributes: attributes))
        found = one.read(value, path, out)
        return tuple(self.build(name=name, **attributes) for name, attributes in found.items())

    def schema(self) -> dict[str, Any]:
        """See `Kind`."""
        return {"type": "object", "additionalProperties": self.fields.schema()}


def _some(keys: Mapping[str, Any]) -> str:
    names = list(keys)
    return ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")
