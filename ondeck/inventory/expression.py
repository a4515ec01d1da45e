"""The grammar of selectors: text to a tree and back. What a tree means is in `selector`.

or     := and ("or" and)*
and    := not (("," | "and") not)*
not    := "not" not | "(" or ")" | test
test   := KEY OP VALUE | KEY ("in" | "notin") "(" VALUE ("," VALUE)* ")" | WORD
OP     := "=" | "==" | "!=" | ">=" | "<=" | ">" | "<"
"""

from __future__ import annotations

import re
from typing import NamedTuple

import msgspec

from ondeck.errors import BadInput
from ondeck.text import safe_line

DEPTH = 40
LONGEST = 20_000


class Compare(msgspec.Struct, frozen=True):
    """`env=prod`, `disk>90`: op is one of = != > < >= <=."""

    key: str
    op: str
    value: str

    def __str__(self) -> str:
        return f"{self.key}{self.op}{quoted(self.value)}"


class Among(msgspec.Struct, frozen=True):
    """`role in (web,api)`, or not in."""

    key: str
    values: tuple[str, ...]
    negated: bool = False

    def __str__(self) -> str:
        word = "notin" if self.negated else "in"
        return f"{self.key} {word} ({','.join(quoted(value) for value in self.values)})"


class Word(msgspec.Struct, frozen=True):
    """A bare word: a host's name or a glob over names."""

    text: str

    def __str__(self) -> str:
        return quoted(self.text)


class Not(msgspec.Struct, frozen=True):
    """The opposite."""

    item: Expression

    def __str__(self) -> str:
        inner = f"({self.item})" if isinstance(self.item, All | AnyOf) else str(self.item)
        return f"not {inner}"


class All(msgspec.Struct, frozen=True):
    """Every one of them; none at all selects everything."""

    items: tuple[Expression, ...]

    def __str__(self) -> str:
        return ",".join(f"({item})" if isinstance(item, All | AnyOf) else str(item) for item in self.items)


class AnyOf(msgspec.Struct, frozen=True):
    """At least one of them."""

    items: tuple[Expression, ...]

    def __str__(self) -> str:
        return " or ".join(f"({item})" if isinstance(item, AnyOf) else str(item) for item in self.items)


Expression = Compare | Among | Word | Not | All | AnyOf

_TOKEN = re.compile(
    r"""\s*(?:(?P<op>==|!=|>=|<=|=|>|<)|(?P<mark>[(),])|(?P<text>"[^"\n]*"|'[^'\n]*'|[^\s,()=!<>"']+))"""
)
_PLAIN = re.compile(r"""[^\s,()=!<>"']+""")
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,252}")
WORDS = frozenset({"and", "or", "not", "in", "notin"})


def quoted(text: str) -> str:
    """A value as it must stand in a selector."""
    if _PLAIN.fullmatch(text) and text not in WORDS:
        return text
    return f"'{text}'" if '"' in text else f'"{text}"'


class _Token(NamedTuple):
    kind: str
    text: str
    at: int
    raw: str


def parse(text: str) -> Expression:
    """The tree of one selector.

    Raises:
        BadInput: It is not a selector; the hint points at the place.
    """
    if len(text) > LONGEST:
        raise BadInput(f"selector is {len(text)} characters long, at most {LONGEST} are taken")
    return _Parser(text).whole()


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = self._tokens()
        self.next = 0

    def _tokens(self) -> list[_Token]:
        found = []
        at = 0
        end = len(self.text.rstrip())
        while at < end:
            match = _TOKEN.match(self.text, at)
            if match is None:
                start = at + len(self.text[at:]) - len(self.text[at:].lstrip())
                raise self.wrong(_stray(self.text[start]), start)
            kind = str(match.lastgroup)
            raw = match[kind]
            value = raw[1:-1] if kind == "text" and raw[0] in "\"'" else raw
            found.append(_Token(kind, value, match.start(kind), raw))
            at = match.end()
        return found

    def wrong(self, message: str, at: int) -> BadInput:
        column = at + 1
        # A caret under the place only helps while the text fits one line of a terminal.
        start = max(0, at - 50)
        line = safe_line(self.text[start : start + 76])
        caret = " " * len(safe_line(self.text[start:at])) + "^"
        return BadInput(f"selector, column {column}: {message}", hint=f"{line}\n{caret}")

    def peek(self) -> _Token | None:
        return self.tokens[self.next] if self.next < len(self.tokens) else None

    def at(self) -> int:
        token = self.peek()
        return token.at if token else len(self.text.rstrip())

    def word(self, *words: str) -> bool:
        """Take the next token when it is one of these words or marks, unquoted."""
        token = self.peek()
        if token is None or token.raw not in words:
            return False
        self.next += 1
        return True

    def whole(self) -> Expression:
        if not self.tokens:
            raise self.wrong("expected a host's name or a test such as env=prod", 0)
        found = self.either(0)
        if self.peek() is not None:
            raise self.wrong(f"expected ',' 'and' or 'or' before {self.tokens[self.next].raw!r}", self.at())
        return found

    def either(self, depth: int) -> Expression:
        items = [self.every(depth)]
        while self.word("or"):
            items.append(self.every(depth))
        return items[0] if len(items) == 1 else AnyOf(tuple(items))

    def every(self, depth: int) -> Expression:
        items = [self.one(depth)]
        while self.word(",", "and"):
            items.append(self.one(depth))
        return items[0] if len(items) == 1 else All(tuple(items))

    def one(self, depth: int) -> Expression:
        if depth > DEPTH:
            raise self.wrong(f"expected at most {DEPTH} levels of parentheses and not", self.at())
        if self.word("not"):
            return Not(self.one(depth + 1))
        opened = self.at()
        if self.word("("):
            found = self.either(depth + 1)
            if not self.word(")"):
                raise self.wrong("expected ')' for this '('", opened)
            return found
        return self.test()

    def test(self) -> Expression:
        token = self.peek()
        if token is None or token.kind != "text" or token.raw in WORDS:
            raise self.wrong("expected a host's name or a test such as env=prod", self.at())
        self.next += 1
        after = self.peek()
        if after is not None and after.kind == "op":
            self.next += 1
            return Compare(self.key(token), "=" if after.text == "==" else after.text, self.value(after.raw))
        if after is not None and after.raw in ("in", "notin"):
            self.next += 1
            return Among(self.key(token), self.several(after.raw), after.raw == "notin")
        return Word(token.text)

    def key(self, token: _Token) -> str:
        if not _KEY.fullmatch(token.text):
            raise self.wrong(f"expected a key such as env before the operator, found {token.raw!r}", token.at)
        return token.text

    def value(self, after: str) -> str:
        token = self.peek()
        if token is None or token.kind != "text":
            raise self.wrong(f"expected a value after {after!r}", self.at())
        self.next += 1
        return token.text

    def several(self, after: str) -> tuple[str, ...]:
        if not self.word("("):
            raise self.wrong(f"expected '(' and a list of values after {after!r}", self.at())
        values = [self.value("(")]
        while self.word(","):
            values.append(self.value(","))
        if not self.word(")"):
            raise self.wrong("expected ',' or ')' in the list of values", self.at())
        return tuple(values)


def _stray(sign: str) -> str:
    match sign:
        case "!":
            return "expected '!=' or the word not, found '!'"
        case '"' | "'":
            return "expected the other quote of this one"
    return f"expected no {safe_line(sign)!r} here"
