"""Instances of EC2 as they are: the list and one in full."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping, Sequence
from typing import Any

from ondeck.errors import Missing, OndeckError
from ondeck.observe.resources import Resource, ResourceState
from ondeck.text import decode
from providers.aws import metrics
from providers.aws.calling import Calls
from providers.aws.rows import CLAIM, age, called, tags, text, when

_CONSOLE_LINES = 200
_STATES = {
    "running": ResourceState.GOOD,
    "pending": ResourceState.WARN,
    "stopping": ResourceState.WARN,
    "shutting-down": ResourceState.WARN,
    "stopped": ResourceState.IDLE,
    "terminated": ResourceState.IDLE,
}
_born: dict[str, Any] = {}
"""When an image was made, by id: it never changes, so it is asked once."""
_MOST_IMAGES = 10_000


async def found(calls: Calls, region: str, **filters: Sequence[str]) -> list[dict[str, Any]]:
    """Instances of a region as EC2 gives them."""
    params: dict[str, Any] = {}
    if filters:
        params["Filters"] = [{"Name": name, "Values": list(values)} for name, values in filters.items()]
    pages = await calls.pages(region, "ec2", "describe_instances", "Reservations", **params)
    return [instance for reservation in pages for instance in reservation["Instances"]]


async def one(calls: Calls, region: str, instance: str) -> dict[str, Any]:
    """One instance as EC2 gives it.

    Raises:
        Missing: There is none of this id.
    """
    answer = await calls.read(region, "ec2", "describe_instances", InstanceIds=[instance])
    for reservation in answer["Reservations"]:
        for each in reservation["Instances"]:
            whole: dict[str, Any] = each
            return whole
    raise Missing(f"no instance {instance}", where=f"{calls.account.name} {region}")


def state_of(instance: Mapping[str, Any]) -> str:
    """`running`, `stopped`, ...; `?` when it says nothing."""
    return text(instance.get("State", {}).get("Name")) or "?"


def address_of(instance: Mapping[str, Any]) -> str:
    """Its private address, else its public one."""
    return text(instance.get("PrivateIpAddress") or instance.get("PublicIpAddress"))


async def rows(calls: Calls, region: str) -> list[Resource]:
    """The list of a region: instances, their checks and the age of own images are asked at once."""
    instances, checks, _ = await asyncio.gather(
        found(calls, region), _checks(calls, region), _own_images(calls, region)
    )
    await _foreign_images(calls, region, instances)
    return [_row(region, instance, checks) for instance in instances]


async def _checks(calls: Calls, region: str) -> dict[str, str] | OndeckError:
    """Status checks of running instances by id: `ok`, `impaired`, `initializing`."""
    try:
        statuses = await calls.pages(region, "ec2", "describe_instance_status", "InstanceStatuses")
    except OndeckError as error:
        return error
    found = {}
    for status in statuses:
        words = {text(status.get(part, {}).get("Status")) for part in ("InstanceStatus", "SystemStatus")}
        found[str(status["InstanceId"])] = "ok" if words == {"ok"} else "/".join(sorted(words - {"ok", ""}))
    return found


async def _own_images(calls: Calls, region: str) -> None:
    try:
        images = await calls.pages(region, "ec2", "describe_images", "Images", Owners=["self"])
    except OndeckError:
        return  # its age shows as `?`, and the instances are there all the same
    _remember(images)


def _remember(images: Sequence[Mapping[str, Any]]) -> None:
    if len(_born) > _MOST_IMAGES:
        _born.clear()
    _born.update({image["ImageId"]: image.get("CreationDate") for image in images})


async def _foreign_images(calls: Calls, region: str, instances: Sequence[Mapping[str, Any]]) -> None:
    wanted = sorted({i["ImageId"] for i in instances if i.get("ImageId")} - set(_born))
    if not wanted:
        return
    try:
        # By a filter: an image that is gone makes no error of all the others.
        images = await calls.pages(
            region, "ec2", "describe_images", "Images", Filters=[{"Name": "image-id", "Values": wanted[:200]}]
        )
    except OndeckError:
        return
    _remember(images)


def _row(region: str, instance: Mapping[str, Any], checks: Mapping[str, str] | OndeckError) -> Resource:
    name, state = str(instance["InstanceId"]), state_of(instance)
    shown, colour = state, _STATES.get(state, ResourceState.UNKNOWN)
    if state == "running":
        check = "?" if isinstance(checks, OndeckError) else checks.get(name, "?")
        if check not in ("ok", "?"):
            shown = f"running, {check}"
            colour = ResourceState.WARN if check == "initializing" else ResourceState.BAD
        elif check == "?":
            shown, colour = "running, checks ?", ResourceState.UNKNOWN
    image = str(instance.get("ImageId") or "")
    cells = (
        called(instance, name),
        shown,
        text(instance.get("InstanceType")),
        text(instance.get("Placement", {}).get("AvailabilityZone")),
        age(_born.get(image)),
        address_of(instance) or "-",
        text(name),
    )
    return Resource(name=f"{region}/{name}", cells=cells, state=colour, detail=_detail(region, instance))


def _detail(region: str, instance: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": text(instance["InstanceId"]),
        "region": region,
        "state": state_of(instance),
        "why": text(instance.get("StateTransitionReason")),
        "type": text(instance.get("InstanceType")),
        "zone": text(instance.get("Placement", {}).get("AvailabilityZone")),
        "image": text(instance.get("ImageId")),
        "image made": when(_born.get(str(instance.get("ImageId") or ""))),
        "launched": when(instance.get("LaunchTime")),
        "private address": text(instance.get("PrivateIpAddress")),
        "public address": text(instance.get("PublicIpAddress")),
        "key": text(instance.get("KeyName")),
        "tags": {key: value for key, value in tags(instance).items() if key != CLAIM},
    }


async def described(calls: Calls, region: str, name: str) -> dict[str, Any]:
    """One instance in full, with the end of its console.

    Raises:
        Missing: There is none.
    """
    instance, checks, guard, console, busy = await asyncio.gather(
        one(calls, region, name),
        _checks(calls, region),
        _or_why(protected(calls, region, name)),
        _or_why(_console(calls, region, name)),
        metrics.processor(calls, region, name),
    )
    await _foreign_images(calls, region, [instance])
    whole = _detail(region, instance)
    whole["status checks"] = checks.message if isinstance(checks, OndeckError) else checks.get(name, "none")
    whole["termination protection"] = guard
    whole["subnet"] = text(instance.get("SubnetId"))
    whole["security groups"] = [text(group.get("GroupName")) for group in instance.get("SecurityGroups", ())]
    whole["role"] = text(instance.get("IamInstanceProfile", {}).get("Arn"))
    whole["processor"] = busy
    whole["console"] = console
    return whole


async def protected(calls: Calls, region: str, name: str) -> bool:
    """Whether it refuses to be terminated."""
    answer = await calls.read(
        region, "ec2", "describe_instance_attribute", InstanceId=name, Attribute="disableApiTermination"
    )
    return bool(answer.get("DisableApiTermination", {}).get("Value"))


async def _console(calls: Calls, region: str, name: str) -> list[str]:
    answer = await calls.read(region, "ec2", "get_console_output", InstanceId=name)
    raw = str(answer.get("Output") or "")
    try:
        data = base64.b64decode(raw, validate=True)  # botocore decodes it already; others do not encode it
    except ValueError:
        data = raw.encode()
    return decode(data).splitlines()[-_CONSOLE_LINES:]


async def _or_why(asked: Any) -> Any:  # noqa: ANN401 - whatever was asked
    try:
        return await asked
    except OndeckError as error:
        return f"could not be asked: {error.message}"
