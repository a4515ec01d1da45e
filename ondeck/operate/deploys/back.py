"""Which release a rollback leads to."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ondeck.errors import BadInput
from ondeck.operate.deploys.state import HostState
from ondeck.operate.deploys.survey import Survey
from ondeck.operate.wayback import Release, Runs, way_back


def where_back(
    to: str, found: Survey, good: list[Release], version_of: Callable[[str], str]
) -> tuple[Release, str, tuple[str, ...]]:
    """The release, in brackets why, and what the plan has to say about it.

    Args:
        to: A version that was named; empty for the last good one.
        found: The hosts as they are.
        good: Good releases, newest first.
        version_of: Checks a version that was typed.

    Raises:
        BadInput: None is known to go back to.
    """
    if to:
        version = version_of(to)
        known = next((r for r in good if r.version == version), Release(version))
        return known, "as asked", ()
    states = [found.state(host.name) for host in found.answered()]
    hosts = [Runs(s.release, tuple((kept.when, kept.version) for kept in s.kept)) for s in states]
    way = way_back(good, hosts)
    if way is not None and way.recorded:
        release = way.release
        strange = sorted({h.release.version for h in hosts if h.release.version and h.release not in good})
        note = f"{', '.join(strange)} runs and was never recorded as good: last good is from before it"
        return release, "last good", (note,) if strange else ()
    if way is None:
        raise _nothing_older(found, states)
    live = ", ".join(sorted({s.version for s in states if s.version}))
    warning = f"no last good release is recorded: {way.release} is the newest kept one from before {live}"
    return way.release, "newest kept", (warning,)


def _nothing_older(found: Survey, states: Sequence[HostState]) -> BadInput:
    live = {s.version for s in states if s.version}
    later = sorted(
        {(k.when, k.version) for s in states for k in s.kept if k.version not in live}, reverse=True
    )
    kept = f"; kept, but newer: {', '.join(version for _, version in later)}" if later else ""
    runs = ", ".join(sorted(live)) or "nothing"
    return BadInput(
        f"no release to go back to is known for {found.name}: it runs {runs}, and nothing older is kept",
        hint=f"name one: ondeck rollback SERVICE@ENV --to VERSION{kept}",
    )
