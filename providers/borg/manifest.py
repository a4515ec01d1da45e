"""What borg is to ondeck, without importing what runs it."""

from __future__ import annotations

from ondeck.job.backups import OPERATIONS
from ondeck.registry import Manifest

MANIFEST = Manifest(
    name="borg",
    title="Backups with borg",
    kinds={"backup.engine": ("borg",)},
    capabilities={
        "backups": "providers.borg.capabilities:BorgBackups",
        "operator": "providers.borg.capabilities:BorgOperator",
    },
    operations=OPERATIONS,
)
