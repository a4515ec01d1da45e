"""The entry of the command `ondeck`: it stands outside both faces and chooses between them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tui.cli import root

if TYPE_CHECKING:
    from tui.cli.face import Face


def main() -> int:
    """Run a verb, or open the full screen when none was given; returns the exit code."""
    return root.main(sys.argv[1:], screen=_screen)


def _screen(face: Face) -> int:
    from tui.app.opening import open_app

    return open_app(face.settings)
