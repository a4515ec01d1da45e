"""Capability `operator` for `host.exec`, `host.put`, and the record of `host.shell`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypeVar

import msgspec

from ondeck.bench import Bench
from ondeck.errors import BadInput
from ondeck.inventory.model import Inventory
from ondeck.job.plan import Draft, Plan, Request
from ondeck.job.spec import Params, Risk
from ondeck.operate.ports import Applying
from providers.host.execute import Executing, plan_exec, reads
from providers.host.links import Links, host_of
from providers.host.params import EXEC, PUT, ExecParams, PutParams
from providers.host.put import Putting, plan_put

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


class HostOperator:
    """Plans and applies what the manifest names."""

    async def plan(self, request: Request, bench: Bench) -> Draft:
        """Look and say exactly what would happen.

        Raises:
            BadInput: The parameters make no sense.
            Unreachable: No target at all could be asked.
        """
        for target in request.targets:
            host_of(bench, target)
        if request.operation == EXEC.name:
            return plan_exec(request, params_of(request, ExecParams), bench)
        if request.operation == PUT.name:
            return await plan_put(request, params_of(request, PutParams), bench)
        raise _not_a_job(request.operation)

    def risk_of(self, request: Request, inventory: Inventory) -> Risk:
        """A read only where the environment lists the request's own command.

        Raises:
            BadInput: The parameters make no sense.
        """
        if request.operation != EXEC.name:
            return Risk.CHANGE
        params = params_of(request, ExecParams)
        return Risk.READ if reads(request, params, inventory) else Risk.CHANGE

    def open(self, plan: Plan, bench: Bench) -> AbstractAsyncContextManager[Applying]:
        """Hold every connection of the plan."""
        return _opened(plan, bench)


@asynccontextmanager
async def _opened(plan: Plan, bench: Bench) -> AsyncIterator[Applying]:
    links = Links.of(plan, bench)
    try:
        if plan.request.operation == EXEC.name:
            yield Executing(plan, params_of(plan.request, ExecParams), bench, links)
        elif plan.request.operation == PUT.name:
            yield Putting(plan, bench, links)
        else:
            raise _not_a_job(plan.request.operation)
    finally:
        await links.aclose()


def _not_a_job(operation: str) -> BadInput:
    return BadInput(f"{operation} is no job on hosts")
