"""Capability `operator` for services: plan and open."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import msgspec

from ondeck.bench import Bench
from ondeck.errors import BadInput
from ondeck.job.plan import Draft, Plan, Request
from ondeck.operate.ports import Applying
from providers.release import planning
from providers.release.applying import ReleaseApplying
from providers.release.survey import survey
from providers.release.work import Work


class ReleaseOperator:
    """Plans and applies `service.deploy`, `rollback`, `restart`, `drain` and `undrain`."""

    async def plan(self, request: Request, bench: Bench) -> Draft:
        """Look at every target and say exactly what would happen; see `ondeck.operate.ports.Operator`."""
        found = await survey(request, bench)
        match request.operation:
            case "service.deploy":
                return await planning.deploy(request, found, bench)
            case "service.rollback":
                return await planning.rollback(request, found, bench)
            case "service.restart" | "service.drain" | "service.undrain":
                return planning.restart(request, found, bench)
            case other:
                raise BadInput(f"releases do not know the operation {other!r}")

    def open(self, plan: Plan, bench: Bench) -> AbstractAsyncContextManager[Applying]:
        """Open and hold every link of the plan."""
        return _opened(plan, bench)


@asynccontextmanager
async def _opened(plan: Plan, bench: Bench) -> AsyncIterator[Applying]:
    applying = ReleaseApplying(plan, msgspec.convert(plan.draft.data, Work), bench)
    try:
        await applying.connect()
        yield applying
    finally:
        await applying.aclose()
