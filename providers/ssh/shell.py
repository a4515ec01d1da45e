"""Capability `shell`: an interactive session with the system's ssh, on the user's own terminal."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from ondeck.inventory.model import Host, Inventory
from ondeck.reach.command import with_env
from ondeck.reach.ports import Become
from providers.ssh.argv import options
from providers.ssh.endpoint import Endpoints


class SshShell:
    """Knows the argv; who runs it is the face."""

    def shell_argv(
        self, inventory: Inventory, host: Host, *, become: Become | None = None, command: Sequence[str] = ()
    ) -> Sequence[str]:
        """The local command to run in place of the app; escape characters stay ssh's own.

        Raises:
            BadInput: The inventory's words for this host, or the command, cannot be used.
        """
        endpoints = Endpoints(inventory)
        endpoint = endpoints.of(host)
        words = ["ssh", "-t", *options(endpoint, inventory.ssh.config, endpoints.known_hosts())]
        remote = with_env(command, None) if command else []
        if become is not None and become.user != endpoint.user:
            # Here a person sits at the terminal: sudo may ask.
            remote = (
                ["sudo", "-u", become.user, "--", *remote] if remote else ["sudo", "-u", become.user, "-i"]
            )
        words += ["--", host.name]
        return [*words, shlex.join(remote)] if remote else words
