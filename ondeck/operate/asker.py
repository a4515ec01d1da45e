"""Who sits at this process, as kernel and login tell it; for consent and audit."""

from __future__ import annotations

import os
from typing import TypedDict


class Asker(TypedDict):
    """User id, SSH_CLIENT (empty when local) and terminal (empty without one)."""

    uid: int
    ssh: str
    tty: str


def asker() -> Asker:
    """Of this process."""
    try:
        tty = os.ttyname(0)
    except OSError:
        tty = ""
    return Asker(uid=os.getuid(), ssh=os.environ.get("SSH_CLIENT", ""), tty=tty)
