"""The entry of the command `ondeck`: it stands outside both faces and chooses between them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from ondeck import streams

if TYPE_CHECKING:
    from tui.cli.face import Face


def main() -> int:
    """Run a verb, or open the full screen when none was given; returns the exit code."""
    streams.fill()
    if len(sys.argv) == 1 and sys.stdin.isatty() and sys.stdout.isatty():
        return _at_once()
    from tui.cli import root

    return root.main(sys.argv[1:], screen=_screen)


def _screen(face: Face) -> int:
    from tui.app.opening import open_app

    return open_app(face.settings)


def _at_once() -> int:
    """Without a flag there is nothing to parse: the first frame does not wait for the command line to load."""
    from ondeck import settings
    from ondeck.errors import OndeckError

    try:
        from tui.app.opening import open_app

        return open_app(settings.load())
    except OndeckError as error:
        from tui.cli.face import report

        return report(error)
