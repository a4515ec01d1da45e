"""Nodes, services and tasks of a swarm, as its managers tell them."""

from __future__ import annotations

from collections import Counter
from typing import Any

from ondeck import times
from ondeck.errors import Missing, NoMatch
from ondeck.observe.resources import Resource, ResourceState
from ondeck.text import safe_line
from providers.docker.client import Client
from providers.docker.deploys.state import nanoseconds
from providers.docker.lists.containers import masked, plain

_SIZED = 12
_LIVE = ("running",)
_COMING = ("new", "pending", "assigned", "accepted", "preparing", "ready", "starting")
_UPDATE = {
    "completed": ResourceState.GOOD,
    "updating": ResourceState.WARN,
    "rollback_started": ResourceState.WARN,
    "rollback_completed": ResourceState.WARN,
    "paused": ResourceState.BAD,
    "rollback_paused": ResourceState.BAD,
}


async def nodes(engine: Client) -> list[Resource]:
    """Every node."""
    found = await engine.ask(lambda api: api.nodes())
    return sorted((_node(one) for one in found), key=lambda row: row.cells[0])


def _node(one: dict[str, Any]) -> Resource:
    described, spec, status = one.get("Description") or {}, one.get("Spec") or {}, one.get("Status") or {}
    manager = one.get("ManagerStatus") or {}
    role = "leader" if manager.get("Leader") else str(spec.get("Role", ""))
    up, availability = str(status.get("State", "?")), str(spec.get("Availability", "?"))
    state = (
        ResourceState.GOOD if up == "ready" else ResourceState.BAD if up == "down" else ResourceState.UNKNOWN
    )
    if state is ResourceState.GOOD and availability != "active":
        state = ResourceState.WARN
    if manager and manager.get("Reachability") not in (None, "reachable"):
        state = ResourceState.BAD
    cells = (
        safe_line(str(described.get("Hostname", ""))),
        safe_line(role),
        safe_line(up),
        safe_line(availability),
        safe_line(str((described.get("Engine") or {}).get("EngineVersion", ""))),
        safe_line(str(status.get("Addr", ""))),
        str(one["ID"])[:_SIZED],
    )
    detail = {
        "id": str(one["ID"]),
        "hostname": cells[0],
        "role": role,
        "status": up,
        "availability": availability,
    }
    return Resource(name=str(one["ID"])[:_SIZED], cells=cells, state=state, detail=plain(detail))


async def services(engine: Client) -> list[Resource]:
    """Every service with how many of its tasks run."""
    found = await engine.ask(lambda api: api.services())
    tasks = await engine.ask(lambda api: api.tasks())
    up = await _nodes_up(engine)
    running = Counter(
        str(t.get("ServiceID"))
        for t in tasks
        if t["Status"].get("State") in _LIVE and t.get("DesiredState") in _LIVE and t.get("NodeID") in up
    )
    return sorted(
        (_service(one, running[str(one["ID"])], len(up)) for one in found), key=lambda row: row.name
    )


async def _nodes_up(engine: Client) -> set[str]:
    return {
        str(one["ID"])
        for one in await engine.ask(lambda api: api.nodes())
        if (one.get("Status") or {}).get("State") == "ready"
    }


def wanted(spec: dict[str, Any], up: int) -> int | None:
    """How many tasks of a service shall run; None when its mode does not say."""
    mode = spec.get("Mode") or {}
    if "Replicated" in mode:
        return int((mode["Replicated"] or {}).get("Replicas", 1))
    return up if "Global" in mode else None


def image_of(spec: dict[str, Any]) -> str:
    """The image of a service, with its digest where it has one."""
    return str(((spec.get("TaskTemplate") or {}).get("ContainerSpec") or {}).get("Image", ""))


def short_image(image: str) -> str:
    """`registry/shop/checkout:2.15.0 @9f3c1a2b3c4d`."""
    bare, at, digest = image.partition("@sha256:")
    return safe_line(f"{bare} @{digest[:_SIZED]}" if at else bare)


def _service(one: dict[str, Any], running: int, up: int) -> Resource:
    spec = one["Spec"]
    want, update = wanted(spec, up), one.get("UpdateStatus") or {}
    said = str(update.get("State", "")) or "-"
    state = ResourceState.UNKNOWN
    if want is not None:
        full = ResourceState.IDLE if want == 0 else ResourceState.GOOD
        state = full if running >= want else ResourceState.BAD if running == 0 else ResourceState.WARN
    worse = _UPDATE.get(said, ResourceState.GOOD)
    if state is ResourceState.GOOD and worse is not ResourceState.GOOD:
        state = worse
    changed = nanoseconds(str(one.get("UpdatedAt", "")))
    cells = (
        safe_line(str(spec.get("Name", ""))),
        f"{running}/{'?' if want is None else want}",
        short_image(image_of(spec)),
        safe_line(said),
        safe_line(", ".join(_ports(one))) or "-",
        times.ago(changed) if changed else "?",
    )
    detail = {
        "id": str(one["ID"]),
        "running": running,
        "wanted": want,
        "image": plain(image_of(spec)),
        "update": plain(said),
        "message": plain(str(update.get("Message", ""))),
        "version_index": (one.get("Version") or {}).get("Index"),
    }
    return Resource(name=cells[0], cells=cells, state=state, detail=detail)


def _ports(one: dict[str, Any]) -> list[str]:
    ports = (one.get("Endpoint") or {}).get("Ports") or ()
    return [f"{port.get('PublishedPort', '?')}->{port.get('TargetPort', '?')}" for port in ports]


