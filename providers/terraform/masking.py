"""Sensitive values kept out of what is shown: by where they stand, and wherever else the same value stands.

`show -json` and `output -json` hold sensitive values in clear, with a second tree of marks beside them
(`before_sensitive`, `after_sensitive`). The program loses the mark where a provider copies a value into a
computed attribute, so values that are marked anywhere are masked everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

MASK = "(sensitive value)"
_SHORTEST = 6
"""Shorter values are masked where they are marked only: `true` or `1` would mask half of a plan."""


def marked(value: Any, marks: Any) -> Iterator[Any]:  # noqa: ANN401 - plain data
    """The leaves of a value that stand under a mark."""
    if marks is True:
        yield from leaves(value)
    elif isinstance(value, dict) and isinstance(marks, dict):
        for key, mark in marks.items():
            if key in value:
                yield from marked(value[key], mark)
    elif isinstance(value, list) and isinstance(marks, list):
        for part, mark in zip(value, marks, strict=False):
            yield from marked(part, mark)


def leaves(value: Any) -> Iterator[Any]:  # noqa: ANN401 - plain data
    """Every value that holds no other."""
    if isinstance(value, dict):
        for part in value.values():
            yield from leaves(part)
    elif isinstance(value, list):
        for part in value:
            yield from leaves(part)
    elif value is not None:
        yield value


class Masks:
    """What must not be shown, whatever stands where."""

    def __init__(self, values: Iterable[Any] = ()) -> None:
        self._values: set[str] = set()
        self.add(values)

    def add(self, values: Iterable[Any]) -> None:
        """More of it."""
        found = (str(value) for value in values if not isinstance(value, bool))
        self._values.update(text for text in found if len(text) >= _SHORTEST)

    def hides(self, value: Any) -> bool:  # noqa: ANN401 - plain data
        """A leaf is, or holds, one of them."""
        if isinstance(value, bool) or value is None or not self._values:
            return False
        text = str(value)
        return text in self._values or any(secret in text for secret in self._values)

    def text(self, said: str) -> str:
        """A text with each of them replaced."""
        for secret in self._values:
            if secret in said:
                said = said.replace(secret, MASK)
        return said

    def masked(self, value: Any, marks: Any = False) -> Any:  # noqa: ANN401 - plain data
        """The same data with a mask in place of what is sensitive."""
        if marks is True:
            return MASK
        if isinstance(value, dict):
            under = marks if isinstance(marks, dict) else {}
            return {self.text(str(k)): self.masked(v, under.get(k, False)) for k, v in value.items()}
        if isinstance(value, list):
            beside = marks if isinstance(marks, list) else []
            return [self.masked(v, beside[i] if i < len(beside) else False) for i, v in enumerate(value)]
        return MASK if self.hides(value) else value
