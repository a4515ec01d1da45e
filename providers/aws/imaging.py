"""Images (AMIs) made, copied and deregistered."""

from __future__ import annotations

import asyncio
from typing import Any

from ondeck.bench import Bench
from ondeck.errors import BadInput, Missing, OndeckError, RemoteFailed
from ondeck.job.finding import Attempt, Finding
from ondeck.job.outcome import Outcome
from ondeck.job.plan import Action, Change, Command, Draft, Preflight, Request
from ondeck.job.spec import Risk
from ondeck.operate.ports import Emit
from providers.aws import images, instances
from providers.aws.calling import Calls
from providers.aws.deed import (
    SETTLES,
    Deed,
    Thing,
    claim_tag,
    dry_run,
    lock_of,
    preconditions,
    rollout,
    thing,
    token,
)
from providers.aws.params import CopyImageParams, ImageParams
from providers.aws.rows import CLAIM, called, text

_WITHIN = 4 * 3600.0  # seconds; a large volume takes hours
_FREE = "image name"


def _only(request: Request, what: str) -> Thing:
    if len(request.targets) != 1:
        raise BadInput(f"one {what} at a time")
    return thing(request.targets[0])


async def _name_of(calls: Calls, region: str, name: str) -> str:
    """`free`, or the image that has the name: names are unique in a region, which makes them a claim."""
    filters = [{"Name": "name", "Values": [name]}]
    found = await calls.pages(region, "ec2", "describe_images", "Images", Owners=["self"], Filters=filters)
    return text(found[0]["ImageId"]) if found else "free"


async def plan_create(request: Request, params: ImageParams, calls: Calls, bench: Bench) -> Draft:
    """Look at the instance, at the name, and ask EC2 with a dry run.

    Raises:
        BadInput: The name is taken, or more than one instance.
        OndeckError: It could not be asked, or is not allowed.
    """
    at = _only(request, "instance")
    instance = await instances.one(calls, at.region, at.name)
    data = {"name": params.name, "no_reboot": params.no_reboot, "region": at.region}
    facts = await _create_facts(calls, at, data)
    if facts[_FREE] != "free":
        raise BadInput(f"the name {params.name!r} is taken by {facts[_FREE]}")
    refused = await dry_run(
        calls, at.region, "create_image", InstanceId=at.name, Name=params.name, NoReboot=params.no_reboot
    )
    if refused:
        raise RemoteFailed(f"EC2 would refuse it: {refused}", where=f"{calls.account.name} {at.region}")
    name, state = called(instance, at.name), instances.state_of(instance)
    stops = state == "running" and not params.no_reboot
    warning = (
        f"{name} is stopped for the image and started again: it does not serve meanwhile"
        if stops
        else f"{name} goes on while the image is made: files that are being written may be torn in it"
    )
    return Draft(
        summary=f"image {text(params.name)} of {name}",
        risk=Risk.CHANGE,
        changes=(
            Change(action=Action.CREATE, target=at.target, address=text(params.name), after=f"image of {name}"),
            *((_rebooted(at, name, state),) if stops else ()),
        ),
        commands=(
            Command(target=at.target, argv=("aws", "ec2", "create-image", "--region", at.region, "--instance-id",
                                            at.name, "--name", params.name,
                                            "--no-reboot" if params.no_reboot else "--reboot")),
        ),
        preconditions=preconditions(at.target, facts),
        preflight=(Preflight(name="EC2 would do it (dry run)", ok=1),),
        rollout=rollout(request.targets),
        lock_key=lock_of("instance", request.targets),
        undo=f"ondeck ami deregister {at.account}/{at.region}/ID (the job names it)",
        warnings=(warning,) if state == "running" else (),
        data=data,
    )  # fmt: skip


def _rebooted(at: Thing, name: str, state: str) -> Change:
    return Change(action=Action.RUN, target=at.target, address=name, before=state, after="rebooted")


