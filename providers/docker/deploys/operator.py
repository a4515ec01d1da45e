"""Plan and apply `service.*` for services of `kind: docker`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from ondeck.bench import Bench
from ondeck.errors import BadInput
from ondeck.job.plan import Draft, Plan, Request
from providers.docker.deploys import planning
from providers.docker.deploys.applying import DockerApplying
from providers.docker.deploys.survey import survey
from providers.docker.deploys.work import Work


async def plan(request: Request, bench: Bench) -> Draft:
    """Look at every target and say exactly what would happen; see `ondeck.operate.ports.Operator`."""
    found = await survey(request, bench)
    match request.operation:
        case "service.deploy":
            return await planning.deploy(request, found, bench)
        case "service.rollback":
            return await planning.rollback(request, found, bench)
        case "service.restart" | "service.drain" | "service.undrain":
            return planning.same(request, found, bench)
        case other:
            raise BadInput(f"containers on plain hosts do not know the operation {other!r}")


@asynccontextmanager
async def opened(plan: Plan, bench: Bench) -> AsyncIterator[DockerApplying]:
    """Open and hold every link and engine of the plan."""
    applying = DockerApplying(plan, msgspec.convert(plan.draft.data, Work), bench)
    try:
        await applying.connect()
        yield applying
    finally:
        await applying.aclose()
