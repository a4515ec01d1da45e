"""`cfnstack.delete`: a stack and everything that it is made of."""

from __future__ import annotations

import asyncio

from ondeck.bench import Bench
from ondeck.counting import counted
from ondeck.errors import BadInput, Missing
from ondeck.job.finding import Attempt, Finding
from ondeck.job.outcome import Outcome
from ondeck.job.plan import Action, Change, Command, Draft, Request
from ondeck.job.spec import Risk
from ondeck.operate.ports import Emit
from providers.aws import cfn
from providers.aws.calling import Calls
from providers.aws.deed import SETTLES, Thing, lock_alone, preconditions, rollout
from providers.aws.params import DeleteStackParams
from providers.aws.rows import text
from providers.aws.stacking import STACK, OnStack, only, request_token, stand

_PARTS, _GUARD = "resources", "termination protection"


async def plan(request: Request, params: DeleteStackParams, calls: Calls, bench: Bench) -> Draft:
    """Everything that would go.

    Raises:
        BadInput: Termination protection is on, or it is being worked on.
        Missing: There is no such stack.
    """
    at = only(request)
    whole = await cfn.stack(calls, at.region, at.name)
    if whole is None:
        raise Missing(f"no stack {at.name}", where=f"{at.account} {at.region}")
    if whole.get("EnableTerminationProtection"):
        raise BadInput(f"termination protection of {at.name} is on: nothing deletes it")
    status = text(whole.get("StackStatus"))
    if status.endswith("IN_PROGRESS") and status != "REVIEW_IN_PROGRESS":
        raise BadInput(f"{at.name} is being worked on: {status}")
    parts = await cfn.resources(calls, at.region, at.name)
    return Draft(
        summary=f"delete {at.name} with {counted(len(parts), 'resource')}",
        risk=Risk.DESTROY,
        changes=(
            *(
                Change(action=Action.DELETE, target=at.target, before=text(part.get("PhysicalResourceId")),
                       address=f"{text(part.get('LogicalResourceId'))} ({text(part.get('ResourceType'))})")
                for part in parts
            ),
            Change(action=Action.DELETE, target=at.target, address=at.name, before=status),
        ),
        commands=(
            Command(target=at.target, argv=("aws", "cloudformation", "delete-stack", "--region", at.region,
                                            "--stack-name", text(whole["StackId"]))),
        ),
        preconditions=preconditions(
            at.target, {STACK: stand(whole), _PARTS: str(len(parts)), _GUARD: "off"}
        ),
        rollout=rollout(request.targets),
        lock_key=lock_alone("cfnstack", request.targets[0]),
        undo="irreversible",
        warnings=("resources whose template says Retain stay, and are nobody's then",),
        data={"stack": str(whole["StackId"]), "total": len(parts)},
        confirm=f"{at.name} {len(parts)}",
    )  # fmt: skip


class Deleting(OnStack):
    """Applies one plan. A deletion that was begun shows in the stack's status, so that is the evidence."""

    good = ("DELETE_COMPLETE",)

    async def facts(self, at: Thing) -> dict[str, str]:
        """How it stands, how much it is, and whether it may go."""
        whole = await self.whole(at)
        if whole is None or whole.get("StackStatus") == "DELETE_COMPLETE":
            return {STACK: "gone", _PARTS: "0", _GUARD: "off"}
        parts = await cfn.resources(self.calls, at.region, self.stack_id())
        guard = "on" if whole.get("EnableTerminationProtection") else "off"
        return {STACK: stand(whole), _PARTS: str(len(parts)), _GUARD: guard}

    async def do(self, at: Thing, attempt: Attempt, emit: Emit) -> Finding:
        """Send, and follow the events."""
        if await self._begun(at):
            return await self.watched(at, emit, total=int(self.plan.draft.data["total"]))
        await self.calls.change(
            at.region, "cloudformation", "delete_stack",
            StackName=self.stack_id(), ClientRequestToken=request_token(attempt),
        )  # fmt: skip
        return await self.watched(at, emit, total=int(self.plan.draft.data["total"]))

    async def became(self, at: Thing, attempt: Attempt) -> Finding:
        """From the stack's status."""
        if not await self._begun(at):
            await asyncio.sleep(self.settings.seconds(SETTLES))
        if not await self._begun(at):
            said = f"{at.name} is as it was, {SETTLES:.0f} s later"
            return Finding(outcome=Outcome.NOT_STARTED, evidence=said)
        return await self.judged(at, await self.whole(at))

    async def _begun(self, at: Thing) -> bool:
        whole = await self.whole(at)
        return whole is None or text(whole.get("StackStatus")).startswith("DELETE_")
