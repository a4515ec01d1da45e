"""What the provider of this machine says of itself."""

from __future__ import annotations

from ondeck.registry import Manifest

MANIFEST = Manifest(
    name="local",
    title="This machine, through child processes",
    kinds={"host.transport": ("local",)},
    capabilities={
        "reach": "providers.local.reach:LocalTransport",
        "shell": "providers.local.shell:LocalShell",
    },
    needs=("sh",),
)
