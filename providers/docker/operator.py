"""Capability `operator`: services on engines and swarms, and what can be done with containers, images and nodes."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from ondeck.bench import Bench
from ondeck.job.plan import Draft, Plan, Request
from ondeck.operate.ports import Applying
from providers.docker.deploys import operator as deploys


class DockerOperator:
    """Plans and applies every operation of the manifest; which part does it follows from name and target."""

    async def plan(self, request: Request, bench: Bench) -> Draft:
        """Look and say exactly what would happen; see `ondeck.operate.ports.Operator`."""
        return await deploys.plan(request, bench)

    def open(self, plan: Plan, bench: Bench) -> AbstractAsyncContextManager[Applying]:
        """Open and hold every connection of the plan."""
        return deploys.opened(plan, bench)
