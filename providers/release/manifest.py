"""What the provider of releases says of itself."""

from __future__ import annotations

from ondeck.job.services import OPERATIONS
from ondeck.registry import Manifest

MANIFEST = Manifest(
    name="release",
    title="Release folders on plain hosts, and deploys by a command of your own",
    kinds={"deploy.kind": ("release-dir", "command")},
    capabilities={
        "operator": "providers.release.operator:ReleaseOperator",
        "releases": "providers.release.reader:ReleaseReader",
    },
    operations=OPERATIONS,
    needs=("sh", "tar", "sha256sum"),
)
