"""Capability `operator` for stacks: plan and open."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypeVar

import msgspec

from ondeck.bench import Bench
from ondeck.errors import BadInput
from ondeck.job.plan import Draft, Plan, Request
from ondeck.job.spec import Params
from ondeck.operate.ports import Applying
from providers.terraform import params as p
from providers.terraform import planning, surgery, unlocking
from providers.terraform.applying import StackApplying
from providers.terraform.work import Work

_P = TypeVar("_P", bound=Params)


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


class StackOperator:
    """Plans and applies what the manifest names."""

    async def plan(self, request: Request, bench: Bench) -> Draft:
        """Look and say exactly what would happen; see `ondeck.operate.ports.Operator`."""
        match request.operation:
            case "stack.plan":
                return await planning.plan_only(request, params_of(request, p.PlanParams), bench)
            case "stack.apply":
                return await planning.plan_apply(request, params_of(request, p.ApplyParams), bench)
            case "stack.destroy":
                return await planning.plan_destroy(request, params_of(request, p.DestroyParams), bench)
            case "stack.unlock":
                return await unlocking.plan_unlock(request, bench)
            case _:
                return await _state_alone(request, bench)

    def open(self, plan: Plan, bench: Bench) -> AbstractAsyncContextManager[Applying]:
        """Set everything up before the first change."""
        return _opened(plan, bench)


async def _state_alone(request: Request, bench: Bench) -> Draft:
    match request.operation:
        case "stack.mv":
            return await surgery.plan_move(request, params_of(request, p.MoveParams), bench)
        case "stack.rm":
            return await surgery.plan_forget(request, params_of(request, p.AddressParams), bench)
        case "stack.import":
            return await surgery.plan_import(request, params_of(request, p.ImportParams), bench)
        case "stack.push":
            return await surgery.plan_push(request, params_of(request, p.PushParams), bench)
        case "stack.init":
            return await surgery.plan_init(request, params_of(request, p.InitParams), bench)
        case other:
            raise BadInput(f"stacks do not know the operation {other!r}")


@asynccontextmanager
async def _opened(plan: Plan, bench: Bench) -> AsyncIterator[Applying]:
    applying = StackApplying(plan, msgspec.convert(plan.draft.data, Work), bench)
    with contextlib.closing(applying):
        yield applying
