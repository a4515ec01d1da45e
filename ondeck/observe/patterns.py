"""Patterns typed by people, on re2: linear in time whatever they typed."""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterator, Sequence
from typing import Any

import re2

from ondeck.errors import BadInput


def _options(sensitive: bool) -> Any:  # noqa: ANN401 - re2 has no types
    options = re2.Options()
    options.never_nl = True
    options.case_sensitive = sensitive
    options.log_errors = False
    options.max_mem = 32 << 20
    return options


_ESCAPES = re.compile(r"\\[pP](?:\{[^}]*\}|.)|\\.|\(\?P<\w*>")
"""`\\S` and the like: capitals in a pattern that mean no letter."""


class Pattern:
    """A compiled pattern. Without a capital letter in it, it does not look at capitals.

    Raises:
        BadInput: The pattern is not one; the message says where it stops making sense.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        letters = _ESCAPES.sub("", text)
        options = _options(letters != letters.lower())
        try:
            self._plain = re2.compile(text.encode(), options)
            self._lines = re2.compile(b"(?m)^.*?(?:" + text.encode() + b").*$", options)
        except re2.error as error:
            raise _bad(text, error) from None

    def search(self, text: str) -> bool:
        """True when it is found anywhere in a line."""
        return self._plain.search(text.encode()) is not None

    def spans(self, text: str) -> tuple[tuple[int, int], ...]:
        """Where it is found in a line: for marking hits on screen."""
        data = text.encode()
        found = []
        for match in self._plain.finditer(data):
            start, end = match.span()
            if end > start:
                found.append((len(data[:start].decode()), len(data[:end].decode())))
        return tuple(found)

    def rows(self, block: bytes, starts: Sequence[int]) -> Iterator[int]:
        """Indexes of the lines that match, of lines joined by newlines that start at these offsets.

        One search over many lines: a call for each costs five times as much (measured).
        """
        for match in self._lines.finditer(block):
            yield bisect.bisect_right(starts, match.start()) - 1


def _bad(text: str, error: Exception) -> BadInput:
    why = error.args[0] if error.args else str(error)
    why = why.decode(errors="replace") if isinstance(why, bytes) else str(why)
    reason, _, fragment = why.partition(": ")
    at = text.find(fragment) if fragment else -1
    where = f" at character {at + 1}" if at >= 0 else ""
    return BadInput(
        f"pattern {text!r}: {why or reason}{where}", hint="patterns are RE2; write \\( for a bracket itself"
    )


def compile(text: str) -> Pattern:
    """A pattern that a person typed.

    Raises:
        BadInput: It is not one.
    """
    return Pattern(text)
