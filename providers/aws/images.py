"""Images (AMIs): their age, who runs them, and which of their kin are older."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ondeck.errors import Missing
from ondeck.inventory.model import Inventory
from ondeck.observe.resources import Resource, ResourceState
from providers.aws import instances
from providers.aws.calling import Calls
from providers.aws.rows import CLAIM, age, called, ns, tags, text, when

_TAIL = re.compile(r"([-_. ]?v?\d[\dTtZz.:_-]*)+$")
_STATES = {
    "available": ResourceState.GOOD,
    "pending": ResourceState.WARN,
    "failed": ResourceState.BAD,
    "error": ResourceState.BAD,
    "invalid": ResourceState.BAD,
    "deregistered": ResourceState.IDLE,
    "disabled": ResourceState.IDLE,
}
_DEAD = ("terminated", "shutting-down")


async def found(calls: Calls, region: str) -> list[dict[str, Any]]:
    """Own images of a region as EC2 gives them."""
    return await calls.pages(region, "ec2", "describe_images", "Images", Owners=["self"])


async def one(calls: Calls, region: str, image: str) -> dict[str, Any]:
    """One image as EC2 gives it.

    Raises:
        Missing: There is none of this id.
    """
    filters = [{"Name": "image-id", "Values": [image]}]
    for whole in await calls.pages(region, "ec2", "describe_images", "Images", Filters=filters):
        return whole
    raise Missing(f"no image {image}", where=f"{calls.account.name} {region}")


def family(image: Mapping[str, Any]) -> str:
    """What images of one line have in common: the tag `Family`, else the name without version and date."""
    return tags(image).get("Family") or _TAIL.sub("", str(image.get("Name") or image["ImageId"]))


async def users(calls: Calls, region: str) -> dict[str, list[dict[str, Any]]]:
    """Instances by the image that they were started from; those that are gone do not count."""
    using: dict[str, list[dict[str, Any]]] = {}
    for instance in await instances.found(calls, region):
        if instances.state_of(instance) not in _DEAD:
            using.setdefault(str(instance.get("ImageId")), []).append(instance)
    return using


async def templates_with(calls: Calls, region: str, image: str) -> list[str]:
    """Launch templates whose default or newest version starts this image."""
    listed = await calls.pages(region, "ec2", "describe_launch_templates", "LaunchTemplates")

    async def versions(template: Mapping[str, Any]) -> list[str]:
        answer = await calls.read(
            region,
            "ec2",
            "describe_launch_template_versions",
            LaunchTemplateId=template["LaunchTemplateId"],
            Versions=["$Default", "$Latest"],
        )
        return [v.get("LaunchTemplateData", {}).get("ImageId", "") for v in answer["LaunchTemplateVersions"]]

    images = await asyncio.gather(*map(versions, listed))
    return [text(t["LaunchTemplateName"]) for t, used in zip(listed, images, strict=True) if image in used]


async def rows(calls: Calls, region: str) -> list[Resource]:
    """The list of a region."""
    images, using = await asyncio.gather(found(calls, region), users(calls, region))
    return [_row(region, image, images, using) for image in sorted(images, key=_born, reverse=True)]


def _born(image: Mapping[str, Any]) -> int:
    return ns(image.get("CreationDate"))


def _older(image: Mapping[str, Any], images: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    kin = (other for other in images if family(other) == family(image) and _born(other) < _born(image))
    return sorted(kin, key=_born, reverse=True)


def _row(
    region: str,
    image: Mapping[str, Any],
    images: Sequence[Mapping[str, Any]],
    using: Mapping[str, Sequence[Mapping[str, Any]]],
) -> Resource:
    name, state = str(image["ImageId"]), text(image.get("State")) or "?"
    used = using.get(name, ())
    behind = sum(len(using.get(str(old["ImageId"]), ())) for old in _older(image, images))
    cells = (
        text(image.get("Name")) or name,
        age(image.get("CreationDate")),
        state,
        str(len(used)),
        str(behind) if behind else "-",
        text(name),
    )
    detail = {
        "id": text(name),
        "region": region,
        "name": text(image.get("Name")),
        "family": text(family(image)),
        "state": state,
        "made": when(image.get("CreationDate")),
        "used by": [called(instance, str(instance["InstanceId"])) for instance in used],
        "older kin run": behind,
        "tags": {key: value for key, value in tags(image).items() if key != CLAIM},
    }
    return Resource(
        name=f"{region}/{name}", cells=cells, state=_STATES.get(state, ResourceState.UNKNOWN), detail=detail
    )


async def described(calls: Calls, region: str, name: str, inventory: Inventory) -> dict[str, Any]:
    """An image with its line: who runs it, who runs an older one, what starts it.

    Raises:
        Missing: There is no such image.
    """
    images, using, templates, image = await asyncio.gather(
        found(calls, region),
        users(calls, region),
        templates_with(calls, region, name),
        one(calls, region, name),
    )
    hosts = {host.address: host.name for host in inventory.hosts.values() if host.address}

    def who(of: str) -> list[str]:
        return [_as_host(instance, hosts) for instance in using.get(of, ())]

    whole = dict(_row(region, image, images, using).detail)
    whole["used by"] = who(name)
    whole["launch templates"] = templates
    whole["copied from"] = text(image.get("SourceImageId"))
    whole["snapshots"] = snapshots_of(image)
    whole["older kin"] = [
        {
            "id": text(old["ImageId"]),
            "name": text(old.get("Name")),
            "age": age(old.get("CreationDate")),
            "used by": who(str(old["ImageId"])),
        }
        for old in _older(image, images)
    ]
    return whole


def snapshots_of(image: Mapping[str, Any]) -> list[str]:
    """Snapshots that it is made of."""
    volumes = (mapping.get("Ebs", {}) for mapping in image.get("BlockDeviceMappings", ()))
    return [text(volume["SnapshotId"]) for volume in volumes if volume.get("SnapshotId")]


def _as_host(instance: Mapping[str, Any], hosts: Mapping[str, str]) -> str:
    name = str(instance["InstanceId"])
    own = [text(instance.get(key)) for key in ("PrivateIpAddress", "PublicIpAddress", "PrivateDnsName")]
    host = next((hosts[address] for address in own if address in hosts), "")
    return f"{host or called(instance, name)} ({text(name)})"
