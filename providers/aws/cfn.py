"""CloudFormation as it is: stacks, their events, resources and drift."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from ondeck.errors import Missing, RemoteFailed
from ondeck.observe.resources import Resource, ResourceState
from providers.aws.calling import Calls
from providers.aws.rows import age, tags, text, when

_EVENTS = 30
_DRIFT = {"IN_SYNC": "none", "DRIFTED": "drifted", "NOT_CHECKED": "not checked", "UNKNOWN": "?"}


def state_of(status: str) -> ResourceState:
    """How good a status is. What was rolled back is not what was asked for, so it is no green."""
    if status.endswith("FAILED"):
        return ResourceState.BAD
    if "ROLLBACK" in status:
        return ResourceState.WARN if status != "ROLLBACK_COMPLETE" else ResourceState.BAD
    if status.endswith("IN_PROGRESS"):
        return ResourceState.IDLE if status.startswith("REVIEW") else ResourceState.WARN
    if status == "DELETE_COMPLETE":
        return ResourceState.IDLE
    return ResourceState.GOOD if status.endswith("COMPLETE") else ResourceState.UNKNOWN


async def rows(calls: Calls, region: str) -> list[Resource]:
    """The stacks of a region."""
    return [
        _row(region, stack)
        for stack in await calls.pages(region, "cloudformation", "describe_stacks", "Stacks")
    ]


async def stack(calls: Calls, region: str, name: str) -> dict[str, Any] | None:
    """One stack by name or by id; None when there is none."""
    try:
        answer = await calls.read(region, "cloudformation", "describe_stacks", StackName=name)
    except (RemoteFailed, Missing) as error:
        # CloudFormation has no code of its own for it: `ValidationError: Stack with id X does not exist`.
        if "does not exist" in error.message:
            return None
        raise
    stacks = answer["Stacks"]
    return dict(stacks[0]) if stacks else None


async def events(calls: Calls, region: str, name: str) -> list[dict[str, Any]]:
    """The newest events of a stack, newest first: one page."""
    answer = await calls.read(region, "cloudformation", "describe_stack_events", StackName=name)
    return list(answer["StackEvents"])


async def resources(calls: Calls, region: str, name: str) -> list[dict[str, Any]]:
    """What a stack is made of."""
    return await calls.pages(
        region, "cloudformation", "list_stack_resources", "StackResourceSummaries", StackName=name
    )


def drift_of(whole: Mapping[str, Any]) -> str:
    """What the last detection of drift found; nothing is detected for this."""
    status = text(whole.get("DriftInformation", {}).get("StackDriftStatus"))
    return _DRIFT.get(status, "?")


def changed(whole: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a time of boto3
    """When it was last worked on."""
    return whole.get("LastUpdatedTime") or whole.get("DeletionTime") or whole.get("CreationTime")


def _row(region: str, whole: Mapping[str, Any]) -> Resource:
    name, status = text(whole["StackName"]), text(whole.get("StackStatus")) or "?"
    guarded = "yes" if whole.get("EnableTerminationProtection") else "no"
    cells = (name, status, age(changed(whole)), drift_of(whole), guarded)
    return Resource(
        name=f"{region}/{name}", cells=cells, state=state_of(status), detail=_detail(region, whole)
    )


def _detail(region: str, whole: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": text(whole["StackName"]),
        "id": text(whole.get("StackId")),
        "region": region,
        "status": text(whole.get("StackStatus")),
        "why": text(whole.get("StackStatusReason")),
        "description": text(whole.get("Description")),
        "made": when(whole.get("CreationTime")),
        "changed": when(changed(whole)),
        "drift": drift_of(whole),
        "drift checked": when(whole.get("DriftInformation", {}).get("LastCheckTimestamp")),
        "termination protection": bool(whole.get("EnableTerminationProtection")),
        "tags": tags(whole),
    }


async def described(calls: Calls, region: str, name: str) -> dict[str, Any]:
    """A stack in full; values that its template hides come hidden from AWS.

    Raises:
        Missing: There is no such stack.
    """
    whole = await stack(calls, region, name)
    if whole is None:
        raise Missing(f"no stack {name}", where=f"{calls.account.name} {region}")
    parts, happened = await asyncio.gather(resources(calls, region, name), events(calls, region, name))
    found = _detail(region, whole)
    found["parameters"] = {
        text(p["ParameterKey"]): text(p.get("ParameterValue")) for p in whole.get("Parameters", ())
    }
    found["outputs"] = {text(o["OutputKey"]): text(o.get("OutputValue")) for o in whole.get("Outputs", ())}
    found["resources"] = [
        {
            "logical": text(part.get("LogicalResourceId")),
            "type": text(part.get("ResourceType")),
            "id": text(part.get("PhysicalResourceId")),
            "status": text(part.get("ResourceStatus")),
            "drift": text(part.get("DriftInformation", {}).get("StackResourceDriftStatus")),
        }
        for part in parts
    ]
    found["events"] = [event_line(event) for event in happened[:_EVENTS]]
    return found


def event_line(event: Mapping[str, Any]) -> str:
    """An event on one line."""
    parts = (event.get("LogicalResourceId"), event.get("ResourceType"), event.get("ResourceStatus"))
    why = text(event.get("ResourceStatusReason"))
    return " ".join(text(part) for part in parts if part) + (f": {why}" if why else "")
