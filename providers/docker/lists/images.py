"""Images with who uses them, networks and volumes."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec

from ondeck import times
from ondeck.counting import counted, size
from ondeck.errors import Missing, NoMatch
from ondeck.observe.resources import Resource, ResourceState
from ondeck.text import safe_line
from providers.docker.client import Client
from providers.docker.deploys.state import nanoseconds
from providers.docker.lists.containers import masked, plain

_SIZED = 12


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """An image as the engine has it.

    Attributes:
        id: Hexadecimal digits of its own id.
        names: `repository:tag` and `repository@digest`, as it is known here.
        used: How many containers are made from it, running or not.
        keeper: `checkout@prod` whose containers it belongs to; empty for none.
    """

    id: str
    names: tuple[str, ...]
    size: int
    created: int
    used: int
    keeper: str = ""

    @property
    def short(self) -> str:
        """As it is named in lists and operations."""
        return self.id[:_SIZED]

    @property
    def dangling(self) -> bool:
        """Whether no name leads to it any more."""
        return not self.names

    @property
    def label(self) -> str:
        """As people name it."""
        tags = [name for name in self.names if "@" not in name]
        first = tags[0] if tags else (self.names[0] if self.names else "<none>")
        bare, at, digest = first.partition("@sha256:")
        text = f"{bare}@{digest[:_SIZED]}" if at else first
        more = len(tags) - 1
        return safe_line(f"{text} +{more}" if more > 0 else text)


async def images(engine: Client) -> list[Image]:
    """Every image that is there, the largest first."""
    found = await engine.ask(lambda api: api.images())
    containers = await engine.ask(lambda api: api.containers(all=True))
    used = Counter(str(one.get("ImageID", "")) for one in containers)
    keepers = {
        str(one.get("ImageID", "")): f"{labels['ondeck.service']}@{labels.get('ondeck.env', '?')}"
        for one in containers
        if (labels := one.get("Labels") or {}).get("ondeck.service")
    }
    listed = [
        Image(
            id=str(one["Id"]).removeprefix("sha256:"),
            names=_names(one),
            size=int(one.get("Size", 0)),
            created=int(one.get("Created", 0)) * 10**9,
            used=used[str(one["Id"])],
            keeper=safe_line(keepers.get(str(one["Id"]), "")),
        )
        for one in found
    ]
    return sorted(listed, key=lambda image: (-image.size, image.id))


def _names(one: dict[str, Any]) -> tuple[str, ...]:
    tags = [safe_line(str(name)) for name in one.get("RepoTags") or ()]
    digests = [safe_line(str(name)) for name in one.get("RepoDigests") or ()]
    return tuple(name for name in (*tags, *digests) if not name.startswith("<none>"))


async def rows(engine: Client) -> list[Resource]:
    """Images for the list."""
    return [_row(image) for image in await images(engine)]


def _row(image: Image) -> Resource:
    users = counted(image.used, "container") if image.used else "-"
    if image.keeper:
        users = f"{image.keeper}, {users}"
    state = ResourceState.WARN if image.dangling else ResourceState.GOOD if image.used else ResourceState.IDLE
    cells = (image.short, image.label, size(image.size), users, times.ago(image.created))
    detail = {
        "id": image.id,
        "names": list(image.names),
        "size_bytes": image.size,
        "containers": image.used,
        "dangling": image.dangling,
        "service": image.keeper or None,
        "created": times.iso(image.created) if image.created else None,
    }
    return Resource(name=image.short, cells=cells, state=state, detail=detail)


async def describe(engine: Client, name: str) -> dict[str, Any]:
    """One image.

    Raises:
        NoMatch: There is none.
    """
    said = await _inspected(engine, "image", name, lambda api: api.inspect_image(name))
    config = said.get("Config") or {}
    return dict(
        plain(
            {
                "id": str(said["Id"]),
                "tags": said.get("RepoTags") or [],
                "digests": said.get("RepoDigests") or [],
                "size": size(said.get("Size", 0)),
                "created": said.get("Created", ""),
                "platform": f"{said.get('Os', '')}/{said.get('Architecture', '')}",
                "command": [*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ())],
                "user": config.get("User") or "root",
                "ports": sorted(config.get("ExposedPorts") or ()),
                "environment": masked(config.get("Env") or ()),
                "labels": config.get("Labels") or {},
                "layers": len((said.get("RootFS") or {}).get("Layers") or ()),
            }
        )
    )


async def networks(engine: Client) -> list[Resource]:
    """Networks with how many containers are in them."""
    found = await engine.ask(lambda api: api.networks())
    containers = await engine.ask(lambda api: api.containers(all=True))
    inside: Counter[str] = Counter()
    for one in containers:
        inside.update(((one.get("NetworkSettings") or {}).get("Networks") or {}).keys())
    names = Counter(str(one["Name"]) for one in found)
    return [_network(one, inside[str(one["Name"])], names[str(one["Name"])] > 1) for one in found]


def _network(one: dict[str, Any], inside: int, ambiguous: bool) -> Resource:
    name = safe_line(str(one["Name"]))
    key = str(one["Id"])[:_SIZED] if ambiguous else name
    subnets = [str(c.get("Subnet", "")) for c in ((one.get("IPAM") or {}).get("Config") or ())]
    cells = (
        name,
        safe_line(str(one.get("Driver", ""))),
        safe_line(str(one.get("Scope", ""))),
        safe_line(", ".join(filter(None, subnets))) or "-",
        str(inside),
    )
    detail = {
        "id": str(one["Id"]),
        "driver": cells[1],
        "scope": cells[2],
        "subnets": plain(subnets),
        "containers": inside,
    }
    state = ResourceState.GOOD if inside else ResourceState.IDLE
    return Resource(name=key, cells=cells, state=state, detail=detail)


async def describe_network(engine: Client, name: str) -> dict[str, Any]:
    """One network with its containers.

    Raises:
        NoMatch: There is none.
    """
    said = await _inspected(engine, "network", name, lambda api: api.inspect_network(name))
    inside = {
        one.get("Name", ""): one.get("IPv4Address", "") for one in (said.get("Containers") or {}).values()
    }
    keys = ("Name", "Id", "Driver", "Scope", "Internal", "Attachable", "Created", "Options", "Labels")
    return dict(plain({key.lower(): said.get(key) for key in keys} | {"containers": inside}))


async def volumes(engine: Client) -> list[Resource]:
    """Volumes with who mounts them; their size is not asked, for the engine would read every file."""
    found = (await engine.ask(lambda api: api.volumes())).get("Volumes") or []
    containers = await engine.ask(lambda api: api.containers(all=True))
    users: dict[str, list[str]] = {}
    for one in containers:
        for mount in one.get("Mounts") or ():
            if mount.get("Name"):
                users.setdefault(str(mount["Name"]), []).append(
                    str((one.get("Names") or ["?"])[0]).lstrip("/")
                )
    return [_volume(one, users.get(str(one["Name"]), [])) for one in found]


def _volume(one: dict[str, Any], users: list[str]) -> Resource:
    name = safe_line(str(one["Name"]))
    made = nanoseconds(str(one.get("CreatedAt", "")))
    by = safe_line(", ".join(users[:3]) + (f" +{len(users) - 3}" if len(users) > 3 else "")) or "-"
    cells = (name, safe_line(str(one.get("Driver", ""))), by, times.ago(made) if made else "?")
    detail = {
        "driver": cells[1],
        "used_by": plain(users),
        "mountpoint": plain(str(one.get("Mountpoint", ""))),
    }
    state = ResourceState.GOOD if users else ResourceState.IDLE
    return Resource(name=name, cells=cells, state=state, detail=detail)


async def describe_volume(engine: Client, name: str) -> dict[str, Any]:
    """One volume.

    Raises:
        NoMatch: There is none.
    """
    said = await _inspected(engine, "volume", name, lambda api: api.inspect_volume(name))
    return dict(plain({key.lower(): value for key, value in said.items()}))


async def _inspected(engine: Client, what: str, name: str, call: Any) -> dict[str, Any]:  # noqa: ANN401
    try:
        return dict(await engine.ask(call))
    except Missing as error:
        raise NoMatch(f"no {what} {name!r} on {engine.where}", hint=f"ondeck get {what}s") from error
