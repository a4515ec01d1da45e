"""What a person types to find lines: a pattern over the whole visible line, and words like `level>=warn`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from operator import eq, ge, le, ne

import msgspec

from ondeck.errors import BadInput
from ondeck.observe.patterns import Pattern
from ondeck.observe.records import Level, LogLine

NAMES = tuple("" if level is Level.NONE else level.name for level in Level)
"""Words of the levels as they stand on the screen, by number."""

_WORD = re.compile(r"(level|source|host)(>=|<=|!=|=)(\S+)(?:\s+|$)", re.IGNORECASE)
_COMPARE: dict[str, Callable[[object, object], bool]] = {"=": eq, "!=": ne, ">=": ge, "<=": le}
_OTHER_NAMES = {
    "err": Level.ERROR,
    "warning": Level.WARN,
    "crit": Level.FATAL,
    "critical": Level.FATAL,
}


def visible(line: LogLine) -> str:
    """A line as it stands on the screen, without its time: level word, source, message."""
    word = NAMES[line.level]
    return f"{word} {line.source} {line.message}" if word else f"{line.source} {line.message}"


class Term(msgspec.Struct, frozen=True):
    """One thing that a line has to be: every word and the pattern hold.

    Attributes:
        text: As it was typed.
        levels: Levels that are meant; None means any. A line that says none counts as INFO.
        sources: Names that are meant, as (wanted, name): `web-2/app`, its host or its name in the host.
        pattern: Over the visible line; None when there are words only.
    """

    text: str
    levels: frozenset[Level] | None = None
    sources: tuple[tuple[bool, str], ...] = ()
    pattern: Pattern | None = None

    @property
    def only_level(self) -> bool:
        """True when it speaks of nothing but the level."""
        return self.levels is not None and not self.sources and self.pattern is None

    def narrow(self, lines: Sequence[LogLine], rows: Sequence[int]) -> Sequence[int]:
        """Of these rows, those whose level and source are meant."""
        levels = self.levels
        if levels is not None:
            rows = [row for row in rows if (lines[row].level or Level.INFO) in levels]
        for wanted, name in self.sources:
            rows = [row for row in rows if _is_of(lines[row].source, name) is wanted]
        return rows

    def spans(self, text: str) -> tuple[tuple[int, int], ...]:
        """Where the pattern is found in a visible line."""
        return self.pattern.spans(text) if self.pattern is not None else ()


def parse(text: str) -> Term:
    """A term: words like `level>=warn`, `level=error`, `source=web-2/app`, `host=web-2`, then a pattern.

    Raises:
        BadInput: No such level, or the pattern is none.
    """
    levels: frozenset[Level] | None = None
    sources = []
    rest = text.strip()
    while found := _WORD.match(rest):
        rest = rest[found.end() :]
        key, sign, value = found[1].lower(), found[2], found[3]
        if key == "level":
            named = _levels(sign, value)
            levels = named if levels is None else levels & named
        elif sign in ("=", "!="):
            sources.append((sign == "=", value))
        else:
            raise BadInput(f"{key}{sign} means nothing", hint=f"{key}=NAME or {key}!=NAME")
    return Term(text.strip(), levels, tuple(sources), Pattern(rest) if rest else None)


def _levels(sign: str, value: str) -> frozenset[Level]:
    names = {level.name.lower(): level for level in Level if level is not Level.NONE}
    meant = (names | _OTHER_NAMES).get(value.lower())
    if meant is None:
        raise BadInput(f"no level {value!r}", hint=" ".join(names))
    return frozenset(level for level in names.values() if _COMPARE[sign](level, meant))


def _is_of(source: str, name: str) -> bool:
    host, _, own = source.partition("/")
    return name in (source, host, own)
