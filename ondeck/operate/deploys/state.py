"""What one host has and runs of a service, however it is read."""

from __future__ import annotations

import msgspec

from ondeck.errors import OndeckError
from ondeck.operate.wayback import Release
from ondeck.text import safe_line

SHORT = 12
"""How many characters of a digest are shown."""


class Kept(msgspec.Struct, frozen=True):
    """A release that lies on a host; `when` is when it was unpacked, ns."""

    version: str
    sha256: str = ""
    when: int = 0
    migrated: tuple[str, ...] = ()


class HostState(msgspec.Struct, frozen=True, kw_only=True):
    """Facts of one host; None and empty mean not known.

    Attributes:
        version: What `current` names, or what the version command said.
        digest: sha256 of that release.
        since: When it was switched on, ns.
        kept: Releases on the host, newest first.
        free: Bytes free where the releases lie.
        offset: Host clock minus ours, seconds.
        drained: Who drained it, empty when it is in; None when not known.
        unit: Properties of the systemd unit.
    """

    host: str
    version: str = ""
    digest: str = ""
    since: int = 0
    kept: tuple[Kept, ...] = ()
    free: int | None = None
    offset: float | None = None
    drained: str | None = None
    previous: str = ""
    unit: dict[str, str] = {}

    def has(self, version: str) -> Kept | None:
        """The kept release of that version."""
        return next((kept for kept in self.kept if kept.version == version), None)

    @property
    def release(self) -> Release:
        """What it runs."""
        return Release(self.version, self.digest)

    def label(self) -> str:
        """As preconditions name it: `2.15.0 9f3c1a2b3c4d`, or `none`."""
        return labelled(self.version, self.digest)


def labelled(version: str, digest: str) -> str:
    """A release in one short text."""
    return f"{version} {digest[:SHORT]}".strip() if version else "none"


def why(error: BaseException) -> str:
    """One line for an error that kept a host from being asked."""
    if isinstance(error, OndeckError):
        return error.message
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return safe_line(str(error)) or type(error).__name__
