"""The entry: no verb on a terminal opens the full screen, everything else is the command line.

Imports nothing heavy: `ondeck --help` must not load a widget.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec


class Opening(msgspec.Struct, frozen=True):
    """Flags that may stand before nothing."""

    inventory: Path | None = None
    read_only: bool = False


def opening(words: Sequence[str]) -> Opening | None:
    """The flags when no verb is among the words, else None."""
    inventory: Path | None = None
    read_only = False
    todo = list(words)
    while todo:
        word = todo.pop(0)
        name, equals, value = word.partition("=")
        if word == "--read-only":
            read_only = True
        elif name in ("-i", "--inventory") and (equals or todo):
            inventory = Path(value if equals else todo.pop(0))
        else:
            return None
    return Opening(inventory=inventory, read_only=read_only)


def main() -> int:
    """Run the face that was meant; the exit code."""
    flags = opening(sys.argv[1:])
    if flags is not None and sys.stdin.isatty() and sys.stdout.isatty():
        return _full_screen(flags)
    from tui.cli.root import main as command_line

    return int(command_line(sys.argv[1:]))


def _full_screen(flags: Opening) -> int:
    from ondeck import settings as settings_module
    from ondeck.errors import OndeckError

    try:
        from tui.app.opening import open_app

        return open_app(settings_module.load(inventory=flags.inventory, read_only=flags.read_only))
    except OndeckError as error:
        from tui.cli.face import report

        return report(error)


if __name__ == "__main__":
    sys.exit(main())
