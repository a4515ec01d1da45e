"""Ports of this machine's own loopback, and waiting until somebody listens on one."""

from __future__ import annotations

import socket
import time

from ondeck.errors import Missing

ADDRESS = "127.0.0.1"


def free_port() -> int:
    """A port that nobody has just now."""
    with socket.socket() as probe:
        probe.bind((ADDRESS, 0))
        return int(probe.getsockname()[1])


def wait_for(port: int, what: str, seconds: float = 30.0) -> None:
    """Until something accepts there.

    Raises:
        Missing: Nothing does in time.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            socket.create_connection((ADDRESS, port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise Missing(f"{what} does not listen on port {port}")
