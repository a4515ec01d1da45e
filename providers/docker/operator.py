"""Capability `operator`: services on engines and swarms, and what can be done with containers, images and nodes."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from ondeck.bench import Bench
from ondeck.inventory.model import Inventory
from ondeck.job.plan import Draft, Plan, Request
from ondeck.operate.ports import Applying
from providers.docker.deploys import operator as deploys
from providers.docker.swarm import applying as swarm
from providers.docker.swarm import nodes
from providers.docker.swarm import planning as swarm_planning
from providers.docker.things import building, containers, deeds, pruning, pulling

_CONTAINERS = ("container.start", "container.stop", "container.restart", "container.remove")
_NODES = ("node.drain", "node.activate")


class DockerOperator:
    """Plans and applies every operation of the manifest; which part does it follows from name and service."""

    async def plan(self, request: Request, bench: Bench) -> Draft:
        """Look and say exactly what would happen; see `ondeck.operate.ports.Operator`."""
        match request.operation:
            case name if name.startswith("service."):
                if _of_swarm(request, bench.inventory):
                    return await swarm_planning.plan(request, bench)
                return await deploys.plan(request, bench)
            case name if name in _CONTAINERS:
                return await containers.plan(request, bench)
            case name if name in _NODES:
                return await nodes.plan(request, bench)
            case "image.pull":
                return await pulling.plan(request, bench)
            case "image.prune":
                return await pruning.plan(request, bench)
            case "image.build":
                return await building.plan(request, bench)
        raise deeds.unknown_operation(request.operation)

    def open(self, plan: Plan, bench: Bench) -> AbstractAsyncContextManager[Applying]:
        """Open and hold every connection of the plan."""
        name = plan.request.operation
        if name.startswith("service."):
            if _of_swarm(plan.request, bench.inventory):
                return swarm.opened(plan, bench)
            return deploys.opened(plan, bench)
        return deeds.opened(plan, bench, _deed(plan, bench))


def _of_swarm(request: Request, inventory: Inventory) -> bool:
    service = inventory.services.get(request.subject.partition("@")[0])
    return service is not None and service.deploy is not None and service.deploy.kind == "swarm"


def _deed(plan: Plan, bench: Bench) -> deeds.Deed:
    match plan.request.operation:
        case name if name in _CONTAINERS:
            return containers.deed(plan)
        case name if name in _NODES:
            return nodes.deed(plan)
        case "image.pull":
            return pulling.deed(plan)
        case "image.prune":
            return pruning.deed(plan, bench)
        case "image.build":
            return building.deed(plan, bench)
    raise deeds.unknown_operation(plan.request.operation)
