"""Containers, grouped by what started them: a compose project, a service of ondeck, a swarm."""

from __future__ import annotations

import re
from typing import Any

from ondeck import times
from ondeck.counting import size
from ondeck.errors import Missing, NoMatch
from ondeck.observe.resources import Resource, ResourceState
from ondeck.text import safe_line
from providers.docker.client import Client
from providers.docker.lists.stats import Stats, Usage

_SECRET = re.compile(r"pass|secret|token|key|credential|auth|private|dsn", re.IGNORECASE)
_USERINFO = re.compile(r"://[^/@]+@")
_WORDS = {
    "running": ResourceState.GOOD,
    "created": ResourceState.IDLE,
    "paused": ResourceState.WARN,
    "restarting": ResourceState.BAD,
    "removing": ResourceState.WARN,
    "dead": ResourceState.BAD,
}
_CODE = re.compile(r"Exited \((-?\d+)\)")
_HEALTH = re.compile(r"\((?:health: )?(healthy|unhealthy|starting)\)")
_STOPPED = ("Exited (0)", "Exited (137)", "Exited (143)")
_SIZED = 12


async def rows(engine: Client, stats: Stats) -> list[Resource]:
    """Every container, those that run with their load."""
    found = await engine.ask(lambda api: api.containers(all=True))
    running = [str(one["Id"]) for one in found if one.get("State") == "running"]
    usage = await stats.of(engine, running)
    listed = [_row(one, usage.get(str(one["Id"]))) for one in found]
    return sorted(listed, key=lambda row: (row.detail["project"] == "-", row.detail["project"], row.name))


def project(labels: dict[str, str]) -> str:
    """What started it, in one word."""
    for key in ("com.docker.compose.project", "com.docker.stack.namespace"):
        if labels.get(key):
            return safe_line(labels[key])
    if claim := labels.get("ondeck.claim"):
        return safe_line(claim)
    service = labels.get("ondeck.service") or labels.get("com.docker.swarm.service.name")
    if service:
        env = labels.get("ondeck.env")
        return safe_line(f"{service}@{env}" if env else service)
    return "-"


def _row(one: dict[str, Any], usage: Usage | None) -> Resource:
    labels = one.get("Labels") or {}
    name = safe_line(str((one.get("Names") or [one["Id"][:_SIZED]])[0]).lstrip("/"))
    image = _image(str(one.get("Image", "")), labels)
    age = times.ago(int(one.get("Created", 0)) * 10**9)
    status = safe_line(str(one.get("Status", "")))
    cells = (
        name,
        project(labels),
        _short(image),
        _said(str(one.get("State", "")), status, labels),
        usage.cpu_text if usage else "-" if one.get("State") != "running" else "?",
        usage.memory_text if usage else "-" if one.get("State") != "running" else "?",
        age,
    )
    detail = {
        "id": str(one["Id"]),
        "project": project(labels),
        "image": image,
        "status": status,
        "running": one.get("State") == "running",
        "cpu_percent": usage.cpu if usage else None,
        "memory_bytes": usage.memory if usage else None,
        "created": times.iso(int(one.get("Created", 0)) * 10**9),
        "ports": [port_text(port) for port in one.get("Ports") or ()],
    }
    return Resource(name=name, cells=cells, state=_state(str(one.get("State", "")), status), detail=detail)


def _image(name: str, labels: dict[str, str]) -> str:
    """As people name it: the version stands in a label where the image is named by its digest."""
    bare, at, digest = name.partition("@sha256:")
    if at:
        version = labels.get("ondeck.version", "")
        return safe_line(f"{bare}:{version}" if version else f"{bare}@{digest[:_SIZED]}")
    return safe_line(name.removeprefix("sha256:")[:_SIZED] if name.startswith("sha256:") else name)


def _short(image: str) -> str:
    """The same without the registry and the folders in it: what tells images of one machine apart."""
    return image.rpartition("/")[2]


def _said(state: str, status: str, labels: dict[str, str]) -> str:
    """How it is in one or two words: `healthy`, `exited 3`, `restarting`."""
    if labels.get("ondeck.claim"):
        return "claim"
    if state == "exited":
        code = _CODE.match(status)
        return f"exited {code[1]}" if code else "exited"
    health = _HEALTH.search(status)
    return health[1] if health else safe_line(state) or "?"


def _state(state: str, status: str) -> ResourceState:
    if state == "exited":
        return ResourceState.IDLE if status.startswith(_STOPPED) else ResourceState.BAD
    if "(unhealthy)" in status:
        return ResourceState.BAD
    if "health: starting" in status:
        return ResourceState.WARN
    return _WORDS.get(state, ResourceState.UNKNOWN)


def port_text(port: dict[str, Any]) -> str:
    """A port as `docker ps` writes it."""
    inside = f"{port.get('PrivatePort', '?')}/{port.get('Type', 'tcp')}"
    return safe_line(
        f"{port.get('IP', '')}:{port['PublicPort']}->{inside}" if port.get("PublicPort") else inside
    )


async def describe(engine: Client, name: str) -> dict[str, Any]:
    """One container.

    Raises:
        NoMatch: There is none.
    """
    try:
        said = await engine.ask(lambda api: api.inspect_container(name))
    except Missing as error:
        raise NoMatch(f"no container {name!r} on {engine.where}", hint="ondeck get containers") from error
    state, config, host = said["State"], said["Config"], said["HostConfig"]
    networks = (said.get("NetworkSettings") or {}).get("Networks") or {}
    found = {
        "name": str(said["Name"]).lstrip("/"),
        "id": str(said["Id"])[:_SIZED],
        "image": config.get("Image", ""),
        "image id": str(said.get("Image", ""))[:19],
        "state": f"{state.get('Status', '?')}"
        + (f", exit {state.get('ExitCode')}" if not state.get("Running") else "")
        + (", killed for lack of memory" if state.get("OOMKilled") else ""),
        "health": (state.get("Health") or {}).get("Status", "-"),
        "started": state.get("StartedAt", ""),
        "finished": state.get("FinishedAt", "") if not state.get("Running") else "-",
        "restarts": said.get("RestartCount", 0),
        "restart policy": (host.get("RestartPolicy") or {}).get("Name") or "no",
        "command": [*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ())],
        "user": config.get("User") or "root",
        "ports": [
            f"{bound.get('HostIp', '')}:{bound.get('HostPort', '')} -> {inside}"
            for inside, bindings in (host.get("PortBindings") or {}).items()
            for bound in bindings or ()
        ],
        "mounts": [
            f"{m.get('Name') or m.get('Source', '')} -> {m.get('Destination', '')}"
            for m in said.get("Mounts") or ()
        ],
        "networks": {key: one.get("IPAddress", "") for key, one in networks.items()},
        "memory limit": size(host["Memory"]) if host.get("Memory") else "none",
        "environment": masked(config.get("Env") or ()),
        "labels": config.get("Labels") or {},
    }
    return dict(plain(found))


def masked(entries: Any) -> dict[str, str]:  # noqa: ANN401 - a list or tuple of NAME=VALUE
    """Variables, without the values of those that may be secrets."""
    found = {}
    for entry in entries:
        name, _, value = str(entry).partition("=")
        found[name] = "***" if _SECRET.search(name) else _USERINFO.sub("://***@", value)
    return found


def plain(data: Any) -> Any:  # noqa: ANN401 - JSON in, JSON out
    """The same data with every text made safe to show."""
    match data:
        case dict():
            return {safe_line(str(key)): plain(value) for key, value in data.items()}
        case list() | tuple():
            return [plain(entry) for entry in data]
        case str():
            return safe_line(data)
        case _:
            return data
