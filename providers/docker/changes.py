"""Capability `changes`: containers that started, died or ran out of memory, images that came: an engine's events.

An engine keeps its last 256 events of all kinds, in memory (moby, daemon/events: `eventsLimit`). Only where one from
before the asked time is among them is the answer known to be whole.
"""

from __future__ import annotations

import time
from typing import Any

from ondeck.bench import Bench
from ondeck.errors import OndeckError
from ondeck.inventory.members import judge_of
from ondeck.inventory.model import Cluster, Host, Inventory, Place
from ondeck.observe.records import Asked, Change
from ondeck.observe.sources import words
from ondeck.text import safe_line
from providers.docker.client import Client
from providers.docker.engine import SOCKET, engine_of

LIMIT = 256
_WORDS = {
    "create": "made",
    "start": "started",
    "die": "died",
    "oom": "ran out of memory",
    "kill": "",
    "stop": "stopped",
    "restart": "restarted",
    "destroy": "removed",
    "pull": "pulled",
    "delete": "removed",
    "import": "imported",
    "load": "loaded",
}


def socket_on(inventory: Inventory, host: Host) -> str:
    """Where the engine listens that a service of this host is deployed to; empty when there is none."""
    for service in inventory.services.values():
        if service.deploy is None or service.deploy.kind != "docker" or host.env not in service.on:
            continue
        if judge_of(service, host.env)(host):
            return str(service.deploy.options.get("socket", SOCKET))
    return ""


class DockerChanges:
    """Asks the engine of a host that a docker service stands on, or that of a cluster."""

    async def changes(self, host: Place, bench: Bench, *, since: int) -> Asked:
        """Changes since a time (ns), oldest first; a host without an engine of ours has none.

        With `error` set the list is what the other parts answered; nothing follows from its gaps.
        """
        if isinstance(host, Cluster):
            socket = SOCKET
        elif isinstance(host, Host):
            socket = socket_on(bench.inventory, host)
            if not socket:
                return Asked(source=host.name, absent=True)
        else:
            return Asked(source=host.name, absent=True)
        try:
            async with engine_of(host, bench, socket) as engine:
                return await self._asked(engine, host, since)
        except (OndeckError, TimeoutError, OSError) as error:
            return Asked(source=host.name, error=f"docker: {words(error)}")

    async def _asked(self, engine: Client, host: Host | Cluster, since: int) -> Asked:
        until = time.time_ns() // 10**9 + 1
        if since // 10**9 >= until:
            return Asked(source=host.name)
        events = await engine.ask(lambda api: list(api.events(since=1, until=until, decode=True)))
        found = [change for event in events if (change := _change(event, host)) is not None]
        found = sorted((one for one in found if one.time >= since), key=lambda one: one.time)
        error = ""
        if not any(int(event.get("timeNano", 0)) < since for event in events):
            full = len(events) >= LIMIT
            why = f"it keeps its last {LIMIT}" if full else "it has none from before, as after its own start"
            error = f"docker: what came before the first event of the engine is not known: {why}"
        return Asked(source=host.name, error=error, partly=bool(error), changes=tuple(found))


def _change(event: dict[str, Any], host: Host | Cluster) -> Change | None:
    action, kind = str(event.get("Action", "")), str(event.get("Type", ""))
    word = _WORDS.get(action, "")
    if not word or (kind == "image" and action in ("create", "start")):
        return None
    actor = event.get("Actor") or {}
    attributes = actor.get("Attributes") or {}
    subject = str(attributes.get("name") or actor.get("ID", ""))[:200]
    service = attributes.get("ondeck.service", "")
    if service and attributes.get("ondeck.env"):
        subject = f"{service}@{attributes['ondeck.env']}"
    text = f"{'image' if kind == 'image' else 'container'} {word}"
    if action == "die":
        text += f", exit {attributes.get('exitCode', '?')}"
    image = str(attributes.get("image", ""))
    version = attributes.get("ondeck.version")
    if kind == "container" and (version or image):
        text += f" ({version or image})"
    return Change(
        time=int(event.get("timeNano", 0)),
        env=host.env,
        kind="container" if kind == "container" else "image",
        subject=safe_line(subject),
        text=safe_line(text),
        host=host.name,
    )
