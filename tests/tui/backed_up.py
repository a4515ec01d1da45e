"""A made-up fleet with backups in every state, for the screens."""

from __future__ import annotations

from typing import Any

import msgspec

from ondeck.inventory.model import Backup, Inventory
from ondeck.job.backups import OPERATIONS
from ondeck.job.spec import OperationSpec
from ondeck.observe.asking import Question
from ondeck.observe.backups import (
    BackupLook,
    Damage,
    Entry,
    LastRestore,
    Listed,
    Promise,
    Proof,
    RepositoryLock,
    Snapshot,
)
from tests.tui.stage import NOW, FakeSession, M, S
from tui.app.views import Known

H, D = 60 * M, 24 * 60 * M
PROMISE = Promise(every=3600, rpo=7200, rto=3600, restore_every=30 * 86400)


def snapshot(number: int, ago: int, **more: Any) -> Snapshot:
    """One that began so long ago."""
    identity = f"{number:x}0ffee{number:02d}" + "0" * 56
    plain: dict[str, Any] = {"host": "db-1", "size": 4_400_000_000 + number * 10_000_000, "files": 1}
    return Snapshot(id=identity, short=identity[:8], key=identity, time=NOW - ago, **{**plain, **more})


ORDERS = tuple(
    snapshot(n, n * H + 4 * M, proof=Proof.RESTORED if n == 3 else Proof.READ if n > 3 else Proof.CREATED,
             proved=NOW - 2 * D if n > 2 else 0, held=n == 9)
    for n in range(1, 15)
)  # fmt: skip
LOOKS = {
    "orders-db": BackupLook(
        name="orders-db", env="prod", engine="restic", host="db-1", promise=PROMISE, snapshots=ORDERS,
        asked=NOW - 40 * S, tool="restic 0.14.0", others=2,
        last_restore=LastRestore(NOW - 12 * D, 2460.0, 4_400_000_000, ORDERS[2].key, "stg-1", True),
    ),
    "wiki": BackupLook(
        name="wiki", env="prod", engine="borg", host="web-1", promise=PROMISE,
        snapshots=(snapshot(1, 5 * H, size=90_000_000),), asked=NOW - 9 * S, tool="borg 1.2.4",
        damage=Damage(NOW - 3 * H, "part 3/28: pack 9f3c1a does not match"),
        locks=(RepositoryLock(id="l", host="web-1", pid=4711, since=NOW - 2 * H, alive=False),),
    ),
    "media": BackupLook(name="media", env="prod", engine="restic", host="web-2", promise=PROMISE, asked=NOW - 5 * S,
                        error="the repository is locked exclusively"),
}  # fmt: skip


class WithBackups(FakeSession):
    """With three backups: one as it should be, one damaged and late, one that cannot be asked; a fourth is asking."""

    def __init__(self) -> None:
        super().__init__()
        self.inventory = with_backups(self.inventory)
        for name, look in LOOKS.items():
            self.known_answers[Question("backups", "backups", name)] = Known(answer=look, asked=look.asked)
        root = (
            Entry(path="/srv", kind="dir"),
            Entry(path="/orders.dump", kind="file", size=4_400_000_000, mtime=NOW - H),
        )
        folder = Question("entries", "backups", "orders-db", ORDERS[0].short, "/")
        self.known_answers[folder] = Known(answer=Listed(entries=root), asked=NOW)

    def specs(self) -> tuple[OperationSpec, ...]:
        return (*super().specs(), *OPERATIONS)


def with_backups(inventory: Inventory) -> Inventory:
    names = (*LOOKS, "young")
    backups = {n: Backup(name=n, engine="restic", host="db-1", env="prod") for n in names}
    return msgspec.structs.replace(inventory, backups=backups)
