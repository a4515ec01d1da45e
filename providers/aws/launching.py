"""`instance.launch`: instances from a launch template, once for each attempt."""

from __future__ import annotations

import asyncio
from typing import Any

from ondeck.bench import Bench
from ondeck.errors import BadInput, RemoteFailed
from ondeck.job.finding import Attempt, Finding
from ondeck.job.outcome import Outcome
from ondeck.job.plan import Action, Change, Command, Draft, Preflight, Request
from ondeck.job.spec import Risk
from ondeck.operate.ports import Emit
from providers.aws import images, instances, others
from providers.aws.calling import Calls
from providers.aws.deed import (
    SETTLES,
    Deed,
    Thing,
    claim_tag,
    dry_run,
    lock_alone,
    preconditions,
    rollout,
    thing,
    token,
)
from providers.aws.params import LaunchParams
from providers.aws.rows import CLAIM, text

_WITHIN = 900.0  # seconds
_DEAD = ("terminated", "shutting-down", "stopped", "stopping")


async def plan(request: Request, params: LaunchParams, calls: Calls, bench: Bench) -> Draft:
    """What the template starts, and whether EC2 would do it.

    Raises:
        BadInput: More than one template, or one that starts no image.
        OndeckError: It could not be asked, is not there, or is not allowed.
    """
    if len(request.targets) != 1:
        raise BadInput("one template at a time", hint="ACCOUNT/REGION/TEMPLATE")
    at = thing(request.targets[0])
    version = await others.template_version(calls, at.region, at.name, params.version or "$Default")
    data = {
        "template": version["id"],
        "version": version["version"],
        "count": params.count,
        "name": params.name,
    }
    facts = await _facts(calls, at, data)
    refused = await dry_run(calls, at.region, "run_instances", **_request(data))
    if refused:
        raise RemoteFailed(f"EC2 would refuse it: {refused}", where=f"{calls.account.name} {at.region}")
    shown = f"{version['type'] or '?'} of {version['image'] or '?'}"
    return Draft(
        summary=f"launch {params.count} from {text(at.name)} version {version['version']}: {shown}",
        risk=Risk.CHANGE,
        changes=tuple(
            Change(action=Action.CREATE, target=at.target, address=params.name or f"instance {number + 1}", after=shown)
            for number in range(params.count)
        ),
        commands=(
            Command(
                target=at.target,
                argv=("aws", "ec2", "run-instances", "--region", at.region, "--launch-template",
                      f"LaunchTemplateId={version['id']},Version={version['version']}", "--count", str(params.count)),
                note="with the attempt as client token: sent twice, it launches once",
            ),
        ),
        preconditions=preconditions(at.target, facts),
        preflight=(Preflight(name="EC2 would do it (dry run)", ok=1),),
        rollout=rollout(request.targets),
        lock_key=lock_alone("launch", request.targets[0]),
        undo=f"ondeck instance terminate {at.account}/{at.region}/ID (the job names them)",
        data=data,
    )  # fmt: skip


async def _facts(calls: Calls, at: Thing, data: dict[str, Any]) -> dict[str, str]:
    version = await others.template_version(calls, at.region, at.name, str(data["version"]))
    if not version["image"]:
        raise BadInput(f"version {version['version']} of {text(at.name)} names no image")
    image = await images.one(calls, at.region, version["image"])
    return {
        "template": f"{version['id']} version {version['version']}",
        f"image {version['image']}": text(image.get("State")),
    }


def _request(data: dict[str, Any], *tags: dict[str, str]) -> dict[str, Any]:
    own = [*tags, *([{"Key": "Name", "Value": data["name"]}] if data["name"] else [])]
    return {
        "LaunchTemplate": {"LaunchTemplateId": data["template"], "Version": str(data["version"])},
        "MinCount": data["count"],
        "MaxCount": data["count"],
        **({"TagSpecifications": [{"ResourceType": "instance", "Tags": own}]} if own else {}),
    }


class Launching(Deed):
    """Applies one plan; the attempt is the client token and a tag of what it made."""

    async def facts(self, at: Thing) -> dict[str, str]:
        """Template, version and image."""
        return await _facts(self.calls, at, self.plan.draft.data)

    async def do(self, at: Thing, attempt: Attempt, emit: Emit) -> Finding:
        """Launch, then look until all of them run."""
        data = self.plan.draft.data
        request = _request(data, claim_tag(attempt))
        answer = await self.calls.change(
            at.region, "ec2", "run_instances", ClientToken=token(attempt), **request
        )
        names = [str(one["InstanceId"]) for one in answer["Instances"]]
        emit.step(f"EC2 made {', '.join(names)}")
        last = [-1]

        async def look() -> Finding | None:
            made = await self._made(at, attempt)
            running = sum(instances.state_of(one) == "running" for one in made)
            if running != last[0]:
                emit.moved(running, len(names), "instances")
                last[0] = running
            found = self._judged(at, made)
            return None if found.still_running else found

        return await self.until(at, look, within=_WITHIN)

    async def _made(self, at: Thing, attempt: Attempt) -> list[dict[str, Any]]:
        return await instances.found(self.calls, at.region, **{f"tag:{CLAIM}": [claim_tag(attempt)["Value"]]})

    def _judged(self, at: Thing, made: list[dict[str, Any]]) -> Finding:
        states = {str(one["InstanceId"]): instances.state_of(one) for one in made}
        said = ", ".join(f"{name} {state}" for name, state in states.items()) or "none of them shows yet"
        if dead := [one for one in made if instances.state_of(one) in _DEAD]:
            why = text(dead[0].get("StateReason", {}).get("Message"))
            return Finding(outcome=Outcome.FAILED, evidence=f"{said}{': ' + why if why else ''}")
        if len(made) >= int(self.plan.draft.data["count"]) and set(states.values()) == {"running"}:
            return Finding(outcome=Outcome.SUCCEEDED, evidence=said)
        return Finding(outcome=Outcome.UNKNOWN, evidence=said, still_running=True)

    async def became(self, at: Thing, attempt: Attempt) -> Finding:
        """From the instances that carry the attempt's tag, which EC2 puts on in the same step."""
        made = await self._made(at, attempt)
        if not made:
            await asyncio.sleep(self.settings.seconds(SETTLES))
            made = await self._made(at, attempt)
        if not made:
            said = f"no instance carries the tag of this attempt, {SETTLES:.0f} s later"
            return Finding(outcome=Outcome.NOT_STARTED, evidence=said)
        return self._judged(at, made)

    async def stop(self, at: Thing, attempt: Attempt, emit: Emit) -> Finding:
        """What is launched stays, and is named: to terminate it is a plan of its own."""
        found = await super().stop(at, attempt, emit)
        if found.outcome is not Outcome.FAILED:
            return found
        names = ",".join(f"{at.region}/{one['InstanceId']}" for one in await self._made(at, attempt))
        said = f"{found.evidence}; take it back: ondeck instance terminate {at.account}/{names}"
        return Finding(outcome=Outcome.FAILED, evidence=said)
