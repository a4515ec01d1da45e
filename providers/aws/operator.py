"""Capability `operator`: plans and applies what the manifest names, on things of one account."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeVar

import msgspec

from ondeck.bench import Bench
from ondeck.errors import AuthFailed, BadInput, Missing, OndeckError, Reason, Unreachable
from ondeck.inventory.model import Inventory
from ondeck.job.finding import Attempt, Finding, Gate
from ondeck.job.outcome import Outcome
from ondeck.job.plan import Draft, Plan, Precondition, Preflight, Request
from ondeck.job.spec import Params, Risk
from ondeck.operate.ports import Applying, Emit
from providers.aws import (
    copying,
    deregistering,
    imaging,
    launching,
    moving,
    removing,
    stacking,
    tagging,
    unstacking,
)
from providers.aws import params as takes
from providers.aws.calling import Calls
from providers.aws.deed import Deed, Thing, or_unknown, preconditions, thing, under_way
from providers.aws.identity import caller_of
from providers.aws.options import account_of

_P = TypeVar("_P", bound=Params)
Plans = Callable[[Request, Any, Calls, Bench], Awaitable[Draft]]

_DEEDS: dict[str, tuple[type[Params], Plans, type[Deed]]] = {
    "instance.start": (takes.MoveParams, moving.plan, moving.Moving),
    "instance.stop": (takes.MoveParams, moving.plan, moving.Moving),
    "instance.reboot": (takes.MoveParams, moving.plan, moving.Moving),
    "instance.terminate": (takes.MoveParams, moving.plan, moving.Moving),
    "instance.launch": (takes.LaunchParams, launching.plan, launching.Launching),
    "instance.tag": (takes.TagParams, tagging.plan, tagging.Tagging),
    "ami.create": (takes.ImageParams, imaging.plan_create, imaging.Creating),
    "ami.copy": (takes.CopyImageParams, imaging.plan_copy, imaging.Copying),
    "ami.deregister": (takes.DeregisterParams, deregistering.plan, deregistering.Deregistering),
    "cfnstack.deploy": (takes.StackParams, stacking.plan_deploy, stacking.Deploying),
    "cfnstack.delete": (takes.DeleteStackParams, unstacking.plan, unstacking.Deleting),
    "s3.copy": (takes.CopyParams, copying.plan, copying.Copying),
    "s3.delete": (takes.DeleteParams, removing.plan, removing.Removing),
}
CALLER = "caller"


def params_of(request: Request, kind: type[_P]) -> _P:
    """The request's plain data as its operation's parameters.

    Raises:
        BadInput: Something is missing, unknown or of another type.
    """
    unknown = sorted(set(request.params) - set(kind.__struct_fields__))
    if unknown:
        raise BadInput(f"{request.operation} has no parameter {unknown[0]!r}")
    try:
        return msgspec.convert(request.params, kind, strict=False)
    except msgspec.ValidationError as error:
        raise BadInput(f"{request.operation}: {error}") from error


class AwsOperator:
    """Plans and applies operations on instances, images, stacks of CloudFormation, and objects."""

    async def plan(self, request: Request, bench: Bench) -> Draft:
        """Look and say exactly what would happen; see `ondeck.operate.ports.Operator`."""
        if request.operation not in _DEEDS:
            raise BadInput(f"AWS does not know the operation {request.operation!r}")
        kind, plans, _ = _DEEDS[request.operation]
        first = thing(request.targets[0])
        account = account_of(bench.inventory, first.account)
        for target in request.targets:
            if thing(target).account != first.account:
                raise BadInput("one operation stays in one account", hint=f"{first.account} or another one")
        params = params_of(request, kind)
        calls = await Calls.of(account, bench)
        who = await caller_of(calls)
        draft = await plans(request, params, calls, bench)
        targets = (target for batch in draft.rollout.batches for target in batch.targets)
        keys = account.options.keys
        return msgspec.structs.replace(
            draft,
            preconditions=(*(Precondition(target=t, fact=CALLER, expected=who) for t in targets), *draft.preconditions),
            preflight=(Preflight(name="AWS knows us", ok=1, note=who), *draft.preflight),
            secrets=keys.references if keys is not None else (),
        )  # fmt: skip

    def risk_of(self, request: Request, inventory: Inventory) -> Risk:
        """As the operation says; a stack's deploy destroys only where that was asked for.

        Raises:
            BadInput: The parameters make no sense.
        """
        if request.operation == "cfnstack.deploy":
            return Risk.DESTROY if params_of(request, takes.StackParams).destroys else Risk.CHANGE
        return next(spec.risk for spec in takes.OPERATIONS if spec.name == request.operation)

    def open(self, plan: Plan, bench: Bench) -> AbstractAsyncContextManager[Applying]:
        """Log in once; there is no connection to hold."""
        return _opened(plan, bench)


@asynccontextmanager
async def _opened(plan: Plan, bench: Bench) -> AsyncIterator[Applying]:
    account = account_of(bench.inventory, thing(plan.targets[0]).account)
    calls = await Calls.of(account, bench)
    calls.login_again()
    _, _, deed = _DEEDS[plan.request.operation]
    yield AwsApplying(plan, deed(plan, calls, bench), calls)


class AwsApplying:
    """Applies one plan on things of one account."""

    def __init__(self, plan: Plan, deed: Deed, calls: Calls) -> None:
        self._plan = plan
        self._deed = deed
        self._calls = calls
        self._who = ""
        self._ended: dict[str, list[Attempt]] = {}

    async def ready(self) -> dict[str, Finding]:
        """Whether AWS answers. A login that ended is no fault of any target: the first check says so."""
        try:
            self._who = await caller_of(self._calls)
        except Unreachable as error:
            if isinstance(error, AuthFailed) or error.reason is Reason.CREDENTIALS:
                return {}
            said = Finding(outcome=Outcome.UNREACHABLE, evidence=f"{error.reason.value}: {error.message}")
            return dict.fromkeys(self._plan.targets, said)
        return {}

    async def check(self, target: str) -> tuple[Precondition, ...]:
        """Who we are and what the target is now, in the plan's words."""
        at = thing(target)
        who = self._who or await caller_of(self._calls)
        try:
            facts = await self._deed.facts(at)
        except Missing as error:
            planned = (p.fact for p in self._plan.draft.preconditions if p.target == target)
            facts = {fact: f"gone: {error.message}" for fact in planned if fact != CALLER}
        return preconditions(target, {CALLER: who, **facts})

    async def apply(self, attempt: Attempt, emit: Emit) -> Finding:
        """Do it on one thing, once; when cancelled, call it back where AWS can and tell what it is now."""
        at = thing(attempt.target)
        try:
            found = await self._deed.do(at, attempt, emit)
            self._ended.setdefault(attempt.target, []).append(attempt)
            return found
        except asyncio.CancelledError:
            with under_way(attempt.target):
                return await self._deed.stop(at, attempt, emit)

    async def gate(self, targets: tuple[str, ...]) -> Gate:
        """Each thing was looked at until it was as it shall be; no plan here names a gate."""
        return Gate(passed=True, evidence="no gate")

    async def reconcile(self, attempt: Attempt) -> Finding:
        """Find out from AWS what became of an attempt."""
        at: Thing = thing(attempt.target)
        found = await or_unknown(self._deed.became(at, attempt))
        if found.outcome is not Outcome.UNKNOWN:
            self._ended.setdefault(attempt.target, []).append(attempt)
        return found

    async def finish(self, succeeded: tuple[str, ...], emit: Callable[[str], None]) -> dict[str, str]:
        """Take away what only served as evidence."""
        for target in succeeded:
            try:
                await self._deed.tidy(thing(target), self._ended.get(target, ()), emit)
            except OndeckError as error:
                emit(f"{target}: {error.message}")
        return {}