async def _create_facts(calls: Calls, at: Thing, data: dict[str, Any]) -> dict[str, str]:
    instance, free = await asyncio.gather(
        instances.one(calls, at.region, at.name), _name_of(calls, at.region, str(data["name"]))
    )
    return {"state": instances.state_of(instance), _FREE: free}


async def plan_copy(request: Request, params: CopyImageParams, calls: Calls, bench: Bench) -> Draft:
    """Look at the image and at the name where it goes.

    Raises:
        BadInput: The region is not one of the account's, the name is taken, or it is the same region.
        OndeckError: It could not be asked.
    """
    at = _only(request, "image")
    if params.to not in calls.account.options.regions or params.to == at.region:
        known = ", ".join(r for r in calls.account.options.regions if r != at.region)
        raise BadInput(
            f"cannot copy to {params.to!r}", hint=f"other regions of {at.account}: {known or 'none'}"
        )
    image = await images.one(calls, at.region, at.name)
    data = {"name": params.name or str(image.get("Name") or at.name), "region": params.to}
    facts = await _copy_facts(calls, at, data)
    if facts[_FREE] != "free":
        raise BadInput(f"the name {data['name']!r} is taken in {params.to} by {facts[_FREE]}")
    if facts["state"] != "available":
        raise BadInput(f"{at.name} is {facts['state']}, only an available image can be copied")
    return Draft(
        summary=f"copy {text(image.get('Name')) or at.name} from {at.region} to {params.to}",
        risk=Risk.CHANGE,
        changes=(
            Change(action=Action.CREATE, target=at.target, address=f"{params.to} {text(data['name'])}",
                   after=f"copy of {at.region}/{at.name}"),
        ),
        commands=(
            Command(target=at.target, argv=("aws", "ec2", "copy-image", "--region", params.to, "--source-region",
                                            at.region, "--source-image-id", at.name, "--name", data["name"])),
        ),
        preconditions=preconditions(at.target, facts),
        rollout=rollout(request.targets),
        lock_key=lock_of("ami", request.targets),
        undo=f"ondeck ami deregister {at.account}/{params.to}/ID (the job names it)",
        data=data,
    )  # fmt: skip


async def _copy_facts(calls: Calls, at: Thing, data: dict[str, Any]) -> dict[str, str]:
    image, free = await asyncio.gather(
        images.one(calls, at.region, at.name), _name_of(calls, str(data["region"]), str(data["name"]))
    )
    return {"state": text(image.get("State")), _FREE: free}


