"""Capability `operator` for backups, the same for every engine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypeVar

import msgspec

from ondeck.bench import Bench
from ondeck.errors import BadInput, PlanStale
from ondeck.job import backups as specs
from ondeck.job.plan import Draft, Plan, Request
from ondeck.job.spec import Params
from ondeck.operate.backup import forgetting, planning, restoring
from ondeck.operate.backup.engine import Engine
from ondeck.operate.backup.planning import Drawn, Table
from ondeck.operate.backup.stepping import Stepping
from ondeck.operate.backup.steps import Work
from ondeck.operate.ports import Applying

_P = TypeVar("_P", bound=Params)


class BackupOperator:
    """Plans and applies the operations of `ondeck.job.backups` with one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def plan(self, request: Request, bench: Bench) -> Draft:
        """Look and say exactly what would happen.

        Raises:
            BadInput: The inventory or the parameters make no sense.
            Refused: A rail is in the way: no room, a held snapshot, a living holder of a lock.
            Unreachable: A host cannot be asked.
        """
        at = await planning.table(self._engine, request, bench)
        return await planning.draft(at, await _drawn(at, request))

    def open(self, plan: Plan, bench: Bench) -> AbstractAsyncContextManager[Applying]:
        """Hold every connection of the plan."""
        return _opened(self._engine, plan, bench)


async def _drawn(at: Table, request: Request) -> Drawn:
    match request.operation:
        case specs.RUN.name:
            params_of(request, specs.RunParams)
            return await planning.run(at)
        case specs.VERIFY.name:
            return await planning.verify(at, params_of(request, specs.VerifyParams))
        case specs.RESTORE.name:
            return await restoring.restore(at, params_of(request, specs.RestoreParams))
        case specs.DRILL.name:
            return await restoring.drill(at, params_of(request, specs.DrillParams))
        case specs.FORGET.name:
            return await forgetting.forget(at, params_of(request, specs.ForgetParams))
        case specs.HOLD.name:
            return await planning.hold(at, params_of(request, specs.HoldParams))
        case specs.RELEASE.name:
            return await planning.release(at, params_of(request, specs.ReleaseParams))
        case specs.PRUNE.name:
            params_of(request, specs.PruneParams)
            return await planning.prune(at)
        case specs.UNLOCK.name:
            params_of(request, specs.UnlockParams)
            return await planning.unlock(at)
    raise BadInput(f"{request.operation} is no operation on a backup")


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


@asynccontextmanager
async def _opened(engine: Engine, plan: Plan, bench: Bench) -> AsyncIterator[Applying]:
    try:
        work = msgspec.convert(plan.draft.data, Work)
    except msgspec.ValidationError as error:
        raise PlanStale(f"the plan is of another version: {error}", hint="plan again") from error
    if work.operation != plan.request.operation or (work.backup,) != plan.request.targets:
        raise PlanStale("the plan's steps are not those of its request", hint="plan again")
    shown = [command.argv for command in plan.draft.commands]
    if shown != [step.argv for step in work.steps]:
        raise PlanStale("the plan shows other commands than it would run", hint="plan again")
    yield Stepping(engine, plan, work, bench)