async def tasks(engine: Client) -> list[Resource]:
    """Tasks, those that fail and those that are newest first, with their reasons."""
    found = await engine.ask(lambda api: api.tasks())
    names = {str(one["ID"]): str(one["Spec"]["Name"]) for one in await engine.ask(lambda api: api.services())}
    hosts = {
        str(one["ID"]): str((one.get("Description") or {}).get("Hostname", ""))
        for one in await engine.ask(lambda api: api.nodes())
    }
    listed = [_task(one, names, hosts) for one in found]
    order = {ResourceState.BAD: 0, ResourceState.WARN: 1, ResourceState.UNKNOWN: 2, ResourceState.GOOD: 3}
    return sorted(listed, key=lambda row: (order.get(row.state, 4), row.cells[1], row.name))


def _task(one: dict[str, Any], names: dict[str, str], hosts: dict[str, str]) -> Resource:
    status = one.get("Status") or {}
    state, desired = str(status.get("State", "?")), str(one.get("DesiredState", "?"))
    service = names.get(str(one.get("ServiceID")), str(one.get("ServiceID", ""))[:_SIZED])
    slot = f".{one['Slot']}" if one.get("Slot") else ""
    why = reason(one)
    at = nanoseconds(str(status.get("Timestamp", "")))
    cells = (
        str(one["ID"])[:_SIZED],
        safe_line(f"{service}{slot}"),
        safe_line(hosts.get(str(one.get("NodeID")), "") or "-"),
        safe_line(state if state == desired else f"{state}, shall be {desired}"),
        why or "-",
        times.ago(at) if at else "?",
    )
    seen = ResourceState.UNKNOWN
    if state in ("failed", "rejected", "orphaned"):
        seen = ResourceState.BAD
    elif state in _LIVE:
        seen = ResourceState.GOOD if desired in _LIVE else ResourceState.WARN
    elif state in _COMING:
        seen = ResourceState.BAD if why and desired in _LIVE else ResourceState.WARN
    elif state in ("shutdown", "complete", "remove"):
        seen = ResourceState.IDLE
    detail = {
        "id": str(one["ID"]),
        "service": plain(service),
        "state": plain(state),
        "desired": plain(desired),
    }
    return Resource(name=cells[0], cells=cells, state=seen, detail=detail | {"reason": why})


def reason(task: dict[str, Any]) -> str:
    """Why a task failed or does not come, in one line; empty when nothing is wrong."""
    status = task.get("Status") or {}
    said = safe_line(" ".join(str(status.get("Err", "")).split()))
    code = (status.get("ContainerStatus") or {}).get("ExitCode")
    if status.get("State") == "failed" and code:
        return f"exit {code}" + (f": {said}" if said and "non-zero exit" not in said else "")
    return said


async def describe_node(engine: Client, name: str) -> dict[str, Any]:
    """One node.

    Raises:
        NoMatch: There is none.
    """
    try:
        said = await engine.ask(lambda api: api.inspect_node(name))
    except Missing as error:
        raise NoMatch(f"no node {name!r} in {engine.where}", hint="ondeck get swarm-nodes") from error
    keys = ("ID", "Spec", "Status", "ManagerStatus", "CreatedAt", "UpdatedAt")
    found = {key.lower(): said.get(key) for key in keys}
    found["hostname"] = (said.get("Description") or {}).get("Hostname", "")
    found["resources"] = (said.get("Description") or {}).get("Resources", {})
    return dict(plain(found))


async def describe_service(engine: Client, name: str) -> dict[str, Any]:
    """One service.

    Raises:
        NoMatch: There is none.
    """
    try:
        said = await engine.ask(lambda api: api.inspect_service(name))
    except Missing as error:
        raise NoMatch(f"no service {name!r} in {engine.where}", hint="ondeck get swarm-services") from error
    spec = said["Spec"]
    inside = (spec.get("TaskTemplate") or {}).get("ContainerSpec") or {}
    previous = said.get("PreviousSpec")
    return dict(
        plain(
            {
                "name": spec.get("Name", ""),
                "id": said["ID"],
                "image": image_of(spec),
                "previous image": image_of(previous) if previous else "-",
                "mode": spec.get("Mode", {}),
                "update": said.get("UpdateStatus") or {},
                "update config": spec.get("UpdateConfig") or {},
                "environment": masked(inside.get("Env") or ()),
                "ports": _ports(said),
                "labels": spec.get("Labels") or {},
                "version index": (said.get("Version") or {}).get("Index"),
                "updated": said.get("UpdatedAt", ""),
            }
        )
    )


async def describe_task(engine: Client, name: str) -> dict[str, Any]:
    """One task.

    Raises:
        NoMatch: There is none.
    """
    try:
        said = await engine.ask(lambda api: api.inspect_task(name))
    except Missing as error:
        raise NoMatch(f"no task {name!r} in {engine.where}", hint="ondeck get swarm-tasks") from error
    inside = (said.get("Spec") or {}).get("ContainerSpec") or {}
    return dict(
        plain(
            {
                "id": said["ID"],
                "service": said.get("ServiceID", ""),
                "node": said.get("NodeID", "-"),
                "state": (said.get("Status") or {}).get("State", "?"),
                "desired": said.get("DesiredState", "?"),
                "reason": reason(said) or "-",
                "message": (said.get("Status") or {}).get("Message", ""),
                "image": inside.get("Image", ""),
                "container": ((said.get("Status") or {}).get("ContainerStatus") or {}).get(
                    "ContainerID", "-"
                ),
                "created": said.get("CreatedAt", ""),
            }
        )
    )
