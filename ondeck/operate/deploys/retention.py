"""Which releases a host keeps."""

from __future__ import annotations

from collections.abc import Sequence

from ondeck.operate.deploys.state import HostState
from ondeck.operate.wayback import Release


def to_remove(
    state: HostState, coming: Release, keep: int, good: Sequence[Release], protect: Sequence[str] = ()
) -> tuple[str, ...]:
    """Versions to remove once `coming` runs, oldest last.

    Never: the release that comes, the one that runs now, the one before it, the newest two good ones.

    Args:
        state: What lies on the host.
        coming: The release that will run.
        keep: How many of the newest stay, the coming one counted.
        good: Good releases, newest first.
        protect: More versions to leave alone.
    """
    safe = {coming.version, state.version, state.previous, *protect, *(r.version for r in good[:2])}
    others = [kept.version for kept in state.kept if kept.version != coming.version]
    newest = others[: max(0, keep - 1)]
    return tuple(version for version in others if version not in safe and version not in newest)
