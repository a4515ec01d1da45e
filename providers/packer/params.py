"""Parameters of the operations on builds."""

from __future__ import annotations

from typing import Annotated

import msgspec

from ondeck.job.spec import Params


class RunParams(Params, frozen=True, kw_only=True):
    """Parameters of `build.run`."""

    ref: Annotated[
        str,
        msgspec.Meta(description="Commit, tag or branch to build in place of its own", examples=["v2.15.0"]),
    ] = ""


class PromoteParams(Params, frozen=True, kw_only=True):
    """Parameters of `build.promote`; which artifact is named behind the build: `BUILD/ARTIFACT`."""
