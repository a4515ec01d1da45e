"""Sizes of snapshots: of tools that do not list them they are asked once a snapshot and kept in the cache.

A snapshot never changes, so what was measured of it stays true; what is kept can be made again.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from ondeck.errors import RemoteFailed
from ondeck.observe.backups import Snapshot
from ondeck.operate.backup.engine import Engine, Seat
from ondeck.settings import Settings

NEWEST = 8
"""The newest one and the seven that it is compared with."""
AT_ONCE = 3
"""Snapshots that one look measures at most: each may read through all its trees."""
_MOST = 4000


async def filled(
    engine: Engine, seat: Seat, settings: Settings, snapshots: Sequence[Snapshot]
) -> tuple[Snapshot, ...]:
    """The snapshots with sizes as far as they are known, the newest first of all.

    Raises:
        Unreachable, LinkLost, TimeoutError: It could not be asked.
    """
    path = settings.cache / "backup-sizes.json"
    known = _read(path)
    unknown = [s for s in snapshots[:NEWEST] if s.size is None and s.key not in known][:AT_ONCE]
    fresh: dict[str, tuple[int, int]] = {}
    for snapshot in unknown:
        try:
            fresh[snapshot.key] = await engine.measure(seat, snapshot)
        except RemoteFailed:
            continue  # its size is not known, which shows; whether it is whole is for a check to say
    if fresh:
        _write(path, known | fresh)
    known |= fresh
    return tuple(
        msgspec.structs.replace(s, size=known[s.key][0], files=known[s.key][1])
        if s.size is None and s.key in known
        else s
        for s in snapshots
    )


def _read(path: Path) -> dict[str, tuple[int, int]]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, tuple[int, int]])
    except (OSError, msgspec.DecodeError):
        return {}


def _write(path: Path, known: dict[str, tuple[int, int]]) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(msgspec.json.encode(dict(list(known.items())[-_MOST:])))
        Path(file.name).replace(path)
    except OSError:
        return  # a cache that cannot be written is asked again
