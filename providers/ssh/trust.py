"""Capability `trust`: ask a host for its key without logging in, and say what is recorded."""

from __future__ import annotations

import asyncio

from ondeck.errors import OndeckError, Unreachable
from ondeck.inventory.model import Host, Inventory
from ondeck.reach.ports import Scanned
from ondeck.settings import Settings
from providers.ssh.connect import Connector, host_key_algorithms
from providers.ssh.endpoint import Endpoint, Endpoints
from providers.ssh.hostkeys import HostKeys, Recorded, Verdict
from providers.ssh.library import asyncssh
from providers.ssh.reach import SshReach


class SshTrust:
    """Scans; a reach of its own carries the scan through jump hosts."""

    async def scan(self, inventory: Inventory, settings: Settings, host: Host) -> Scanned:
        """Ask the host for its key; logs in nowhere but on its jump hosts.

        Raises:
            Unreachable: No answer.
        """
        endpoints = Endpoints(inventory)
        endpoint = endpoints.of(host)
        host_keys = HostKeys(endpoints.known_hosts())
        recorded = await asyncio.to_thread(
            host_keys.recorded, endpoint.known_as, endpoint.port, endpoint.known_hosts
        )
        key = await self._offered(inventory, settings, endpoint, recorded)
        verdict = recorded.judge(key)
        was = ", ".join(one.get_fingerprint() for one in recorded.keys) if verdict is Verdict.CHANGED else ""
        word = "changed" if verdict is Verdict.REVOKED else verdict.value
        line = key.export_public_key("openssh").decode().strip()
        return Scanned(host.name, " ".join(line.split()[:2]), key.get_fingerprint(), word, was)

    async def _offered(
        self, inventory: Inventory, settings: Settings, endpoint: Endpoint, recorded: Recorded
    ) -> asyncssh.SSHKey:
        if endpoint.jump is None:
            return await offered(Connector(settings, HostKeys(())), endpoint, recorded, None)
        reach = SshReach(inventory, settings)
        try:
            tunnel = await reach.tunnel(endpoint)
            return await offered(Connector(settings, HostKeys(())), endpoint, recorded, tunnel)
        finally:
            await reach.aclose()

    def known_hosts_line(self, inventory: Inventory, host: Host, scanned: Scanned) -> str:
        """The line to append to the repository's known_hosts file."""
        endpoint = Endpoints(inventory).of(host)
        name = endpoint.known_as if endpoint.port == 22 else f"[{endpoint.known_as}]:{endpoint.port}"
        return f"{name} {scanned.line}"


async def offered(
    connector: Connector,
    endpoint: Endpoint,
    recorded: Recorded,
    tunnel: asyncssh.SSHClientConnection | None,
) -> asyncssh.SSHKey:
    """The key that a host shows, of a recorded kind if it has one.

    Raises:
        Unreachable: It shows none.
    """
    plain = Recorded(keys=recorded.keys)
    try:
        key = await connector.scan(endpoint, host_key_algorithms(plain), tunnel)
    except OndeckError:
        raise
    except (OSError, asyncssh.Error) as error:
        raise connector.explain(endpoint, error) from error
    if key is None:
        raise Unreachable("it showed no host key", where=endpoint.name)
    return key
