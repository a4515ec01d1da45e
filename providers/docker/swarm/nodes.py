"""`node.drain` and `node.activate`: whether a node of a swarm gets tasks."""

from __future__ import annotations

import msgspec

from ondeck.bench import Bench
from ondeck.counting import counted
from ondeck.errors import Missing, NoMatch, RemoteFailed
from ondeck.job.finding import Attempt, Finding
from ondeck.job.outcome import Outcome
from ondeck.job.plan import Action, Change, Command, Draft, Plan, Precondition, Request
from ondeck.job.spec import Risk
from ondeck.operate.deploys.uncut import last
from ondeck.operate.naming import thing_of
from ondeck.operate.ports import Emit
from ondeck.text import safe_line
from providers.docker.client import Client
from providers.docker.engine import engine_of
from providers.docker.things import deeds

FACT = "availability of the node"
_PATIENCE = 60.0
_WANTED = {"node.drain": "drain", "node.activate": "active"}


class Nodes(msgspec.Struct, frozen=True, kw_only=True):
    """The provider's part of a plan: ids by target, and what their availability shall be."""

    ids: dict[str, str] = {}
    wanted: str = ""


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A node now; `running` are tasks that run on it and shall."""

    id: str
    hostname: str
    availability: str
    index: int
    spec: dict[str, object]
    running: int


async def _node(engine: Client, name: str) -> Node:
    try:
        said = await engine.ask(lambda api: api.inspect_node(name))
    except Missing as error:
        raise NoMatch(f"no node {name!r} in {engine.where}", hint="ondeck get swarm-nodes") from error
    tasks = await engine.ask(lambda api: api.tasks(filters={"node": str(said["ID"])}))
    return Node(
        id=str(said["ID"]),
        hostname=safe_line(str((said.get("Description") or {}).get("Hostname", ""))),
        availability=safe_line(str(said["Spec"].get("Availability", ""))),
        index=int(said["Version"]["Index"]),
        spec=said["Spec"],
        running=sum(1 for t in tasks if t["Status"].get("State") == "running"),
    )


async def plan(request: Request, bench: Bench) -> Draft:
    """Look at the nodes and say what would happen.

    Raises:
        NoMatch: One is not there.
    """
    wanted = _WANTED[request.operation]
    async with engine_of(deeds.cluster_of(bench, request.targets), bench) as engine:
        seen = {target: await _node(engine, thing_of(target)[1]) for target in request.targets}
        everywhere = await engine.ask(lambda api: api.nodes())
    active = {str(n["ID"]) for n in everywhere if n["Spec"].get("Availability") == "active"}
    left = active - {one.id for one in seen.values()}
    warnings = [
        f"{counted(one.running, 'task')} on {one.hostname} will stop there and start elsewhere"
        for one in seen.values()
        if wanted == "drain" and one.running
    ]
    if wanted == "drain" and not left:
        warnings.append("no node stays active: nothing of the swarm runs any more")
    return Draft(
        summary=f"{request.operation.rpartition('.')[2]} {', '.join(one.hostname for one in seen.values())}",
        risk=Risk.CHANGE,
        changes=tuple(
            Change(
                action=Action.NO_OP if one.availability == wanted else Action.UPDATE,
                target=target,
                address=one.hostname,
                before=one.availability,
                after=wanted,
            )
            for target, one in seen.items()
        ),
        commands=tuple(
            Command(
                target=target,
                argv=("docker", "node", "update", f"--availability={wanted}", one.id),
                note="over the managers' API, with the index",
            )
            for target, one in seen.items()
        ),
        preconditions=tuple(
            Precondition(target=target, fact=FACT, expected=one.availability) for target, one in seen.items()
        ),
        rollout=deeds.one_by_one(request.targets),
        lock_key=thing_of(request.targets[0])[0],
        undo=f"ondeck plan node.{'activate' if wanted == 'drain' else 'drain'} {request.subject}",
        warnings=tuple(warnings),
        data=msgspec.to_builtins(Nodes(ids={t: one.id for t, one in seen.items()}, wanted=wanted)),
        lasting=wanted == "drain",
    )


class NodeDeed:
    """See `deeds.Deed`."""

    fact = FACT

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes

    async def state(self, engine: Client, target: str) -> str:
        """Its availability."""
        return (await _node(engine, self._nodes.ids[target])).availability

    async def do(self, engine: Client, attempt: Attempt, emit: Emit) -> Finding:
        """Change it from the index that was read, then wait until its tasks have gone."""
        node = await _node(engine, self._nodes.ids[attempt.target])
        spec = {**node.spec, "Availability": self._nodes.wanted}
        await last(engine.ask(lambda api: api.update_node(node.id, node.index, spec)))
        if self._nodes.wanted == "drain":

            async def empty() -> bool:
                return (await _node(engine, node.id)).running == 0

            if not await deeds.until(empty, _PATIENCE):
                raise RemoteFailed(f"tasks still run on {node.hostname} after {_PATIENCE:g} s")
        return await self.found(engine, attempt)

    async def found(self, engine: Client, attempt: Attempt) -> Finding:
        """What its availability is, and what runs on it."""
        node = await _node(engine, self._nodes.ids[attempt.target])
        text = f"{node.hostname} is {node.availability}, {counted(node.running, 'task')} on it"
        if node.availability != self._nodes.wanted:
            return Finding(outcome=Outcome.NOT_STARTED, evidence=text)
        left = node.running and self._nodes.wanted == "drain"
        return Finding(outcome=Outcome.FAILED if left else Outcome.SUCCEEDED, evidence=text)


def deed(plan: Plan) -> NodeDeed:
    """The deed of a plan."""
    return NodeDeed(msgspec.convert(plan.draft.data, Nodes))
