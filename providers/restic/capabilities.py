"""What the manifest names: restic's engine under the common reader and the common operator."""

from __future__ import annotations

from ondeck.operate.backup.operator import BackupOperator
from ondeck.operate.backup.reading import BackupReading
from providers.restic.engine import Restic


class ResticBackups(BackupReading):
    """Capability `backups` of restic."""

    def __init__(self) -> None:
        super().__init__(Restic())


class ResticOperator(BackupOperator):
    """Capability `operator` of restic."""

    def __init__(self) -> None:
        super().__init__(Restic())
