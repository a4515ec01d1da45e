"""Capability `backups`, the same for every engine: what a repository holds, joined with what was proven."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import msgspec

from ondeck.bench import Bench
from ondeck.errors import BadInput, OndeckError
from ondeck.inventory.backups import Options, seconds_of
from ondeck.inventory.model import Backup
from ondeck.observe.backups import NS, BackupLook, Listed, Promise, Snapshot
from ondeck.observe.proofs import recall, with_proofs
from ondeck.operate.backup import sizes
from ondeck.operate.backup.engine import Engine, Repository, Seat
from ondeck.operate.backup.places import checked, hosted, reader_of, seat_at
from ondeck.text import safe_line

LONGEST = 120.0
"""Seconds that a look may take before timescale; a store far away is slow."""


class BackupReading:
    """Reads backups of one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def look(self, backup: Backup, bench: Bench) -> BackupLook:
        """What is in its repository; never raises for a backup: `error` says why it is not known."""
        empty = BackupLook(name=backup.name, env=backup.env, engine=backup.engine, host=backup.host)
        try:
            options = checked(bench, self._engine, hosted(bench, backup))
            empty = msgspec.structs.replace(empty, promise=promise_of(options))
            async with asyncio.timeout(bench.settings.seconds(LONGEST)):
                return await self._look(backup, options, bench, empty)
        except TimeoutError:
            error = f"no answer within {LONGEST:.0f} s"
        except OndeckError as failed:
            error = safe_line(f"{failed.where}: {failed.message}" if failed.where else failed.message)
        except Exception as failed:  # noqa: BLE001 - an engine's mistake becomes the answer of its backup
            error = safe_line(f"{type(failed).__name__}: {failed}")
        return with_proofs(
            msgspec.structs.replace(empty, error=error, asked=time.time_ns()),
            recall(bench.remembered, backup.name),
        )

    async def _look(self, backup: Backup, options: Any, bench: Bench, empty: BackupLook) -> BackupLook:  # noqa: ANN401
        seat = await seat_at(bench, self._engine.setting(options), reader_of(backup, options))
        found = await self._engine.read(seat, options, backup)
        snapshots = await sizes.filled(self._engine, seat, bench.settings, found.snapshots)
        return looked(empty, found, snapshots, bench)

    async def entries(self, backup: Backup, snapshot: str, path: str, bench: Bench) -> Listed:
        """What a folder of a snapshot holds.

        Raises:
            BadInput: The path is not absolute.
            OndeckError: It cannot be asked, or there is no such snapshot.
        """
        if path and not path.startswith("/"):
            raise BadInput(f"{path!r} is not an absolute path", hint=f"write /{path.lstrip('-')}")
        seat, repository = await self._asked(backup, bench)
        return await self._engine.entries(seat, one_of(repository.snapshots, snapshot), path or "/")

    async def find(self, backup: Backup, pattern: str, bench: Bench) -> Listed:
        """Where a file is, newest snapshot first.

        Raises:
            OndeckError: It cannot be asked.
        """
        seat, repository = await self._asked(backup, bench)
        return await self._engine.find(seat, repository.snapshots, pattern)

    async def differences(self, backup: Backup, one: str, other: str, bench: Bench) -> Listed:
        """What differs from one snapshot to the other.

        Raises:
            OndeckError: It cannot be asked, or there is no such snapshot.
        """
        seat, repository = await self._asked(backup, bench)
        first, second = one_of(repository.snapshots, one), one_of(repository.snapshots, other)
        return await self._engine.differences(seat, first, second)

    async def _asked(self, backup: Backup, bench: Bench) -> tuple[Seat, Repository]:
        options = checked(bench, self._engine, hosted(bench, backup))
        seat = await seat_at(bench, self._engine.setting(options), reader_of(backup, options))
        return seat, await self._engine.read(seat, options, backup)


def promise_of(options: Options) -> Promise:
    """What the inventory promises, in seconds."""
    restore = options.prove.restore
    return Promise(
        every=seconds_of(options.promise.every),
        rpo=seconds_of(options.promise.rpo),
        rto=seconds_of(options.promise.rto),
        read_within=options.read_days * 86_400.0,
        restore_every=seconds_of(restore.every) if restore is not None else 0.0,
    )


def looked(empty: BackupLook, found: Repository, snapshots: Sequence[Snapshot], bench: Bench) -> BackupLook:
    """The look of now, with the proof of every snapshot."""
    look = msgspec.structs.replace(
        empty,
        snapshots=tuple(snapshots),
        others=found.others,
        elsewhere=found.elsewhere,
        locks=found.locks,
        locks_error=found.locks_error,
        skew=found.skew,
        tool=found.tool,
        repository=found.id,
        asked=time.time_ns(),
    )
    return with_proofs(look, recall(bench.remembered, look.name))


def one_of(snapshots: Sequence[Snapshot], word: str) -> Snapshot:
    """The snapshot that a word names; the newest when it is empty.

    Raises:
        NoMatch: It names none, or several.
    """
    from ondeck.errors import NoMatch

    if not snapshots:
        raise NoMatch("there is no snapshot of it")
    if not word:
        now = time.time_ns()
        return next((s for s in snapshots if s.time <= now + 60 * NS), snapshots[0])
    exact = [s for s in snapshots if word in (s.id, s.short)]
    found = exact or [s for s in snapshots if s.id.startswith(word) or s.key.startswith(word)]
    if len(found) != 1:
        what = "names no snapshot of it" if not found else f"names {len(found)} snapshots"
        raise NoMatch(f"{word!r} {what}", hint="ondeck backup list NAME")
    return found[0]
