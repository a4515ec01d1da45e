"""`cfnstack.deploy`: a template as a change set that is looked at, confirmed, and then executed exactly."""

from __future__ import annotations

import asyncio
import hashlib
import shlex
from collections.abc import Mapping
from typing import Any

from ondeck.bench import Bench
from ondeck.counting import counted
from ondeck.errors import BadInput, Missing, RemoteFailed
from ondeck.job.finding import Attempt, Finding
from ondeck.job.outcome import Outcome
from ondeck.job.plan import Action, Change, Command, Draft, Preflight, Request
from ondeck.job.spec import Risk
from ondeck.operate.ports import Emit
from ondeck.text import safe_line
from providers.aws import cfn, changeset, template
from providers.aws.calling import Calls
from providers.aws.deed import SETTLES, Deed, Thing, lock_alone, preconditions, rollout, thing
from providers.aws.params import StackParams
from providers.aws.rows import text

_WITHIN = 6 * 3600.0  # seconds
_NONE = "none"
_REVIEW = "REVIEW_IN_PROGRESS"
_DESTROYS = (Action.DELETE, Action.REPLACE)
STACK, SET = "stack", "change set"


def request_token(attempt: Attempt) -> str:
    """The attempt as a token that CloudFormation writes beside each event: letters, digits and dashes."""
    return f"ondeck-{hashlib.sha256(attempt.id.encode()).hexdigest()[:48]}"


def stand(whole: Mapping[str, Any] | None) -> str:
    """A stack's state as a fact: status and when it was last worked on."""
    if whole is None or whole.get("StackStatus") == _REVIEW:
        return _NONE
    changed = cfn.changed(whole)
    when = changed.isoformat() if hasattr(changed, "isoformat") else text(changed)
    return f"{text(whole.get('StackStatus'))} {when}"


def only(request: Request) -> Thing:
    """The one stack of a request.

    Raises:
        BadInput: It names more than one.
    """
    if len(request.targets) != 1:
        raise BadInput("one stack at a time", hint="ACCOUNT/REGION/STACK")
    return thing(request.targets[0])


async def plan_deploy(request: Request, params: StackParams, calls: Calls, bench: Bench) -> Draft:
    """Make a change set and tell what it would do. It is the plan: nothing of the stack changes by it.

    Raises:
        BadInput: The template, a parameter or the stack's state does not allow it.
        RemoteFailed: CloudFormation cannot make the change set.
        OndeckError: It could not be asked.
    """
    at = only(request)
    source = await template.read(params.template, params.ref)
    there = await cfn.stack(calls, at.region, at.name)
    _must_stand(there, at)
    values = await changeset.parameters(calls, at, source, params, there)
    now = changeset.utc_now()
    if there is not None:
        await changeset.tidy(calls, at, now)
    fresh = stand(there) == _NONE
    found = await changeset.made(
        calls,
        at,
        StackName=at.name,
        ChangeSetName=changeset.name_of(source, now),
        ChangeSetType="CREATE" if fresh else "UPDATE",
        TemplateBody=source.body,
        Parameters=values,
        Capabilities=["CAPABILITY_NAMED_IAM"] if params.iam else [],
        Description=safe_line(f"ondeck, {request.actor or '?'}: {source.source}")[:1024],
    )
    if found is None:
        return _no_change(request, at, source, there)
    rows = changeset.changes(at.target, found)
    destroyed = [row.address for row in rows if row.action in _DESTROYS]
    if destroyed and not params.destroys:
        await changeset.gone(calls, at, str(found["ChangeSetId"]))
        said = f"it removes or replaces {counted(len(destroyed), 'resource')}: {', '.join(destroyed[:5])}"
        raise BadInput(said, hint="if that is meant: --destroys")
    return _draft(
        request, at, source, rows, found, there, risk=Risk.DESTROY if params.destroys else Risk.CHANGE
    )


def _must_stand(there: Mapping[str, Any] | None, at: Thing) -> None:
    status = text((there or {}).get("StackStatus"))
    if status.endswith("IN_PROGRESS") and status != _REVIEW:
        raise BadInput(f"{at.name} is being worked on: {status}")
    if status == "ROLLBACK_COMPLETE":
        hint = f"ondeck cfnstack delete {at.target}"
        raise BadInput(f"{at.name} was never made whole ({status}): delete it first", hint=hint)