class _Making(Deed):
    """An image that comes to be: found again by the attempt's tag, which EC2 puts on in the same step."""

    def _region(self) -> str:
        return str(self.plan.draft.data["region"])

    async def _send(self, at: Thing, attempt: Attempt) -> str:
        raise NotImplementedError

    def _tagged(self, attempt: Attempt) -> list[dict[str, Any]]:
        return [{"ResourceType": "image", "Tags": [claim_tag(attempt)]}]

    async def do(self, at: Thing, attempt: Attempt, emit: Emit) -> Finding:
        """Ask for it once, then look until it is available."""
        if await self._made(attempt):
            return await self.became(at, attempt)
        image = await self._send(at, attempt)
        emit.step(f"EC2 makes {text(image)}")
        last = [-1]

        async def look() -> Finding | None:
            # By its id: a tag that is still on its way hides nothing.
            made = await self._by_id(image)
            share = await self._share(made) if made else 0
            if share != last[0]:
                emit.moved(share, 100, "%")
                last[0] = share
            found = self._judged(made)
            return None if found.still_running else found

        return await self.until(at, look, within=_WITHIN)

    async def _made(self, attempt: Attempt) -> list[dict[str, Any]]:
        filters = [{"Name": f"tag:{CLAIM}", "Values": [claim_tag(attempt)["Value"]]}]
        return await self.calls.pages(self._region(), "ec2", "describe_images", "Images", Filters=filters)

    async def _by_id(self, image: str) -> list[dict[str, Any]]:
        try:
            return [await images.one(self.calls, self._region(), image)]
        except Missing:
            return []

    async def _share(self, made: list[dict[str, Any]]) -> int:
        """Percent of its snapshots; EC2 tells progress nowhere else."""
        names = [name for image in made for name in images.snapshots_of(image)]
        if not names:
            return 0
        try:
            found = await self.calls.pages(
                self._region(), "ec2", "describe_snapshots", "Snapshots",
                Filters=[{"Name": "snapshot-id", "Values": names}],
            )  # fmt: skip
        except OndeckError:
            return 0
        shares = [int(str(one.get("Progress") or "0").rstrip("%") or 0) for one in found]
        return sum(shares) // len(shares) if shares else 0

    def _judged(self, made: list[dict[str, Any]]) -> Finding:
        if not made:
            return Finding(outcome=Outcome.UNKNOWN, evidence="it does not show yet", still_running=True)
        image, state = made[0], text(made[0].get("State"))
        said = f"{text(image['ImageId'])} is {state}"
        if state == "available":
            return Finding(outcome=Outcome.SUCCEEDED, evidence=said)
        if state == "pending":
            return Finding(outcome=Outcome.UNKNOWN, evidence=said, still_running=True)
        why = text(image.get("StateReason", {}).get("Message"))
        return Finding(outcome=Outcome.FAILED, evidence=f"{said}{': ' + why if why else ''}")

    async def became(self, at: Thing, attempt: Attempt) -> Finding:
        """From the image that carries the attempt's tag."""
        made = await self._made(attempt)
        if not made:
            await asyncio.sleep(self.settings.seconds(SETTLES))
            made = await self._made(attempt)
        if not made:
            said = f"no image carries the tag of this attempt, {SETTLES:.0f} s later"
            return Finding(outcome=Outcome.NOT_STARTED, evidence=said)
        return self._judged(made)

    async def stop(self, at: Thing, attempt: Attempt, emit: Emit) -> Finding:
        """An image that is not whole yet is deregistered: nobody can use it."""
        made = await self._made(attempt)
        if not made or text(made[0].get("State")) != "pending":
            return await super().stop(at, attempt, emit)
        name = str(made[0]["ImageId"])
        await self.calls.change(self._region(), "ec2", "deregister_image", ImageId=name)
        if await self._made(attempt):
            return Finding(outcome=Outcome.FAILED, evidence=f"{name} was asked to go and is still there")
        if left := images.snapshots_of(made[0]):
            said = f"{name} was pending and is deregistered; its snapshots stay: {', '.join(left)}"
            return Finding(outcome=Outcome.FAILED, evidence=said)
        return Finding(outcome=Outcome.CANCELLED, evidence=f"{name} was pending and is deregistered")


class Creating(_Making):
    """Applies `ami.create`."""

    async def facts(self, at: Thing) -> dict[str, str]:
        """State of the instance, and whether the name is free."""
        return await _create_facts(self.calls, at, self.plan.draft.data)

    async def _send(self, at: Thing, attempt: Attempt) -> str:
        data = self.plan.draft.data
        answer = await self.calls.change(
            at.region, "ec2", "create_image", InstanceId=at.name, Name=data["name"],
            NoReboot=bool(data["no_reboot"]), TagSpecifications=self._tagged(attempt),
        )  # fmt: skip
        return str(answer["ImageId"])


class Copying(_Making):
    """Applies `ami.copy`; the client token makes a second one impossible besides the name."""

    async def facts(self, at: Thing) -> dict[str, str]:
        """State of the image, and whether the name is free where it goes."""
        return await _copy_facts(self.calls, at, self.plan.draft.data)

    async def _send(self, at: Thing, attempt: Attempt) -> str:
        data = self.plan.draft.data
        answer = await self.calls.change(
            self._region(), "ec2", "copy_image", SourceImageId=at.name, SourceRegion=at.region, Name=data["name"],
            ClientToken=token(attempt), TagSpecifications=self._tagged(attempt),
        )  # fmt: skip
        return str(answer["ImageId"])
