"""Remote bytes made safe: the one way from outside into a record.

`Lines` is the state machine for streams: it carries what is unfinished across chunks, so that the same
bytes give the same lines however the network cut them. SGR sequences become style runs; every other
control sequence (cursor moves, titles, clipboard writes, 8-bit C1, unterminated or not) is shown as
visible text. Nothing is swallowed: a line that hides something shows what it hides.
"""

from __future__ import annotations

import re
import unicodedata
from typing import ClassVar

# Longest line in bytes; what is longer goes on in a next line that starts with MORE.
CAP = 16_384
MORE = "…"
# Combining characters that a base keeps; real scripts need four at most.
COMBINING = 8
TAB = 8

# (start, end, code) over a text; code is a normal form of SGR parameters, e.g. `1;31` or `38;5;208`.
Runs = tuple[tuple[int, int, str], ...]

# C0 but tab and newline, DEL, C1, and everything invisible: bidi, zero-width, tags, line separators, ...
_INVISIBLE = (
    "\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ud800-\udfff\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff"
)
_UNSAFE = re.compile(f"[\x00-\x08\x0b-\x1f{_INVISIBLE}]")
_PIECES = re.compile(f"\x1b\\[([0-9;:]{{0,64}})m|\t|[\x00-\x1f{_INVISIBLE}]")
# Only a long run beyond the Latin letters can hold a flood of combining characters.
_SUSPECT = re.compile(f"[^\x00-\u02ff]{{{COMBINING + 1},}}")
# What `str.isprintable` lets through although it has to be looked at.
_PRINTABLE_BUT = re.compile(
    f"{_SUSPECT.pattern}|[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0\U000e0100-\U000e0fff]"
)


def _escape(char: str) -> str:
    code = ord(char)
    if code == 0x1B:
        return "␛"
    if code < 0x20:
        return chr(0x2400 + code)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _thin_run(match: re.Match[str]) -> str:
    kept: list[str] = []
    marks = 0
    for char in match[0]:
        marks = marks + 1 if unicodedata.category(char) in ("Mn", "Me") else 0
        if marks <= COMBINING:
            kept.append(char)
    return "".join(kept)


def _thin(text: str) -> str:
    """The text with at most COMBINING combining characters on one base."""
    return text if text.isascii() else _SUSPECT.sub(_thin_run, text)


def safe(text: str) -> str:
    """Text with every control and invisible character shown as a visible escape; tab and newline stay."""
    return _UNSAFE.sub(lambda match: _escape(match[0]), _thin(text))


def safe_line(text: str) -> str:
    """One line: as `safe`, with tabs as spaces and newlines shown."""
    return safe(text.replace("\t", "    ").replace("\n", "␊"))


def decode(data: bytes) -> str:
    """Bytes from outside as safe text; what is not UTF-8 shows as a backslash escape."""
    return safe(data.decode("utf-8", errors="backslashreplace"))


def is_safe(text: str) -> bool:
    """True when nothing in the text would be shown as an escape."""
    return _UNSAFE.search(text) is None


class _Style:
    """The SGR state of one line. Concealing is ignored, and so is a colour on itself: both hide text."""

    _ON: ClassVar = {1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "reverse", 9: "strike"}
    _OFF: ClassVar = {
        22: ("bold", "dim"),
        23: ("italic",),
        24: ("underline",),
        27: ("reverse",),
        29: ("strike",),
    }
    _CODES: ClassVar = {name: str(code) for code, name in _ON.items()}

    def __init__(self) -> None:
        self._on: set[str] = set()
        self._fore = ""
        self._back = ""

    def apply(self, parameters: str) -> None:
        """Take one SGR sequence's parameters; what is not understood changes nothing."""
        numbers = [int(part) if part else 0 for part in re.split("[;:]", parameters) if len(part) < 6]
        at = 0
        while at < len(numbers):
            at += self._take(numbers, at)

    def _take(self, numbers: list[int], at: int) -> int:
        number = numbers[at]
        if number == 0:
            self._on.clear()
            self._fore = self._back = ""
        elif number in self._ON:
            self._on.add(self._ON[number])
        elif number in self._OFF:
            self._on.difference_update(self._OFF[number])
        elif number in (38, 48):
            return self._colour(numbers, at)
        elif 30 <= number <= 37 or 90 <= number <= 97:
            self._fore = str(number)
        elif 40 <= number <= 47 or 100 <= number <= 107:
            self._back = str(number)
        elif number == 39:
            self._fore = ""
        elif number == 49:
            self._back = ""
        return 1

    def _colour(self, numbers: list[int], at: int) -> int:
        kind = numbers[at + 1] if at + 1 < len(numbers) else -1
        length = {5: 3, 2: 5}.get(kind, 0)
        values = numbers[at + 2 : at + length]
        if not length or len(values) != length - 2 or max(values) > 255:
            return len(numbers) - at
        colour = ";".join(str(value) for value in numbers[at : at + length])
        if numbers[at] == 38:
            self._fore = colour
        else:
            self._back = colour
        return length

    def _hides(self) -> bool:
        fore, back = self._fore, self._back
        if not fore or not back:
            return False
        if ";" in fore or ";" in back:
            return fore[2:] == back[2:]
        return int(fore) + 10 == int(back)

    def code(self) -> str:
        """Normal form of the state; empty for plain text."""
        parts = sorted((self._CODES[name] for name in self._on), key=int)
        parts.extend(colour for colour in ((self._fore, self._back) if not self._hides() else ()) if colour)
        return ";".join(parts)


