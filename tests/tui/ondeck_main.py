"""`python -m tests.tui.ondeck_main ...`: the command `ondeck` of this checkout."""

from __future__ import annotations

from tui.main import main

if __name__ == "__main__":
    raise SystemExit(main())
