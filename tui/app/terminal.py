"""What kind of terminal we are on, and what follows from it. Imports no widget: it runs before Textual does."""

from __future__ import annotations

import os
from collections.abc import Mapping, MutableMapping
from pathlib import Path

import msgspec

from ondeck.errors import BadInput, Missing

LEAST = (20, 5)
"""Columns and lines below which nothing can be shown."""

_MANY_COLOURS = ("alacritty", "foot", "ghostty", "kitty", "wezterm", "rio", "contour", "direct", "256color")
_UNSET = ("TEXTUAL", "TEXTUAL_DEBUG", "TEXTUAL_DEVTOOLS_HOST", "TEXTUAL_DEVTOOLS_PORT", "TEXTUAL_LOG")
_UNSET_TOO = ("TEXTUAL_PRESS", "TEXTUAL_SCREENSHOT", "TEXTUAL_SCREENSHOT_LOCATION", "TEXTUAL_SHOW_RETURN")


class Conditions(msgspec.Struct, frozen=True, kw_only=True):
    """What we found.

    Attributes:
        colours: 16, 256 or 16777216; 0 with NO_COLOR.
        ascii_only: The locale is not UTF-8: lines are drawn with `-|+`, other characters show as `?`.
        remote: Over SSH: every byte counts.
        hz: Most repaints of a stream in a second.
    """

    term: str
    columns: int
    lines: int
    tty: bool
    colours: int
    ascii_only: bool
    remote: bool
    hz: float

    @property
    def sixteen(self) -> bool:
        """Only the terminal's own 16 colours, or none."""
        return self.colours <= 16


def sniff(environ: Mapping[str, str] | None = None) -> Conditions:
    """Look at the environment and at the standard descriptors."""
    env = environ if environ is not None else started_with()
    tty = os.isatty(0) and os.isatty(1)
    try:
        columns, lines = os.get_terminal_size(1)
    except OSError:
        columns, lines = 80, 24
    remote = bool(env.get("SSH_CONNECTION") or env.get("SSH_TTY"))
    return Conditions(
        term=env.get("TERM", ""),
        columns=columns or 80,
        lines=lines or 24,
        tty=tty,
        colours=colours(env),
        ascii_only=not _utf8(env),
        remote=remote,
        hz=2.0 if remote else 10.0,
    )


def started_with() -> Mapping[str, str]:
    """The environment as the shell gave it.

    Python itself sets LC_CTYPE to C.UTF-8 in a C locale (PEP 538), so `os.environ` cannot say what the
    terminal can show.
    """
    try:
        raw = Path("/proc/self/environ").read_bytes()
    except OSError:
        return os.environ
    pairs = (item.partition(b"=") for item in raw.split(b"\0") if item)
    return {os.fsdecode(key): os.fsdecode(value) for key, _, value in pairs} or os.environ


def _utf8(env: Mapping[str, str]) -> bool:
    if env.get("ONDECK_ASCII", "") not in ("", "0"):
        return False
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        if value := env.get(name, ""):
            return "utf8" in value.lower().replace("-", "")
    return False


def colours(env: Mapping[str, str]) -> int:
    """How many colours the terminal has; OpenSSH does not pass COLORTERM on, so TERM must do."""
    if env.get("NO_COLOR"):
        return 0
    if env.get("COLORTERM", "").strip().lower() in ("truecolor", "24bit"):
        return 1 << 24
    term = env.get("TERM", "").lower()
    return 256 if any(name in term for name in _MANY_COLOURS) else 16


def check(conditions: Conditions) -> None:
    """Say why the full screen cannot open here.

    Raises:
        Missing: It is no terminal, or one that cannot move its cursor.
        BadInput: It is too small.
    """
    cli = "the command line does the same without a screen: ondeck now, ondeck get hosts, ondeck --help"
    if not conditions.tty:
        raise Missing("standard input and output are not a terminal", hint=cli)
    if conditions.term in ("", "dumb", "unknown"):
        name = conditions.term or "not set"
        raise Missing(f"TERM is {name}: this terminal cannot show a full screen", hint=cli)
    if conditions.columns < LEAST[0] or conditions.lines < LEAST[1]:
        raise BadInput(
            f"the terminal has {conditions.columns} x {conditions.lines} cells, "
            f"the full screen needs {LEAST[0]} x {LEAST[1]} and is made for 80 x 24",
            hint=cli,
        )


def set_environment(conditions: Conditions, environ: MutableMapping[str, str] | None = None) -> None:
    """Set what Textual reads when it is imported; must run before that.

    No animation, no smooth scrolling: each frame of them costs a repaint on the wire. Developer features that
    open a port or write the screen into a file are switched off.
    """
    env = os.environ if environ is None else environ
    for name in (*_UNSET, *_UNSET_TOO):
        env.pop(name, None)
    env["TEXTUAL_ANIMATIONS"] = "none"
    env["TEXTUAL_SMOOTH_SCROLL"] = "0"
    env.setdefault("TEXTUAL_FPS", "20" if conditions.remote else "60")
    if conditions.remote:
        env.setdefault("ESCDELAY", "250")
    by_count = {1 << 24: "truecolor", 256: "256"}
    env.setdefault("TEXTUAL_COLOR_SYSTEM", by_count.get(conditions.colours, "standard"))
