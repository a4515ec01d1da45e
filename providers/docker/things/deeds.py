"""One way for every operation on things: the engine held open, each thing looked at before and after."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Protocol

from ondeck.bench import Bench
from ondeck.errors import BadInput, LinkLost, NoMatch, OndeckError, Refused, Unreachable
from ondeck.inventory.model import Cluster
from ondeck.job.finding import Attempt, Finding, Gate
from ondeck.job.outcome import Outcome
from ondeck.job.plan import Batch, Plan, Precondition, RolloutPlan
from ondeck.operate.deploys.state import why
from ondeck.operate.naming import thing_of
from ondeck.operate.ports import Emit
from providers.docker.client import Client
from providers.docker.engine import engine_of


class Deed(Protocol):
    """What one operation does to one target; made from a plan, it knows how the target was then."""

    fact: str

    async def state(self, engine: Client, target: str) -> str:
        """The target as preconditions name it."""
        ...

    async def do(self, engine: Client, attempt: Attempt, emit: Emit) -> Finding:
        """Do it, look, and say what was seen."""
        ...

    async def found(self, engine: Client, attempt: Attempt) -> Finding:
        """What became of an attempt that nobody saw end."""
        ...


def cluster_of(bench: Bench, targets: tuple[str, ...]) -> Cluster:
    """The one cluster of all targets.

    Raises:
        NoMatch: The inventory has no such cluster.
    """
    name = thing_of(targets[0])[0]
    cluster = bench.inventory.clusters.get(name)
    if cluster is None:
        raise NoMatch(f"there is no cluster {name!r} in the inventory")
    return cluster


def one_by_one(targets: tuple[str, ...]) -> RolloutPlan:
    """Each after the other; the first that fails stops it."""
    return RolloutPlan(batches=(Batch(targets=targets),), parallel=1)


class Deeds:
    """One job's work; see `ondeck.operate.ports.Applying`."""

    def __init__(self, plan: Plan, deed: Deed, engine: Client | None, lost: str) -> None:
        self._plan = plan
        self._deed = deed
        self._engine = engine
        self._lost = lost

    async def ready(self) -> dict[str, Finding]:
        """Every target when the engine does not answer."""
        if self._engine is not None:
            return {}
        bad = Finding(outcome=Outcome.UNREACHABLE, evidence=self._lost)
        return dict.fromkeys(self._plan.targets, bad)

    def _open(self) -> Client:
        if self._engine is None:
            raise Unreachable(self._lost)
        return self._engine

    async def check(self, target: str) -> tuple[Precondition, ...]:
        """The target as it is now, in the plan's words."""
        now = await self._deed.state(self._open(), target)
        return (Precondition(target=target, fact=self._deed.fact, expected=now),)

    async def apply(self, attempt: Attempt, emit: Emit) -> Finding:
        """Do it once: a target that is another than in the plan is left alone."""
        engine = self._open()
        known = {p.target: p.expected for p in self._plan.draft.preconditions}
        now = await self._deed.state(engine, attempt.target)
        if now != known.get(attempt.target, now):
            raise Refused(f"{attempt.target} is another than when the plan was made: {now}")
        work = asyncio.ensure_future(self._deed.do(engine, attempt, emit))
        try:
            return await asyncio.shield(work)
        except Unreachable as error:
            raise LinkLost(f"lost in the middle: {error.message}") from error
        except asyncio.CancelledError:
            return await self._cancelled(work, attempt)

    async def _cancelled(self, work: asyncio.Future[Finding], attempt: Attempt) -> Finding:
        """A request that was sent cannot be called back: its end is waited for, what streams is cut off."""
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        try:
            found = await self._deed.found(self._open(), attempt)
        except (OndeckError, TimeoutError) as error:
            text = f"cancelled; what it is now could not be seen: {why(error)}"
            return Finding(outcome=Outcome.UNKNOWN, evidence=text)
        if found.outcome is Outcome.SUCCEEDED:
            return Finding(outcome=found.outcome, evidence=f"the cancel came too late; {found.evidence}")
        outcome = Outcome.CANCELLED if found.outcome is Outcome.NOT_STARTED else found.outcome
        still = found.still_running
        return Finding(outcome=outcome, evidence=f"cancelled; {found.evidence}", still_running=still)

    async def gate(self, targets: tuple[str, ...]) -> Gate:
        """Whether the engine still answers; without it nobody knows anything."""
        try:
            await self._open().ask(lambda api: api.ping())
        except (OndeckError, TimeoutError) as error:
            return Gate(passed=None, evidence=f"could not ask: {why(error)}")
        return Gate(passed=True, evidence="each was looked at after it")

    async def reconcile(self, attempt: Attempt) -> Finding:
        """Find out what became of an attempt."""
        try:
            return await self._deed.found(self._open(), attempt)
        except (OndeckError, TimeoutError) as error:
            return Finding(outcome=Outcome.UNKNOWN, evidence=f"could not be asked: {why(error)}")

    async def finish(self, succeeded: tuple[str, ...], emit: Callable[[str], None]) -> dict[str, str]:
        """Nothing is left to tidy."""
        return {}


@asynccontextmanager
async def opened(plan: Plan, bench: Bench, deed: Deed) -> AsyncIterator[Deeds]:
    """Hold the engine of a plan open."""
    async with AsyncExitStack() as stack:
        engine, lost = None, ""
        try:
            engine = await stack.enter_async_context(engine_of(cluster_of(bench, plan.targets), bench))
        except (OndeckError, TimeoutError) as error:
            lost = why(error)
        yield Deeds(plan, deed, engine, lost)


async def until(true: Callable[[], Awaitable[bool]], seconds: float) -> bool:
    """Ask again and again whether something is so, for at most so many seconds of the host's own time."""
    for _ in range(max(1, round(seconds / 0.25))):
        if await true():
            return True
        await asyncio.sleep(0.25)
    return await true()


def unknown_operation(name: str) -> BadInput:
    """The error for an operation that nobody serves."""
    return BadInput(f"engines of Docker do not know the operation {name!r}")
