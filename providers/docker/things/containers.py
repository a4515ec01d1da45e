"""`container.start`, `stop`, `restart` and `remove`: single containers, each judged by what the engine says after."""

from __future__ import annotations

import msgspec

from ondeck.bench import Bench
from ondeck.errors import NoMatch, Refused
from ondeck.job.finding import Attempt, Finding
from ondeck.job.outcome import Outcome
from ondeck.job.plan import Action, Change, Command, Draft, Plan, Precondition, Request
from ondeck.job.spec import Risk
from ondeck.operate.deploys.drafting import params_of
from ondeck.operate.deploys.uncut import last
from ondeck.operate.naming import thing_of
from ondeck.operate.ports import Emit
from providers.docker import calls
from providers.docker.client import Client
from providers.docker.deploys.state import Container, inspect
from providers.docker.engine import engine_of
from providers.docker.things import deeds
from providers.docker.things.params import RemoveParams, StopParams

FACT = "container"
_MARGIN = 3.0
_SHORT = 12
_ACTIONS = {
    "container.start": ("start", "running"),
    "container.stop": ("stop", "stopped"),
    "container.restart": ("restart", "restarted"),
    "container.remove": ("rm", "removed"),
}


class Things(msgspec.Struct, frozen=True, kw_only=True):
    """The provider's part of a plan.

    Attributes:
        ids: Of each target: a name may come to mean another container.
        started: When each was started, as the engine wrote it.
    """

    operation: str
    ids: dict[str, str] = {}
    started: dict[str, str] = {}
    grace: int = 10
    force: bool = False


async def plan(request: Request, bench: Bench) -> Draft:
    """Look at every container and say what would happen.

    Raises:
        NoMatch: One is not there.
        Refused: One runs, or is kept for a way back, and shall be removed.
    """
    verb, after = _ACTIONS[request.operation]
    grace, force = 10, False
    if verb in ("stop", "restart"):
        grace = params_of(request, StopParams).grace
    if verb == "rm":
        force = params_of(request, RemoveParams).force
    async with engine_of(deeds.cluster_of(bench, request.targets), bench) as engine:
        seen = {target: await _seen(engine, target) for target in request.targets}
        labels = {target: await _owner(engine, one) for target, one in seen.items()}
    if verb == "rm" and not force:
        _refuse(seen, labels)
    things = Things(
        operation=request.operation,
        ids={target: one.id for target, one in seen.items()},
        started={target: one.started for target, one in seen.items()},
        grace=grace,
        force=force,
    )
    idle = {t for t, one in seen.items() if _nothing_to_do(verb, one)}
    action = {"rm": Action.DELETE, "restart": Action.RUN}.get(verb, Action.UPDATE)
    words = [
        "docker",
        verb,
        *([f"--time={grace}"] if verb in ("stop", "restart") else []),
        *(["-f"] if force else []),
    ]
    return Draft(
        summary=f"{verb} {', '.join(thing_of(t)[1] for t in request.targets)}",
        risk=Risk.DESTROY if verb == "rm" else Risk.CHANGE,
        changes=tuple(
            Change(
                action=Action.NO_OP if target in idle else action,
                target=target,
                address=one.name,
                before=told(one),
                after=after,
            )
            for target, one in seen.items()
        ),
        commands=tuple(
            Command(target=target, argv=(*words, one.name), note="over the engine's API")
            for target, one in seen.items()
            if target not in idle
        ),
        preconditions=tuple(Precondition(target=t, fact=FACT, expected=told(one)) for t, one in seen.items()),
        rollout=deeds.one_by_one(request.targets),
        lock_key=thing_of(request.targets[0])[0],
        undo={"start": "ondeck plan container.stop", "stop": "ondeck plan container.start"}.get(
            verb, "irreversible"
        ),
        warnings=tuple(
            f"{thing_of(t)[1]} belongs to {owner}: its own operations drain it and wait for its health"
            for t, owner in labels.items()
            if owner
        ),
        data=msgspec.to_builtins(things),
    )


async def _seen(engine: Client, target: str) -> Container:
    name = thing_of(target)[1]
    found = await inspect(engine, name)
    if found is None:
        raise NoMatch(
            f"no container {name!r} on {engine.where}", hint=f"ondeck get containers {engine.where}"
        )
    return found


