"""Text that a remote host could send to harm the one who reads it; every field must hold against each of them."""

from __future__ import annotations

PAYLOADS = {
    "title": "\x1b]0;owned\x07",
    "clipboard": "\x1b]52;c;ZXZpbA==\x1b\\",
    "clear": "\x1b[2J\x1b[H",
    "query": "\x1b[6n\x1b[c\x1b[21t",
    "c1": "\x9b2J\x9d0;owned\x9c",
    "link": "\x1b]8;;http://evil.example/\x1b\\click\x1b]8;;\x1b\\",
    "dcs": "\x1bP$qm\x1b\\",
    "modes": "\x1b[?1049l\x1b[?1000h\x1bc",
    "controls": "a\x00b\x05c\x0ed\x0fe\x7ff\x08g\x0bh\x0ci",
    "overwrite": "failed\rok    ",
    "bidi": "\u202egnp.exe\u202c \u2066x\u2069 \u200f",
    "zero-width": "ad\u200bmin\ufeff\u2060 ro\u00adot",
    "tags": "".join(chr(0xE0000 + ord(char)) for char in "hidden"),
    "separators": "a\u2028b\u2029c\u0085d",
    "markup": "[bold]x[/] [@click=app.quit]y[/] [/z] [",
    "stacked": "e" + "\u0301" * 400,
    "unterminated": "\x1b]0;never ends",
    "lone": "\x1b",
}