def _no_change(
    request: Request, at: Thing, source: template.Template, there: Mapping[str, Any] | None
) -> Draft:
    return Draft(
        summary=f"{at.name}: no changes, it is as {source.source} says",
        risk=Risk.CHANGE,
        changes=(Change(action=Action.NO_OP, target=at.target, address=at.name),),
        preconditions=preconditions(at.target, {STACK: stand(there)}),
        rollout=rollout(request.targets),
        lock_key=lock_alone("cfnstack", request.targets[0]),
        data={"set": ""},
    )


def _draft(
    request: Request,
    at: Thing,
    source: template.Template,
    rows: tuple[Change, ...],
    found: Mapping[str, Any],
    there: Mapping[str, Any] | None,
    *,
    risk: Risk,
) -> Draft:
    destroys = sum(row.action in _DESTROYS for row in rows)
    counts = ", ".join(
        f"{sum(row.action is action for row in rows)} to {action.value}"
        for action in (Action.CREATE, Action.UPDATE, Action.REPLACE, Action.DELETE)
        if any(row.action is action for row in rows)
    )
    arn = str(found["ChangeSetId"])
    return Draft(
        summary=f"{at.name} from {source.source}: {counts or 'no resource, only outputs or tags'}",
        risk=risk,
        changes=rows or (Change(action=Action.UPDATE, target=at.target, address=at.name, after="outputs or tags"),),
        commands=(
            Command(target=at.target, argv=("aws", "cloudformation", "execute-change-set", "--region", at.region,
                                            "--change-set-name", arn)),
        ),
        preconditions=preconditions(at.target, {STACK: stand(there), SET: "AVAILABLE"}),
        preflight=(Preflight(name="change set worked out", ok=1, note=text(found.get("ChangeSetName"))),),
        rollout=rollout(request.targets),
        lock_key=lock_alone("cfnstack", request.targets[0]),
        undo=_undo(request, at, fresh=stand(there) == _NONE),
        data={
            "set": arn,
            "stack": str(found.get("StackId") or (there or {}).get("StackId") or at.name),
            "update": stand(there) != _NONE,
            "total": len(rows),
        },
        confirm=f"{at.name} {destroys}" if destroys else "",
    )  # fmt: skip


def _undo(request: Request, at: Thing, *, fresh: bool) -> str:
    if fresh:
        return f"ondeck cfnstack delete {shlex.quote(at.target)}"
    file = shlex.quote(str(request.params.get("template")))
    return f"ondeck cfnstack deploy {shlex.quote(at.target)} --template {file} --ref COMMIT-BEFORE"


class OnStack(Deed):
    """What is done on a stack: its events are the progress, its status is the outcome."""

    good: tuple[str, ...] = ()

    def stack_id(self) -> str:
        """The stack by id: by name another one could come in its place."""
        return str(self.plan.draft.data["stack"])

    async def whole(self, at: Thing) -> dict[str, Any] | None:
        """The stack now."""
        return await cfn.stack(self.calls, at.region, self.stack_id())

    async def watched(self, at: Thing, emit: Emit, *, total: int) -> Finding:
        """Follow events until the stack stands; each is told once."""
        told = {str(event["EventId"]) for event in await self._events(at)}
        done: set[str] = set()

        async def look() -> Finding | None:
            for event in reversed(await self._events(at)):
                if str(event["EventId"]) in told:
                    continue
                told.add(str(event["EventId"]))
                emit.step(cfn.event_line(event))
                if str(event.get("ResourceStatus", "")).endswith("_COMPLETE") and event.get(
                    "PhysicalResourceId"
                ) != event.get("StackId"):
                    done.add(str(event.get("LogicalResourceId")))
                    emit.moved(min(len(done), total), total, "resources")
            found = await self.judged(at, await self.whole(at))
            return None if found.still_running else found

        return await self.until(at, look, within=_WITHIN)

    async def _events(self, at: Thing) -> list[dict[str, Any]]:
        try:
            return await cfn.events(self.calls, at.region, self.stack_id())
        except (Missing, RemoteFailed):
            return []  # a stack that is gone has none

    async def judged(self, at: Thing, whole: Mapping[str, Any] | None) -> Finding:
        """What a status means. Rolled back is failed: what was asked for is not there."""
        status = text((whole or {}).get("StackStatus")) or "DELETE_COMPLETE"
        if status in self.good:
            return Finding(outcome=Outcome.SUCCEEDED, evidence=f"{at.name} is {status}")
        if status.endswith("IN_PROGRESS"):
            return Finding(outcome=Outcome.UNKNOWN, evidence=f"{at.name} is {status}", still_running=True)
        why = await self._first_failure(at)
        return Finding(outcome=Outcome.FAILED, evidence=f"{at.name} is {status}{': ' + why if why else ''}")

    async def _first_failure(self, at: Thing) -> str:
        for event in reversed(await self._events(at)):
            failed = str(event.get("ResourceStatus", "")).endswith("FAILED")
            if failed and "cancelled" not in str(event.get("ResourceStatusReason", "")).lower():
                return cfn.event_line(event)
        return ""


