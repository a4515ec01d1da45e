"""Where a rollback leads: decided once, for the plan and for every face that promises it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec

from ondeck.observe.records import ReleaseFacts


class Release(msgspec.Struct, frozen=True):
    """A version and the sha256 of its archive; the digest is empty where there is no archive."""

    version: str
    sha256: str = ""

    def __str__(self) -> str:
        return f"{self.version} sha256:{self.sha256}" if self.sha256 else self.version


class Runs(msgspec.Struct, frozen=True):
    """What one host runs, and what it keeps as (when it was unpacked in ns, version)."""

    release: Release
    kept: tuple[tuple[int, str], ...] = ()


class Way(msgspec.Struct, frozen=True):
    """Where it leads; `recorded` is False when the record knows no good release and a kept one is taken."""

    release: Release
    recorded: bool = True


def way_back(good: Sequence[Release], hosts: Sequence[Runs]) -> Way | None:
    """The newest good release that is not what all hosts run; else the newest kept one from before what runs.

    Going back never leads to a release that came after the one that runs.

    Args:
        good: As recorded, newest first.
        hosts: Every host that answered.
    """
    release = last_good(good, [host.release for host in hosts])
    if release is not None:
        return Way(release)
    live = {host.release.version for host in hosts if host.release.version}
    kept_at = [entry for host in hosts for entry in host.kept]
    since = max((when for when, version in kept_at if version in live), default=0)
    kept = max(((when, v) for when, v in kept_at if v not in live and when < since), default=None)
    return Way(Release(kept[1]), recorded=False) if kept is not None else None


def way_of(remembered: Callable[[str], str], subject: str, facts: Iterable[ReleaseFacts]) -> str:
    """The version that a rollback of `checkout@prod` leads to; empty when none is known."""
    hosts = [
        Runs(Release(f.version, f.digest), tuple(zip(f.kept_at, f.kept, strict=False)))
        for f in facts
        if not f.error
    ]
    way = way_back(good_releases(remembered, subject), hosts) if hosts else None
    return way.release.version if way is not None else ""


def last_good(good: Sequence[Release], running: Iterable[Release]) -> Release | None:
    """The newest good release that is not what all targets run already."""
    now = set(running)
    return next((release for release in good if now != {release}), None)


def good_releases(remembered: Callable[[str], str], subject: str) -> list[Release]:
    """Releases that were healthy on every host of a service after a job of ours, newest first."""
    good = read(remembered(f"good {subject}"))
    last = read(remembered(f"last-good {subject}"))
    return good + [release for release in last if release not in good]


def read(text: str) -> list[Release]:
    """Releases as they are remembered: `2.15.0 sha256:9f.., 2.14.0 sha256:41..`."""
    found = []
    for entry in text.split(", "):
        version, _, digest = entry.strip().partition(" sha256:")
        if version:
            found.append(Release(version, digest))
    return found
