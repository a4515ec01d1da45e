"""An interactive shell on this machine."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ondeck.inventory.model import Host, Inventory
from ondeck.reach.ports import Become


class LocalShell:
    """Capability `shell`: the user's login shell, or another user's through sudo."""

    def shell_argv(
        self, inventory: Inventory, host: Host, *, become: Become | None = None, command: Sequence[str] = ()
    ) -> Sequence[str]:
        """The local command to run in place of the app; `host` is always this machine."""
        if become is not None:
            return ("sudo", "-u", become.user, *(("--", *command) if command else ("-i",)))
        return tuple(command) or (os.environ.get("SHELL") or "/bin/sh", "-l")
