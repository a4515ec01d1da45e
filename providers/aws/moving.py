"""Start, stop, reboot and terminate: instances from one state into another, looked at until they are there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from ondeck.bench import Bench
from ondeck.errors import BadInput, Missing, RemoteFailed
from ondeck.job.finding import Attempt, Finding
from ondeck.job.outcome import Outcome
from ondeck.job.plan import Action, Change, Command, Draft, Preflight, Request
from ondeck.job.spec import Risk
from ondeck.operate.ports import Emit
from providers.aws import instances
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
    subject_of,
    thing,
)
from providers.aws.params import MoveParams
from providers.aws.rows import CLAIM, called, tags

GONE = "gone"
_WITHIN = 900.0  # seconds
STATE, GUARD = "state", "termination protection"


class Way(msgspec.Struct, frozen=True):
    """One operation: from which states into which."""

    method: str
    before: tuple[str, ...]
    between: tuple[str, ...]
    after: tuple[str, ...]
    back: str = ""


WAYS = {
    "instance.start": Way("start_instances", ("stopped",), ("pending",), ("running",), "stop"),
    "instance.stop": Way("stop_instances", ("running",), ("stopping",), ("stopped",), "start"),
    "instance.reboot": Way("reboot_instances", ("running",), (), ()),
    "instance.terminate": Way(
        "terminate_instances", ("running", "stopped", "pending", "stopping"), ("shutting-down",), ("terminated", GONE)
    ),
}  # fmt: skip


class _Seen(msgspec.Struct, frozen=True):
    name: str
    state: str
    guarded: bool
    claim: str


async def _look(calls: Calls, at: Thing, way: Way) -> _Seen:
    instance = await instances.one(calls, at.region, at.name)
    destroys = way.method == "terminate_instances"
    guarded = destroys and await instances.protected(calls, at.region, at.name)
    return _Seen(
        called(instance, at.name), instances.state_of(instance), guarded, tags(instance).get(CLAIM, "")
    )


async def plan(request: Request, params: MoveParams, calls: Calls, bench: Bench) -> Draft:
    """Look at every instance and ask EC2 with a dry run whether it would do it.

    Raises:
        BadInput: None of them can be changed like this.
        OndeckError: No instance could be asked, or it is not allowed.
    """
    way = WAYS[request.operation]
    verb = request.operation.rpartition(".")[2]
    seen, left_out = await _survey(request, calls, way)
    todo = {t: one for t, one in seen.items() if one.state in way.before and not one.guarded}
    already = {t: one for t, one in seen.items() if one.state in way.after}
    for target, one in seen.items():
        if target not in todo:
            left_out[target] = _why_not(one, verb)
    if not todo and not already:
        raise BadInput(f"nothing to {verb}: {'; '.join(left_out.values())}")
    same = not todo
    chosen = todo or already
    for target in chosen:
        left_out.pop(target, None)
    if not same:
        await _allowed(calls, way, list(todo))
    targets = tuple(chosen)
    destroys = request.operation == "instance.terminate"
    names = [one.name for one in chosen.values()]
    facts = {t: {STATE: one.state, **({GUARD: "off"} if destroys else {})} for t, one in chosen.items()}
    return Draft(
        summary=f"{verb} {listed(names)}",
        risk=Risk.DESTROY if destroys else Risk.CHANGE,
        changes=tuple(_change(t, one, way, destroys=destroys, same=same) for t, one in chosen.items()),
        commands=() if same else tuple(
            Command(target=t, argv=("aws", "ec2", way.method.replace("_", "-"), "--region", thing(t).region,
                                    "--instance-ids", thing(t).name)) for t in targets
        ),
        preconditions=tuple(p for t in targets for p in preconditions(t, facts[t])),
        preflight=(
            Preflight(name="instance looked at", ok=len(seen), unknown=len(request.targets) - len(seen)),
            Preflight(name="EC2 would do it (dry run)", ok=len(todo)),
            *_claims(chosen),
        ),
        rollout=rollout(targets, batch=params.batch, max_failures=params.max_failures),
        lock_key=lock_of("instance", targets),
        data=claims({target: one.claim for target, one in chosen.items()}),
        undo=f"ondeck instance {way.back} {subject_of(request, targets)}" if way.back else "irreversible",
        left_out=left_out,
        confirm=confirm_words(names, thing(targets[0]).account) if destroys else "",
    )  # fmt: skip


async def _survey(request: Request, calls: Calls, way: Way) -> tuple[dict[str, _Seen], dict[str, str]]:
    async def one(target: str) -> _Seen:
        return await _look(calls, thing(target), way)

    seen, bad = await each(request.targets, one)
    if not seen:
        raise next(iter(bad.values()))
    return seen, {target: error.message for target, error in bad.items()}


async def _allowed(calls: Calls, way: Way, targets: Sequence[str]) -> None:
    by_region: dict[str, list[str]] = {}
    for target in targets:
        at = thing(target)
        by_region.setdefault(at.region, []).append(at.name)
    for region, names in by_region.items():
        refused = await dry_run(calls, region, way.method, InstanceIds=names)
        refused = refused or await dry_run(
            calls, region, "create_tags", Resources=names, Tags=[{"Key": CLAIM, "Value": "dry-run"}]
        )
        if refused:
            raise RemoteFailed(f"EC2 would refuse it: {refused}", where=f"{calls.account.name} {region}")


def _claims(chosen: Mapping[str, _Seen]) -> tuple[Preflight, ...]:
    """What made an instance, or a job that did not come to its end, or one that works on it now."""
    held = [f"{one.name}: {one.claim}" for one in chosen.values() if one.claim]
    return (Preflight(name="taken over from a job before", ok=len(held), note=listed(held)),) if held else ()


def _why_not(one: _Seen, verb: str) -> str:
    if one.guarded:
        return f"{one.name}: termination protection is on"
    return (
        f"{one.name} is {one.state}"
        if one.state not in ("running", "stopped")
        else f"{one.name} is {one.state} already"
    )


def _change(target: str, one: _Seen, way: Way, *, destroys: bool, same: bool) -> Change:
    action = Action.DELETE if destroys else Action.UPDATE if way.after else Action.RUN
    after = way.after[0] if way.after else "running, rebooted"
    return Change(
        action=Action.NO_OP if same else action,
        target=target,
        address=one.name,
        before=one.state,
        after=after,
    )


class Moving(Deed):
    """Applies one plan. The claim is a tag that is put on the instance first, and taken away at the end."""

    def _way(self) -> Way:
        return WAYS[self.plan.request.operation]

    async def facts(self, at: Thing) -> dict[str, str]:
        """State, and of a terminate the protection."""
        seen = await _look(self.calls, at, self._way())
        found = {STATE: seen.state}
        if self._way().method == "terminate_instances":
            found[GUARD] = "on" if seen.guarded else "off"
        return found

    async def do(self, at: Thing, attempt: Attempt, emit: Emit) -> Finding:
        """Claim, send, look until it is there."""
        way = self._way()
        instance = await instances.one(self.calls, at.region, at.name)
        if tags(instance).get(CLAIM) == claim_tag(attempt)["Value"]:
            return await self.became(at, attempt)
        if way.after and instances.state_of(instance) in way.after:
            return Finding(outcome=Outcome.SUCCEEDED, evidence=f"was {instances.state_of(instance)} already")
        self.must_be_free(at, tags(instance), attempt)
        await self.calls.change(
            at.region, "ec2", "create_tags", Resources=[at.name], Tags=[claim_tag(attempt)]
        )
        emit.step(f"{way.method.replace('_', ' ')} sent")
        await self.calls.change(at.region, "ec2", way.method, InstanceIds=[at.name])
        if not way.after:
            return Finding(
                outcome=Outcome.SUCCEEDED, evidence="EC2 took the request; it tells no end of a reboot"
            )
        last = [""]

        async def look() -> Finding | None:
            state, _ = await self._now(at)
            if state != last[0]:
                emit.step(f"is {state}")
                last[0] = state
            if state in way.after:
                return Finding(outcome=Outcome.SUCCEEDED, evidence=f"EC2 says {state}")
            if state not in way.between and state not in way.before:
                return Finding(outcome=Outcome.FAILED, evidence=f"it is {state} instead")
            return None

        return await self.until(at, look, within=_WITHIN)

    async def _now(self, at: Thing) -> tuple[str, Mapping[str, Any]]:
        """State and the whole instance; an instance that EC2 has forgotten is gone."""
        try:
            instance = await instances.one(self.calls, at.region, at.name)
        except Missing:
            return GONE, {}
        return instances.state_of(instance), instance

    async def became(self, at: Thing, attempt: Attempt) -> Finding:
        """From the tag, which comes before the call, and the state."""
        way = self._way()
        state, instance = await self._now(at)
        if other := self.foreign(at, tags(instance), attempt):
            said = f"it carries the tag of another attempt, {other}: whether this one was sent is not known"
            return Finding(outcome=Outcome.UNKNOWN, evidence=f"{said}; it is {state}")
        if state != GONE and tags(instance).get(CLAIM) != claim_tag(attempt)["Value"]:
            said = f"it does not carry the tag of this attempt, so nothing was sent; it is {state}"
            return Finding(outcome=Outcome.NOT_STARTED, evidence=said)
        if not way.after:
            said = "its tag says that a reboot was begun; EC2 keeps no trace of one: look at its uptime"
            return Finding(outcome=Outcome.UNKNOWN, evidence=said)
        if state in way.before:
            # It may be on its way still: a call that was sent arrives within seconds or not at all.
            await asyncio.sleep(self.settings.seconds(SETTLES))
            state, instance = await self._now(at)
        if state in way.after:
            return Finding(outcome=Outcome.SUCCEEDED, evidence=f"EC2 says {state}{_reason(instance)}")
        if state in way.between:
            return Finding(outcome=Outcome.UNKNOWN, evidence=f"it is {state}", still_running=True)
        said = f"claimed, and {SETTLES:.0f} s later it is {state} still: the call did not arrive"
        return Finding(outcome=Outcome.FAILED, evidence=said)

    async def tidy(self, at: Thing, ended: Sequence[Attempt], emit: Callable[[str], None]) -> None:
        """The tag goes: to others it would look like drift. With its value, so that EC2 takes no other's."""
        state, instance = await self._now(at)
        held = tags(instance).get(CLAIM, "")
        if not held or state in WAYS["instance.terminate"].after:
            return
        if held not in [claim_tag(attempt)["Value"] for attempt in ended]:
            emit(f"{at.target} keeps the tag {CLAIM}={held}: it is not of an attempt of this worker")
            return
        await self.calls.change(
            at.region, "ec2", "delete_tags", Resources=[at.name], Tags=[{"Key": CLAIM, "Value": held}]
        )


def _reason(instance: Mapping[str, Any]) -> str:
    why = str(instance.get("StateTransitionReason") or "")
    return f", {why}" if why else ""
