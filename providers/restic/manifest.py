"""What restic is to ondeck, without importing what runs it."""

from __future__ import annotations

from ondeck.job.backups import OPERATIONS
from ondeck.registry import Manifest

MANIFEST = Manifest(
    name="restic",
    title="Backups with restic",
    kinds={"backup.engine": ("restic",)},
    capabilities={
        "backups": "providers.restic.capabilities:ResticBackups",
        "operator": "providers.restic.capabilities:ResticOperator",
    },
    operations=OPERATIONS,
)
