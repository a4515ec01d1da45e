"""What apply needs to know of a plan, as plain data in the draft; and the memory of good releases."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ondeck.bench import Bench
from ondeck.operate.wayback import Release, good_releases

_REMEMBERED = 10


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """The provider's part of a plan, as far as every way of deploying has it.

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


def to_remember(bench: Bench, name: str, now: Release) -> dict[str, str]:
    """What to remember once `now` is healthy on every host of a service.

    `good` is the history, `last-good` the release that a rollback from now on goes to. A release that was
    rolled back from stands no longer in the history: going back twice never leads forward to it.
    """
    known = good_releases(bench.remembered, name)
    history = known[known.index(now) :] if now in known else [now, *known]
    facts = {f"good {name}": _write(history[:_REMEMBERED]), f"running {name}": str(now)}
    older = history[1:2]
    facts[f"last-good {name}"] = _write(older or history[:1])
    return facts


def _write(releases: Sequence[Release]) -> str:
    return ", ".join(map(str, releases))
