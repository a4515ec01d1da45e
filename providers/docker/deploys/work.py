"""What apply needs to know of a plan, as plain data in the draft; and how an attempt's container is called."""

from __future__ import annotations

import hashlib
import re

import msgspec

from ondeck.errors import BadInput
from ondeck.operate.deploys.work import Work as Common
from providers.docker.runspec import RunSpec

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,240}\Z")
_DIGITS = 12
"""Of the attempt's sha256: as many as Docker shows of an id."""


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """How the release comes to run on one host.

    Attributes:
        spec: From the compose file, as it was when the plan was made.
        kept: Id of the stopped container that is started again in place of a new one; empty for a new one.
        was: What runs, ids: stopped and kept.
        started: Of what runs when the plan was made, as the engine wrote it: tells a restart.
        stop_first: The old one has to go before the new one starts.
    """

    spec: RunSpec = RunSpec()
    kept: str = ""
    kept_started: str = ""
    was: tuple[str, ...] = ()
    started: str = ""
    stop_first: bool = True


class Work(Common, frozen=True, kw_only=True):
    """The provider's part of a plan.

    Attributes:
        image: With its digest: `registry.example.net/shop/checkout@sha256:...`; empty for a restart or a drain.
        size: Bytes to fetch, 0 when not known.
        registry: Whom the image is fetched from.
        ways: How it comes to run, by target.
        secrets: Variable -> reference.
        login: User and reference to the password, where the inventory names them.
    """

    image: str = ""
    size: int = 0
    registry: str = ""
    ways: dict[str, Way] = msgspec.field(default_factory=dict)
    secrets: dict[str, str] = msgspec.field(default_factory=dict)
    login: tuple[str, str] | None = None


def container_name(service: str, attempt: str) -> str:
    """The name that is an attempt's claim, for the engine gives a name only once: short, and always the same.

    Raises:
        BadInput: The service's name is no part of a container's name.
    """
    name = f"{service}.{hashlib.sha256(attempt.encode()).hexdigest()[:_DIGITS]}"
    if not _NAME.match(name):
        raise BadInput(f"{name!r} cannot name a container")
    return name
