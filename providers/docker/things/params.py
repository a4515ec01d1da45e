"""Parameters of the operations on things."""

from __future__ import annotations

from typing import Annotated

import msgspec

from ondeck.job.spec import Params


class NoParams(Params, frozen=True, kw_only=True):
    """Nothing to say."""


class StopParams(Params, frozen=True, kw_only=True):
    """Parameters of `container.stop` and `container.restart`."""

    grace: Annotated[int, msgspec.Meta(description="Seconds between TERM and KILL", ge=0, le=600)] = 10


class RemoveParams(Params, frozen=True, kw_only=True):
    """Parameters of `container.remove`."""

    force: Annotated[bool, msgspec.Meta(description="Also one that runs, or is kept for a way back")] = False


class ExecParams(Params, frozen=True, kw_only=True):
    """Parameters of `container.exec`."""

    command: Annotated[str, msgspec.Meta(description="What to run in it", examples=["sh", "bash"])] = "sh"
    user: Annotated[str, msgspec.Meta(description="As whom; the container's own user when empty")] = ""


class PullParams(Params, frozen=True, kw_only=True):
    """Parameters of `image.pull`."""

    image: Annotated[
        str,
        msgspec.Meta(
            description="Image with its tag", examples=["registry.example.net/shop/checkout:2.15.0"]
        ),
    ]


class PruneParams(Params, frozen=True, kw_only=True):
    """Parameters of `image.prune`."""

    tagged: Annotated[bool, msgspec.Meta(description="Also images that have a name and no container")] = False
    older: Annotated[
        str, msgspec.Meta(description="Only images that were built longer ago", examples=["24h", "30d"])
    ] = "24h"


class BuildParams(Params, frozen=True, kw_only=True):
    """Parameters of `image.build`."""

    repository: Annotated[
        str,
        msgspec.Meta(description="Git work tree on this machine, absolute or from the inventory's folder"),
    ]
    ref: Annotated[
        str, msgspec.Meta(description="Commit, tag or branch", examples=["v2.15.0", "origin/main"])
    ]
    tag: Annotated[
        str,
        msgspec.Meta(description="Name of the image", examples=["registry.example.net/shop/checkout:2.15.0"]),
    ]
    context: Annotated[str, msgspec.Meta(description="Folder in the repository; its top when empty")] = ""
    dockerfile: Annotated[str, msgspec.Meta(description="File in that folder")] = "Dockerfile"
    push: Annotated[bool, msgspec.Meta(description="Push it to its registry when it is built")] = False


class ScaleParams(Params, frozen=True, kw_only=True):
    """Parameters of `service.scale`."""

    replicas: Annotated[int, msgspec.Meta(description="How many tasks shall run", ge=0, le=10_000)]
