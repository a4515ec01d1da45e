"""`python -m lab`: what this machine can do, and which hosts of the lab run on it."""

from __future__ import annotations

import sys

from lab.embedded.host import best_way
from lab.machine import report
from lab.real import rootfs


def main() -> None:
    """Print the survey and what follows from it."""
    why = rootfs.missing()
    sys.stdout.write(
        f"{report()}\n\n"
        f"demo hosts (ondeck demo)   kept apart by {best_way().value}\n"
        f"real hosts (tests)         {f'cannot run here: {why}' if why else f'can run; tree in {rootfs.cache()}'}\n"
    )


if __name__ == "__main__":
    main()
