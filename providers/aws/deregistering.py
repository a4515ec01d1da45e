"""`ami.deregister`: images that go, unless somebody uses them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from ondeck.bench import Bench
from ondeck.counting import counted
from ondeck.errors import BadInput, Missing, RemoteFailed
from ondeck.job.finding import Attempt, Finding
from ondeck.job.outcome import Outcome
from ondeck.job.plan import Action, Change, Command, Draft, Preflight, Request
from ondeck.job.spec import Risk
from ondeck.operate.ports import Emit
from providers.aws import images
from providers.aws.calling import Calls, each
from providers.aws.deed import (
    SETTLES,
    Deed,
    Thing,
    claim_tag,
    claims,
    confirm_words,
    dry_run,
    listed,
    lock_of,
    preconditions,
    rollout,
    thing,
)
from providers.aws.params import DeregisterParams
from providers.aws.rows import CLAIM, called, tags, text

NOBODY = "nobody"


class _Seen(msgspec.Struct, frozen=True):
    name: str
    used: str
    claim: str
    snapshots: list[str]


async def plan(request: Request, params: DeregisterParams, calls: Calls, bench: Bench) -> Draft:
    """Look at each image and at who uses it; one that is used is left out unless that is said.

    Raises:
        BadInput: None of them may go.
        OndeckError: No image could be asked, or it is not allowed.
    """

    async def one(target: str) -> _Seen:
        at = thing(target)
        image = await images.one(calls, at.region, at.name)
        used = await _used_by(calls, at)
        if refused := await dry_run(calls, at.region, "deregister_image", ImageId=at.name):
            raise RemoteFailed(f"EC2 would refuse it: {refused}", where=target)
        return _Seen(
            text(image.get("Name")) or at.name, used, tags(image).get(CLAIM, ""), images.snapshots_of(image)
        )

    seen, bad = await each(request.targets, one)
    if not seen:
        raise next(iter(bad.values()))
    left_out = {target: error.message for target, error in bad.items()}
    for target, image in seen.items():
        if image.used != NOBODY and not params.used:
            left_out[target] = f"used by {image.used}; --used also takes it"
    todo = {target: image for target, image in seen.items() if target not in left_out}
    if not todo:
        raise BadInput(f"no image may go: {'; '.join(left_out.values())}")
    names = [image.name for image in todo.values()]
    return Draft(
        summary=f"deregister {listed(names)}",
        risk=Risk.DESTROY,
        changes=tuple(
            Change(action=Action.DELETE, target=t, address=one.name, before=f"used by {one.used}", after="gone")
            for t, one in todo.items()
        ),
        commands=tuple(
            Command(target=t, argv=("aws", "ec2", "deregister-image", "--region", thing(t).region,
                                    "--image-id", thing(t).name)) for t in todo
        ),
        preconditions=tuple(p for t, one in todo.items() for p in preconditions(t, {"used by": one.used})),
        preflight=(Preflight(name="EC2 would do it (dry run)", ok=len(todo)),),
        rollout=rollout(tuple(todo)),
        lock_key=lock_of("ami", tuple(todo)),
        undo="irreversible",
        warnings=_warnings(list(todo.values())),
        left_out=left_out,
        confirm=confirm_words(names, thing(request.targets[0]).account),
        data=claims({target: one.claim for target, one in todo.items()}),
    )  # fmt: skip


def _warnings(todo: list[_Seen]) -> tuple[str, ...]:
    used = [
        f"{one.name} is used by {one.used}: what starts from it will fail"
        for one in todo
        if one.used != NOBODY
    ]
    stay = [snapshot for one in todo for snapshot in one.snapshots]
    kept = [f"{counted(len(stay), 'snapshot')} stay and cost: {listed(stay)}"] if stay else []
    return (*used, *kept)


async def _used_by(calls: Calls, at: Thing) -> str:
    """Instances and launch templates that use an image, in a few words."""
    using, templates = await asyncio.gather(
        images.users(calls, at.region), images.templates_with(calls, at.region, at.name)
    )
    names = [called(one, str(one["InstanceId"])) for one in using.get(at.name, ())]
    parts = [", ".join(sorted(names)[:5])] if names else []
    if len(names) > 5:
        parts[0] += f" and {len(names) - 5} more"
    if templates:
        parts.append(f"template {', '.join(sorted(templates)[:5])}")
    return "; ".join(parts) or NOBODY


class Deregistering(Deed):
    """Applies `ami.deregister`; the claim is a tag on the image, put there first."""

    async def facts(self, at: Thing) -> dict[str, str]:
        """Who uses it."""
        await images.one(self.calls, at.region, at.name)
        return {"used by": await _used_by(self.calls, at)}

    async def do(self, at: Thing, attempt: Attempt, emit: Emit) -> Finding:
        """Claim, send, look until it is gone."""
        image = await self._there(at)
        if image is None:
            return Finding(outcome=Outcome.SUCCEEDED, evidence="it is gone already")
        if tags(image).get(CLAIM) == claim_tag(attempt)["Value"]:
            return await self.became(at, attempt)
        self.must_be_free(at, tags(image), attempt)
        await self.calls.change(
            at.region, "ec2", "create_tags", Resources=[at.name], Tags=[claim_tag(attempt)]
        )
        await self.calls.change(at.region, "ec2", "deregister_image", ImageId=at.name)

        async def look() -> Finding | None:
            return (
                None if await self._there(at) else Finding(outcome=Outcome.SUCCEEDED, evidence="it is gone")
            )

        return await self.until(at, look, within=120.0)

    async def _there(self, at: Thing) -> dict[str, Any] | None:
        try:
            image = await images.one(self.calls, at.region, at.name)
        except Missing:
            return None
        return None if image.get("State") == "deregistered" else image

    async def became(self, at: Thing, attempt: Attempt) -> Finding:
        """From the image: gone, claimed or neither."""
        image = await self._there(at)
        if image is None:
            return Finding(outcome=Outcome.SUCCEEDED, evidence="it is gone")
        if other := self.foreign(at, tags(image), attempt):
            said = f"it carries the tag of another attempt, {other}: whether this one was sent is not known"
            return Finding(outcome=Outcome.UNKNOWN, evidence=said)
        if tags(image).get(CLAIM) != claim_tag(attempt)["Value"]:
            said = "it does not carry the tag of this attempt, so nothing was sent"
            return Finding(outcome=Outcome.NOT_STARTED, evidence=said)
        await asyncio.sleep(self.settings.seconds(SETTLES))
        if await self._there(at) is None:
            return Finding(outcome=Outcome.SUCCEEDED, evidence="it is gone")
        return Finding(outcome=Outcome.FAILED, evidence="claimed, and still there: the call did not arrive")

    async def tidy(self, at: Thing, ended: Sequence[Attempt], emit: Callable[[str], None]) -> None:
        """Nothing stays of it."""