async def _owner(engine: Client, one: Container) -> str:
    said = await engine.ask(lambda api: api.inspect_container(one.id))
    labels = said["Config"].get("Labels") or {}
    name = labels.get("ondeck.service", "")
    return f"{name}@{labels.get('ondeck.env', '?')}" if name else ""


def _refuse(seen: dict[str, Container], owners: dict[str, str]) -> None:
    for target, one in seen.items():
        name = thing_of(target)[1]
        if one.running:
            raise Refused(f"{name} runs", hint="stop it first, or --force")
        if owners[target]:
            raise Refused(
                f"{name} is kept for the way back of {owners[target]}",
                hint="its deploys remove what `keep` does not hold; or --force",
            )


def _nothing_to_do(verb: str, one: Container) -> bool:
    return (verb == "start" and one.status == "running") or (verb == "stop" and not one.running)


def told(one: Container | None) -> str:
    """A container as preconditions name it: another start is another state."""
    if one is None:
        return "not there"
    since = f" since {one.started}" if one.begun else ""
    return f"{one.status}{since}, id {one.id[:_SHORT]}"


class ContainerDeed:
    """One of the four; see `deeds.Deed`."""

    fact = FACT

    def __init__(self, things: Things) -> None:
        self._things = things

    async def state(self, engine: Client, target: str) -> str:
        """As `told`, of the container that the plan was about."""
        return told(await inspect(engine, self._things.ids[target]))

    async def do(self, engine: Client, attempt: Attempt, emit: Emit) -> Finding:
        """Make the call, then look."""
        one, things = self._things.ids[attempt.target], self._things
        match things.operation:
            case "container.start":
                await last(calls.start(engine, one))
            case "container.stop":
                await last(calls.stop(engine, one, things.grace))
            case "container.restart":
                await last(calls.restart(engine, one, things.grace))
            case _:
                await last(calls.remove(engine, one, force=things.force))
        found = self._judged(attempt.target, await inspect(engine, one))
        emit.step(found.evidence)
        if found.outcome is Outcome.NOT_STARTED:
            return Finding(
                outcome=Outcome.FAILED, evidence=f"the engine took it and did nothing: {found.evidence}"
            )
        return found

    async def found(self, engine: Client, attempt: Attempt) -> Finding:
        """Look; a request that is under way gets the time that it may take."""
        one = self._things.ids[attempt.target]

        async def changed() -> bool:
            return self._judged(attempt.target, await inspect(engine, one)).outcome is not Outcome.NOT_STARTED

        slow = self._things.operation in ("container.stop", "container.restart")
        await deeds.until(changed, self._things.grace + _MARGIN if slow else _MARGIN)
        return self._judged(attempt.target, await inspect(engine, one))

    def _judged(self, target: str, now: Container | None) -> Finding:
        """What a container's state says about the operation."""
        verb = self._things.operation
        if now is None:
            removed = verb == "container.remove"
            outcome = Outcome.SUCCEEDED if removed else Outcome.FAILED
            return Finding(
                outcome=outcome, evidence="it is removed" if removed else "it is not there any more"
            )
        text = told(now)
        if verb == "container.remove":
            return Finding(outcome=Outcome.NOT_STARTED, evidence=f"it is there: {text}")
        if verb == "container.stop":
            outcome = Outcome.NOT_STARTED if now.running else Outcome.SUCCEEDED
            return Finding(outcome=outcome, evidence=text if now.running else f"{text}, {now.ended()}")
        again = now.started != self._things.started[target]
        if verb == "container.start" and not again and now.running:
            return Finding(outcome=Outcome.SUCCEEDED, evidence=f"ran already: {text}")
        if not again:
            return Finding(outcome=Outcome.NOT_STARTED, evidence=text)
        if not now.running:
            return Finding(outcome=Outcome.FAILED, evidence=f"started and ended: {now.ended()}")
        return Finding(outcome=Outcome.SUCCEEDED, evidence=text)


def deed(plan: Plan) -> ContainerDeed:
    """The deed of a plan."""
    return ContainerDeed(msgspec.convert(plan.draft.data, Things))
