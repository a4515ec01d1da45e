"""What a terminal may receive from us: an allow-list. Anything else is a hole and fails the test that sees it."""

from __future__ import annotations

import re

# Private modes that Textual 8.2 and our restore set or reset; nothing else may be switched.
_MODES = {7, 25, 1000, 1002, 1003, 1004, 1006, 1015, 1016, 1049, 2004, 2026, 2048}

_CSI = re.compile(r"\x1b\[([<>=?]?)([0-9;:]*)([ !\"#$%&'()*+,\-./]*)([@-~])")
_OSC = re.compile(r"\x1b\]([^\x07\x1b\x9c]*)(?:\x07|\x1b\\)")
_POINTERS = re.compile(r"22;[a-z-]*")
_SECRET_CHARS = re.compile(
    "[\x80-\x9f\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufeff"
    "\ufff9-\ufffb\U000e0000-\U000e0fff]"
)


def problems(data: bytes, *, clipboard: bool = False) -> list[str]:
    """Everything in a stream of bytes that is not in the grammar; an empty list means that it is clean.

    The stream may end in the middle of a sequence: it is cut wherever the test stopped reading.
    """
    text = data.decode("utf-8", errors="replace")
    found: list[str] = []
    at = 0
    while at < len(text):
        char = text[at]
        if char == "\x1b":
            length, wrong = _sequence(text, at, clipboard)
            if wrong:
                found.append(f"at {at}: {wrong}: {text[at : at + 24]!r}")
            at += length
            continue
        if (char < " " and char not in "\r\n\x07\x18") or char == "\x7f":
            found.append(f"at {at}: control {char!r} in {text[max(0, at - 12) : at + 12]!r}")
        elif char > "\x7f" and _SECRET_CHARS.match(char):
            found.append(f"at {at}: invisible {char!r} in {text[max(0, at - 12) : at + 12]!r}")
        at += 1
    return found


def _sequence(text: str, at: int, clipboard: bool) -> tuple[int, str]:
    rest = text[at:]
    if rest == "\x1b" or re.fullmatch(r"\x1b\[[<>=?]?[0-9;:]*[ -/]*", rest):
        return len(rest), ""
    if match := _CSI.match(rest):
        return match.end(), _csi(*match.groups())
    if rest.startswith("\x1b\\"):
        return 2, ""
    if match := _OSC.match(rest):
        allowed = _POINTERS.fullmatch(match[1]) or (clipboard and match[1].startswith("52;c;"))
        return match.end(), "" if allowed else "operating system command"
    return 1, "escape sequence that we never send"


def _csi(private: str, parameters: str, between: str, final: str) -> str:
    known = {
        ("", "", "m"),
        ("", "", "H"),
        ("", "", "J"),
        ("", "", "A"),
        ("", "", "K"),
        ("", "", "t"),
        (">", "", "u"),
        ("<", "", "u"),
    }
    if private == "?" and ((final in "hl" and not between) or (between, final) == ("$", "p")):
        numbers = [int(number) for number in parameters.split(";") if number]
        unknown = [number for number in numbers if number not in _MODES]
        return f"private mode {unknown}" if unknown or not numbers else ""
    if (private, between, final) not in known:
        return "control sequence that we never send"
    if final == "m" and not re.fullmatch(r"[0-9;]*", parameters):
        return "colour with other parameters"
    return ""


def text_only(data: bytes) -> str:
    """What is left without any sequence: for tests that look for words."""
    text = data.decode("utf-8", errors="replace")
    return _OSC.sub("", _CSI.sub("", text))