class Deploying(OnStack):
    """Executes exactly the change set of the plan; a change set can be executed once, so it is its own claim."""

    good = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE")

    def _set(self) -> str:
        return str(self.plan.draft.data["set"])

    async def facts(self, at: Thing) -> dict[str, str]:
        """How the stack stands, and whether the change set can be executed."""
        there = await cfn.stack(self.calls, at.region, at.name)
        return {STACK: stand(there), **({SET: await self._can(at)} if self._set() else {})}

    async def _can(self, at: Thing) -> str:
        try:
            found = await changeset.described(self.calls, at, self._set())
        except Missing:
            return "gone"
        return text(found.get("ExecutionStatus")) or "?"

    async def do(self, at: Thing, attempt: Attempt, emit: Emit) -> Finding:
        """Execute, and follow the events."""
        if not self._set():
            return Finding(outcome=Outcome.SUCCEEDED, evidence="no changes")
        if await self._can(at) != "AVAILABLE":
            return await self.became(at, attempt)
        await self.calls.change(
            at.region, "cloudformation", "execute_change_set",
            ChangeSetName=self._set(), ClientRequestToken=request_token(attempt),
        )  # fmt: skip
        return await self.watched(at, emit, total=int(self.plan.draft.data["total"]))

    async def became(self, at: Thing, attempt: Attempt) -> Finding:
        """From the change set: not executed, or executed and then the stack tells."""
        if not self._set():
            return Finding(outcome=Outcome.SUCCEEDED, evidence="no changes")
        can = await self._can(at)
        if can == "AVAILABLE":
            await asyncio.sleep(self.settings.seconds(SETTLES))
            can = await self._can(at)
        if can == "AVAILABLE":
            return Finding(outcome=Outcome.NOT_STARTED, evidence="the change set was not executed")
        if can == "gone" and not await self._ours(at, attempt):
            said = "the change set is gone, and no event of the stack carries this attempt"
            return Finding(outcome=Outcome.UNKNOWN, evidence=said)
        found = await self.judged(at, await self.whole(at))
        return Finding(
            outcome=found.outcome,
            evidence=f"{found.evidence}, change set {can}",
            still_running=found.still_running,
        )

    async def _ours(self, at: Thing, attempt: Attempt) -> bool:
        return any(e.get("ClientRequestToken") == request_token(attempt) for e in await self._events(at))

    async def stop(self, at: Thing, attempt: Attempt, emit: Emit) -> Finding:
        """An update is called back and its way back followed; a stack that is being made cannot be."""
        found = await self.became(at, attempt)
        if not found.still_running or not self.plan.draft.data["update"]:
            return await super().stop(at, attempt, emit)
        try:
            await self.calls.change(
                at.region, "cloudformation", "cancel_update_stack", StackName=self.stack_id()
            )
        except RemoteFailed as error:
            emit.step(f"it cannot be called back any more: {error.message}")
        ended = await self.watched(at, emit, total=int(self.plan.draft.data["total"]))
        if ended.evidence.startswith(f"{at.name} is UPDATE_ROLLBACK_COMPLETE"):
            return Finding(
                outcome=Outcome.CANCELLED, evidence=f"called back, {at.name} is UPDATE_ROLLBACK_COMPLETE"
            )
        return ended
