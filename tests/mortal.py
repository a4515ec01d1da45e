"""The `ondeck` program with a given test manifest: only then its workers obey ONDECK_FAULT_AT."""

from __future__ import annotations

import sys
from typing import Any

from ondeck.operate import launch
from tui.main import main

_SPAWN = launch.spawn


def spawn(*args: Any) -> None:
    """Start a worker as the program does, with a manifest that only tests give."""
    at, settings, mode, secrets, _, route = args
    _SPAWN(at, settings, mode, secrets, ("ondeck.testing.operators:MANIFEST",), route)


if __name__ == "__main__":
    setattr(launch, "spawn", spawn)  # noqa: B010 - the program's own module, replaced for this process
    sys.exit(main())