def styled(text: str) -> tuple[str, Runs]:
    """One line without its newline: safe text with tabs expanded, and the runs of its SGR styles."""
    if text.isprintable() and (text.isascii() or _PRINTABLE_BUT.search(text) is None):
        return text, ()
    text = _thin(text)
    if _PIECES.search(text) is None:
        return text, ()
    # Taking out SGR or a tab must not bring two long runs of combining characters together: thin again.
    out: list[str] = []
    runs: list[tuple[int, int, str]] = []
    style = _Style()
    length = last = began = 0
    code = ""
    for match in _PIECES.finditer(text):
        piece = text[last : match.start()]
        last = match.end()
        out.append(piece)
        length += len(piece)
        parameters: str | None = match[1]
        if parameters is None:
            shown = " " * (TAB - length % TAB) if match[0] == "\t" else _shown(match[0])
            out.append(shown)
            length += len(shown)
            continue
        style.apply(parameters)
        now = style.code()
        if now != code:
            if code and length > began:
                runs.append((began, length, code))
            began, code = length, now
    out.append(text[last:])
    length += len(text) - last
    if code and length > began:
        runs.append((began, length, code))
    joined = "".join(out)
    thinned = _thin(joined)
    return (joined, tuple(runs)) if thinned == joined else (thinned, ())


def _shown(char: str) -> str:
    return "␊" if char == "\n" else _escape(char)


class Lines:
    """Turns chunks of bytes into safe lines, the same whatever the chunks.

    A line ends at a newline (a carriage return before it belongs to it); a carriage return elsewhere,
    as progress bars write it, is shown as `␍`. A line beyond CAP bytes is cut, and what follows starts
    with MORE. Bytes that are not UTF-8 are shown as backslash escapes.
    """

    def __init__(self) -> None:
        self._pending = b""
        self._cut = False

    @property
    def pending(self) -> int:
        """Bytes of the line that has not ended yet; never more than CAP."""
        return len(self._pending)

    def feed(self, data: bytes) -> list[tuple[str, Runs]]:
        """Lines that are complete with this chunk."""
        data = self._pending + data if self._pending else data
        block, newline, self._pending = data.rpartition(b"\n")
        lines = self._block(block) if newline else []
        if len(self._pending) > CAP:
            pieces, self._pending = self._pieces(self._pending)
            lines.extend(pieces)
        return lines

    def flush(self) -> list[tuple[str, Runs]]:
        """What is left when the stream has ended: the line without a newline, if there is one."""
        rest, self._pending = self._pending, b""
        return self._line(rest) if rest or self._cut else []

    def _block(self, block: bytes) -> list[tuple[str, Runs]]:
        if not self._cut:
            texts = self._texts(block)
            if texts is not None:
                return [styled(text.removesuffix("\r")) for text in texts]
        lines: list[tuple[str, Runs]] = []
        for raw in block.split(b"\n"):
            lines.extend(self._line(raw))
        return lines

    def _texts(self, block: bytes) -> list[str] | None:
        """The block's lines when all are UTF-8 and short: the usual case, decoded in one go."""
        try:
            texts = block.decode("utf-8").split("\n")
        except UnicodeDecodeError:
            return None
        longest = max(map(len, texts))
        return texts if longest * (1 if block.isascii() else 4) <= CAP else None

    def _line(self, raw: bytes) -> list[tuple[str, Runs]]:
        pieces, rest = self._pieces(raw) if len(raw) > CAP else ([], raw)
        pieces.append(self._piece(rest.removesuffix(b"\r")))
        self._cut = False
        return pieces

    def _pieces(self, raw: bytes) -> tuple[list[tuple[str, Runs]], bytes]:
        pieces = []
        while len(raw) > CAP:
            end = CAP
            while end > CAP - 3 and raw[end] & 0xC0 == 0x80:
                end -= 1
            pieces.append(self._piece(raw[:end]))
            self._cut = True
            raw = raw[end:]
        return pieces, raw

    def _piece(self, raw: bytes) -> tuple[str, Runs]:
        text = raw.decode("utf-8", errors="backslashreplace")
        return styled(MORE + text if self._cut else text)
