"""Remote bytes made safe: the one way from outside into a record."""

from __future__ import annotations

import re

# C0 but tab and newline, DEL, C1, bidi controls, zero-width, tags, line separators, surrogates.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ud800-\udfff\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]"
)


def _visible(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code == 0x1B:
        return "␛"
    if code < 0x20:
        return chr(0x2400 + code)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def safe(text: str) -> str:
    """Text with every control and invisible character shown as a visible escape; tab and newline stay."""
    return _UNSAFE.sub(_visible, text)


def safe_line(text: str) -> str:
    """One line: as `safe`, with tabs as spaces and newlines shown."""
    return safe(text.replace("\t", "    ").replace("\n", "␊"))


def decode(data: bytes) -> str:
    """Bytes from outside as safe text; what is not UTF-8 shows as a backslash escape."""
    return safe(data.decode("utf-8", errors="backslashreplace"))


def is_safe(text: str) -> bool:
    """True when nothing in the text would be shown as an escape."""
    return _UNSAFE.search(text) is None
