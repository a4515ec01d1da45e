"""What apply needs to know of a plan, as plain data in the draft; and the memory of good releases."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from ondeck.operate.ports import Bench

_REMEMBERED = 10


class Release(msgspec.Struct, frozen=True):
    """A version and the sha256 of its archive; the digest is empty for `kind: command`."""

    version: str
    sha256: str = ""

    def __str__(self) -> str:
        return f"{self.version} sha256:{self.sha256}" if self.sha256 else self.version


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """The provider's part of a plan.

    Attributes:
        before: What each target ran when the plan was made.
        present: Targets that have the release already.
        unchanged: Targets that ran it already and were healthy.
        prune: Versions that the retention removes, by target.
        migrations: Names of the commands before the deploy that have to run.
        pinned: The target that runs what has to run once.
    """

    operation: str
    service: str
    env: str
    by: str = ""
    release: Release = Release("")
    archive: str = ""
    before: dict[str, Release] = {}
    present: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    prune: dict[str, tuple[str, ...]] = {}
    migrations: tuple[str, ...] = ()
    pinned: str = ""

    @property
    def name(self) -> str:
        """`checkout@prod`."""
        return f"{self.service}@{self.env}"


def good_releases(bench: Bench, name: str) -> list[Release]:
    """Releases that were healthy on every host of a service after a job of ours, newest first."""
    good = _read(bench.remembered(f"good {name}"))
    last = _read(bench.remembered(f"last-good {name}"))
    return good + [release for release in last if release not in good]


def to_remember(bench: Bench, name: str, now: Release) -> dict[str, str]:
    """What to remember once `now` is healthy on every host of a service.

    `good` is the history, `last-good` the release that a rollback from now on goes to. A release that was
    rolled back from stands no longer in the history: going back twice never leads forward to it.
    """
    known = good_releases(bench, name)
    history = known[known.index(now) :] if now in known else [now, *known]
    facts = {f"good {name}": _write(history[:_REMEMBERED]), f"running {name}": str(now)}
    older = history[1:2]
    facts[f"last-good {name}"] = _write(older or history[:1])
    return facts


def last_good(good: Sequence[Release], running: Iterable[Release]) -> Release | None:
    """The newest good release that is not what all targets run already."""
    now = set(running)
    return next((release for release in good if now != {release}), None)


def _write(releases: Sequence[Release]) -> str:
    return ", ".join(map(str, releases))


def _read(text: str) -> list[Release]:
    found = []
    for entry in text.split(", "):
        version, _, digest = entry.strip().partition(" sha256:")
        if version:
            found.append(Release(version, digest))
    return found
