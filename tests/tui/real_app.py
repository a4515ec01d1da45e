"""The real app with a key that breaks it: `python -m tests.tui.real_app`, settings from the environment.

`y` raises with a secret in a local variable; all else is as `ondeck` without a verb.
"""

from __future__ import annotations

import os

from ondeck import settings
from tui.app.deeds import Deeds
from tui.app.opening import open_app


def _break(deeds: Deeds) -> None:
    canary = os.environ.get("CANARY", "") + "-local"
    raise RuntimeError("broke on purpose" if canary else "")


Deeds.copy_name = _break  # type: ignore[method-assign]

if __name__ == "__main__":
    raise SystemExit(open_app(settings.load()))
