"""What has to be typed before a keyring opens, asked for while the terminal is still a plain one."""

from __future__ import annotations

import getpass
import os
import sys

from ondeck.inventory.model import Inventory, SecretSource
from ondeck.settings import Settings

TRIES = 3


def ask_before_drawing(settings: Settings, inventory: Inventory) -> None:
    """Ask for the password of the encrypted keyring, where the inventory wants that one and nobody gave it yet.

    An empty line goes on without it: what needs the keyring then says that it is not open. Everywhere else
    nothing is loaded and nobody is asked.
    """
    source = inventory.secrets.get("keyring")
    if source is None or source.options.get("backend") != "cryptfile":
        return
    if os.environ.get("ONDECK_KEYRING_PASSWORD_FILE"):
        return
    _ask(settings, inventory, source)


def _ask(settings: Settings, inventory: Inventory, source: SecretSource) -> None:
    from ondeck.capabilities import Capabilities
    from ondeck.errors import OndeckError
    from ondeck.inventory.secretrefs import Reference
    from ondeck.operate.ports import SecretQuestion, SecretStore
    from ondeck.registry import Registry
    from ondeck.secret import Secret

    asked = SecretQuestion(
        reference=Reference("keyring", "none"),
        options=source.options,
        root=inventory.revision.root,
        environ=os.environ,
        settings=settings,
        inner=Secret,
    )
    store: SecretStore = Capabilities(Registry()).secrets("keyring", "secret_store")
    wanted = store.wants(asked)
    for _ in range(TRIES if wanted else 0):
        try:
            typed = getpass.getpass(f"{wanted} (empty goes on without it): ")
        except (EOFError, KeyboardInterrupt):
            sys.stderr.write("\n")
            return
        if not typed:
            return
        try:
            store.unlock(asked, Secret(typed))
        except OndeckError as error:
            sys.stderr.write(f"ondeck: {error.message}\n")
            continue
        return
