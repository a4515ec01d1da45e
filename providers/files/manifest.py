"""What the reader of other tools' files says of itself."""

from __future__ import annotations

from ondeck.registry import Manifest

MANIFEST = Manifest(
    name="files",
    title="Hosts of an Ansible inventory, clusters of a kubeconfig",
    kinds={"discover.from": ("ansible", "kubeconfig")},
    capabilities={"discovery": "providers.files.discovery:FileDiscovery"},
)
