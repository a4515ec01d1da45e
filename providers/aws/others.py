"""The small lists: alarms of CloudWatch, snapshots of volumes, launch templates."""

from __future__ import annotations

import asyncio
from typing import Any

from ondeck.observe.resources import Resource, ResourceState
from providers.aws.calling import Calls
from providers.aws.rows import age, called, size, tags, text, when

_ALARMS = {"OK": ResourceState.GOOD, "ALARM": ResourceState.BAD}
_SNAPSHOTS = {
    "completed": ResourceState.GOOD,
    "pending": ResourceState.WARN,
    "recovering": ResourceState.WARN,
    "error": ResourceState.BAD,
}


async def alarms(calls: Calls, region: str) -> list[Resource]:
    """Alarms of a region; without data one is unknown, never good."""
    rows = []
    for alarm in await calls.pages(region, "cloudwatch", "describe_alarms", "MetricAlarms"):
        name, state = text(alarm["AlarmName"]), text(alarm.get("StateValue")) or "?"
        since = alarm.get("StateUpdatedTimestamp")
        metric = "/".join(text(alarm.get(part)) for part in ("Namespace", "MetricName"))
        why = text(alarm.get("StateReason"))
        cells = (name, state, age(since), metric, why)
        detail: dict[str, Any] = {
            "name": name,
            "region": region,
            "state": state,
            "since": when(since),
            "why": why,
            "metric": metric,
            "dimensions": {text(d["Name"]): text(d["Value"]) for d in alarm.get("Dimensions", ())},
            "threshold": alarm.get("Threshold"),
            "actions": bool(alarm.get("ActionsEnabled")),
        }
        found = _ALARMS.get(state, ResourceState.UNKNOWN)
        rows.append(Resource(name=f"{region}/{name}", cells=cells, state=found, detail=detail))
    return rows


async def snapshots(calls: Calls, region: str) -> list[Resource]:
    """Own snapshots of volumes in a region."""
    rows = []
    for one in await calls.pages(region, "ec2", "describe_snapshots", "Snapshots", OwnerIds=["self"]):
        name, state = text(one["SnapshotId"]), text(one.get("State")) or "?"
        gib = one.get("VolumeSize")
        shown = state if state != "pending" else f"pending {text(one.get('Progress'))}"
        cells = (
            called(one, text(one.get("Description")) or name),
            age(one.get("StartTime")),
            size(None if gib is None else int(gib) << 30),
            shown,
            text(one.get("VolumeId")) or "-",
            name,
        )
        detail = {
            "id": name,
            "region": region,
            "state": state,
            "made": when(one.get("StartTime")),
            "gib": gib,
            "encrypted": one.get("Encrypted"),
            "description": text(one.get("Description")),
            "tags": tags(one),
        }
        found = _SNAPSHOTS.get(state, ResourceState.UNKNOWN)
        rows.append(Resource(name=f"{region}/{name}", cells=cells, state=found, detail=detail))
    return rows


async def templates(calls: Calls, region: str) -> list[Resource]:
    """Launch templates of a region."""
    listed = await calls.pages(region, "ec2", "describe_launch_templates", "LaunchTemplates")
    rows = []
    for one in listed:
        name = text(one["LaunchTemplateName"])
        default, newest = text(one.get("DefaultVersionNumber")), text(one.get("LatestVersionNumber"))
        cells = (name, default, newest, age(one.get("CreateTime")), text(one["LaunchTemplateId"]))
        detail = {
            "name": name,
            "id": text(one["LaunchTemplateId"]),
            "region": region,
            "default": default,
            "newest": newest,
            "made": when(one.get("CreateTime")),
            "tags": tags(one),
        }
        rows.append(Resource(name=f"{region}/{name}", cells=cells, state=ResourceState.GOOD, detail=detail))
    return rows


async def template_versions(calls: Calls, region: str, name: str) -> dict[str, Any]:
    """A launch template with what its default and its newest version start.

    Raises:
        OndeckError: There is none, or it could not be asked.
    """
    newest, default = await asyncio.gather(
        template_version(calls, region, name, "$Latest"), template_version(calls, region, name, "$Default")
    )
    return {"name": text(name), "region": region, "default": default, "newest": newest}


async def template_version(calls: Calls, region: str, name: str, version: str) -> dict[str, Any]:
    """What a version of a launch template starts; its user data stays in AWS, keys often stand in it.

    Raises:
        OndeckError: There is none, or it could not be asked.
    """
    answer = await calls.read(
        region, "ec2", "describe_launch_template_versions", LaunchTemplateName=name, Versions=[version]
    )
    one = answer["LaunchTemplateVersions"][0]
    data = one.get("LaunchTemplateData", {})
    return {
        "id": text(one["LaunchTemplateId"]),
        "version": text(one["VersionNumber"]),
        "image": text(data.get("ImageId")),
        "type": text(data.get("InstanceType")),
        "key": text(data.get("KeyName")),
        "made": when(one.get("CreateTime")),
    }
