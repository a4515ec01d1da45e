"""The three standard streams: always there, so that no file of ours ever takes their place."""

from __future__ import annotations

import fcntl
import os
import sys

FIRST = 3
"""The first descriptor that is no standard stream."""


def fill() -> None:
    """Open the null device onto each standard stream that is closed; first thing in every program.

    A descriptor of ours below 3 would be overwritten when a child gets its own streams, and a lock on it be
    lost; Python itself shows a closed stream as None.
    """
    for number in range(FIRST):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number is given, and all below are open by now.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - lives as long as the program
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115


def beyond(fd: int) -> int:
    """The same open file under a descriptor that is no standard stream; the other one is closed.

    Raises:
        OSError: There are no descriptors left.
    """
    if fd >= FIRST:
        return fd
    try:
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, FIRST)
    finally:
        os.close(fd)
