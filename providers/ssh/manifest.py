"""What the SSH transport says of itself; imports no SSH library."""

from __future__ import annotations

from ondeck.registry import Manifest

MANIFEST = Manifest(
    name="ssh",
    title="Hosts over SSH",
    kinds={"host.transport": ("ssh",)},
    capabilities={
        "reach": "providers.ssh.reach:SshTransport",
        "shell": "providers.ssh.shell:SshShell",
        "trust": "providers.ssh.trust:SshTrust",
        "live_check": "providers.ssh.checklive:SshLiveCheck",
        "credentials": "providers.ssh.credentials:SshCredentials",
    },
    needs=("python:asyncssh", "ssh"),
)
