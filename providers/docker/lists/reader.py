"""Capability `resources`: every list of the manifest, and one thing of each in full."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from ondeck.bench import Bench
from ondeck.errors import BadInput, OndeckError
from ondeck.inventory.model import Cluster, Host, Place
from ondeck.observe.resources import Listing, Resource
from ondeck.text import safe_line
from providers.docker.client import Client, words
from providers.docker.engine import engine_of
from providers.docker.lists import containers, images, swarm
from providers.docker.lists.stats import Stats

Rows = Callable[[Client], Awaitable[list[Resource]]]
Describe = Callable[[Client, str], Awaitable[dict[str, Any]]]


class DockerResources:
    """Reads lists of engines and swarms; remembers nothing but the last load of each container."""

    def __init__(self) -> None:
        self._stats = Stats()
        self._kinds: dict[str, tuple[Rows, Describe]] = {
            "containers": (lambda engine: containers.rows(engine, self._stats), containers.describe),
            "images": (images.rows, images.describe),
            "networks": (images.networks, images.describe_network),
            "volumes": (images.volumes, images.describe_volume),
            "swarm-nodes": (swarm.nodes, swarm.describe_node),
            "swarm-services": (swarm.services, swarm.describe_service),
            "swarm-tasks": (swarm.tasks, swarm.describe_task),
        }

    async def list(self, kind: str, place: Place, bench: Bench) -> Listing:
        """Everything of a kind in a place; see `ondeck.observe.ports.ResourceReader`."""
        try:
            async with engine_of(_engine(place), bench) as engine:
                rows = await self._kind(kind)[0](engine)
        except (OndeckError, TimeoutError, OSError) as error:
            return Listing(kind=kind, place=place.name, error=safe_line(words(error)))
        return Listing(kind=kind, place=place.name, rows=tuple(rows), asked=time.time_ns())

    async def describe(self, kind: str, place: Place, name: str, bench: Bench) -> Mapping[str, Any]:
        """All that is known of one thing, secrets masked; see `ondeck.observe.ports.ResourceReader`."""
        async with engine_of(_engine(place), bench) as engine:
            return await self._kind(kind)[1](engine, name)

    def _kind(self, kind: str) -> tuple[Rows, Describe]:
        if kind not in self._kinds:
            raise BadInput(f"engines of Docker have no {kind}")
        return self._kinds[kind]


def _engine(place: Place) -> Host | Cluster:
    if not isinstance(place, (Host, Cluster)):
        raise BadInput(f"{place.name} is no engine of Docker")
    return place
