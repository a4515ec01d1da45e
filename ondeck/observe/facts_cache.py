"""The last known fleet on disk: what the first frame shows, with its age, before anything is asked."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from ondeck.inventory.live import HostFacts
from ondeck.settings import Settings

LIMIT = 16 << 20
_DECODER = msgspec.msgpack.Decoder(list[HostFacts])


def _path(settings: Settings) -> Path:
    return settings.cache / "facts.msgpack"


def load(settings: Settings) -> list[HostFacts]:
    """Facts of the last run; none when there is no cache or it cannot be used: it can be made again."""
    path = _path(settings)
    try:
        facts = path.stat()
        if facts.st_uid != os.getuid() or facts.st_size > LIMIT:
            return []
        return _DECODER.decode(path.read_bytes())
    except (OSError, msgspec.DecodeError):
        return []


def save(settings: Settings, facts: Iterable[HostFacts]) -> None:
    """Keep facts for the next start: 0600, written beside and renamed over.

    Raises:
        OSError: It cannot be written; the caller may go on without.
    """
    path = _path(settings)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    data = msgspec.msgpack.encode(list(facts))
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise
