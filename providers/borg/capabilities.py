"""What the manifest names: borg's engine under the common reader and the common operator."""

from __future__ import annotations

from ondeck.operate.backup.operator import BackupOperator
from ondeck.operate.backup.reading import BackupReading
from providers.borg.engine import Borg


class BorgBackups(BackupReading):
    """Capability `backups` of borg."""

    def __init__(self) -> None:
        super().__init__(Borg())


class BorgOperator(BackupOperator):
    """Capability `operator` of borg."""

    def __init__(self) -> None:
        super().__init__(Borg())
