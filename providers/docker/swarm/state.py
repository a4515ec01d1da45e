"""A service of a swarm as its managers tell it: what shall run, what runs, how its update stands."""

from __future__ import annotations

from typing import Any

import msgspec

from ondeck.errors import Missing, NoMatch
from ondeck.operate.wayback import Release
from ondeck.text import safe_line
from providers.docker.client import Client
from providers.docker.deploys.state import ATTEMPT, DIGEST, VERSION
from providers.docker.lists.swarm import image_of, reason, wanted

WORKING = ("updating", "rollback_started")
STOPPED = ("paused", "rollback_paused", "rollback_completed")


class SwarmState(msgspec.Struct, frozen=True, kw_only=True):
    """A service now.

    Attributes:
        index: Its version index: any change makes it another.
        digest: Digits of the digest that its specification names; empty when it names none.
        update: State of its last update; empty where there was none since the last change.
        wanted: Tasks that shall run; None when its mode does not say.
        fresh: Tasks that run with the digest of the specification, on nodes that are up.
        stale: Tasks that run with another one, or on a node that is not up.
        reasons: Why tasks of the specification's image failed, newest first.
    """

    id: str
    name: str
    index: int
    spec: dict[str, Any]
    version: str = ""
    digest: str = ""
    attempt: str = ""
    update: str = ""
    message: str = ""
    wanted: int | None = None
    fresh: int = 0
    stale: int = 0
    reasons: tuple[str, ...] = ()

    @property
    def release(self) -> Release:
        """What its specification asks for."""
        return Release(self.version, self.digest)

    @property
    def settled(self) -> bool:
        """Exactly what shall run runs, and nothing goes on."""
        return self.update not in (*WORKING, *STOPPED) and self.fresh == self.wanted and not self.stale

    def label(self) -> str:
        """As preconditions name it."""
        image = f"{self.version} {self.digest[:12]}".strip()
        return f"{image}, {'?' if self.wanted is None else self.wanted} wanted, index {self.index}"

    def told(self) -> str:
        """How many of how many run, in words."""
        want = "?" if self.wanted is None else str(self.wanted)
        text = f"{self.fresh} of {want} tasks run {self.version or self.digest[:12]}"
        if self.stale:
            text += f", {self.stale} run something else"
        if self.update:
            text += f", update {self.update}"
        if self.message and self.update in STOPPED:
            text += f": {self.message}"
        if self.reasons and not self.settled:
            text += f"; last failure: {self.reasons[0]}"
        return text


async def look(engine: Client, name: str) -> SwarmState:
    """Read a service.

    Raises:
        NoMatch: The swarm has no such service.
        LinkLost, Unreachable, RemoteFailed: It cannot be asked.
    """
    try:
        said = await engine.ask(lambda api: api.inspect_service(name))
    except Missing as error:
        raise NoMatch(
            f"the swarm {engine.where} has no service {name!r}",
            hint="it is made once with `docker stack deploy` or `docker service create`",
        ) from error
    tasks = await engine.ask(lambda api: api.tasks(filters={"service": str(said["ID"])}))
    nodes = await engine.ask(lambda api: api.nodes())
    up = {str(one["ID"]) for one in nodes if (one.get("Status") or {}).get("State") == "ready"}
    return _state(said, tasks, up)


def _state(said: dict[str, Any], tasks: list[dict[str, Any]], up: set[str]) -> SwarmState:
    spec, update = said["Spec"], said.get("UpdateStatus") or {}
    labels = spec.get("Labels") or {}
    image = image_of(spec)
    digest = image.partition("@sha256:")[2]
    tag = image.partition("@")[0].rpartition("/")[2].partition(":")[2]
    # The label speaks only of the image that it was written with.
    labelled = str(labels.get(DIGEST, "")).removeprefix("sha256:") == digest and digest
    force = int((spec.get("TaskTemplate") or {}).get("ForceUpdate", 0))
    running = [
        t for t in tasks if t["Status"].get("State") == "running" and t.get("DesiredState") == "running"
    ]
    fresh = [t for t in running if _image(t) == image and _force(t) == force and t.get("NodeID") in up]
    failed = [t for t in tasks if _image(t) == image and _force(t) == force and reason(t)]
    failed.sort(key=lambda t: str(t["Status"].get("Timestamp", "")), reverse=True)
    return SwarmState(
        id=str(said["ID"]),
        name=safe_line(str(spec.get("Name", ""))),
        index=int((said.get("Version") or {}).get("Index", 0)),
        spec=spec,
        version=safe_line(str(labels.get(VERSION, "")) if labelled else tag),
        digest=safe_line(digest),
        attempt=safe_line(str(labels.get(ATTEMPT, ""))),
        update=safe_line(str(update.get("State", ""))),
        message=safe_line(str(update.get("Message", ""))),
        wanted=wanted(spec, len(up)),
        fresh=len(fresh),
        stale=len(running) - len(fresh),
        reasons=tuple(reason(t) for t in failed[:5]),
    )


def _image(task: dict[str, Any]) -> str:
    return str(((task.get("Spec") or {}).get("ContainerSpec") or {}).get("Image", ""))


def _force(task: dict[str, Any]) -> int:
    return int((task.get("Spec") or {}).get("ForceUpdate", 0))
