"""What a terminal may receive from us: an allow-list. Anything else is a hole and fails the test that sees it."""

from __future__ import annotations

import re

# Private modes that Textual 8.2 and our restore set or reset; nothing else may be switched.
_MODES = {7, 25, 1000, 1002, 1003, 1004, 1006, 1015, 1016, 1049, 2004, 2026, 2048}

_CSI = re.compile(r"\x1b\[([<>=?]?)([0-9;:]*)([ !\"#$%&'()*+,\-./]*)([@-~])")
_OSC = re.compile(r"\x1b\]([^\x07\x1b\x9c]*)(?:\x07|\x1b\\)")
_POINTERS = re.compile(r"22;[a-z-]*")
_CUT = re.compile(r"\x1b(?:\[[<>=?]?[0-9;:]*[ -/]*)?")
# All that is neither text nor CR, LF, BEL and CAN: controls, and what a terminal would hide.
_NOT_TEXT = re.compile(
    "[\x00-\x06\x08\x09\x0b\x0c\x0e-\x17\x19-\x1f\x7f\x80-\x9f\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ud800-\udfff\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]"
)


def problems(data: bytes, *, clipboard: bool = False) -> list[str]:
    """Everything in a stream of bytes that is not in the grammar; an empty list means that it is clean.

    The stream may end in the middle of a sequence: it is cut wherever the test stopped reading.
    """
    text = data.decode("utf-8", errors="replace")
    found: list[str] = []
    at = 0
    while match := _NOT_TEXT.search(text, at):
        at, char = match.start(), match[0]
        if char == "\x1b":
            length, wrong = _sequence(text, at, clipboard)
            if wrong:
                found.append(f"at {at}: {wrong}: {text[at : at + 24]!r}")
            at += length
            continue
        if char <= "\x7f":
            found.append(f"at {at}: control {char!r} in {text[max(0, at - 12) : at + 12]!r}")
        else:
            found.append(f"at {at}: invisible {char!r} in {text[max(0, at - 12) : at + 12]!r}")
        at += 1
    return found


def _sequence(text: str, at: int, clipboard: bool) -> tuple[int, str]:
    if len(text) - at < 64 and _CUT.fullmatch(text, at):
        return len(text) - at, ""
    if match := _CSI.match(text, at):
        return match.end() - at, _csi(*match.groups())
    if text.startswith("\x1b\\", at):
        return 2, ""
    if match := _OSC.match(text, at):
        allowed = _POINTERS.fullmatch(match[1]) or (clipboard and match[1].startswith("52;c;"))
        return match.end() - at, "" if allowed else "operating system command"
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
