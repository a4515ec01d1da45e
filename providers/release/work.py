"""What apply needs to know of a plan, as plain data in the draft."""

from __future__ import annotations

from ondeck.operate.deploys import work


class Work(work.Work, frozen=True, kw_only=True):
    """The provider's part of a plan.

    Attributes:
        archive: Path on the bastion; empty when it is not there or there is none by design.
    """

    archive: str = ""
