"""Changing a service of a swarm: one request with the version index, then watching until it has converged."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from copy import deepcopy
from time import monotonic
from typing import Any

import msgspec

from ondeck.bench import Bench
from ondeck.errors import LinkLost, OndeckError, PlanStale, RemoteFailed, Unreachable
from ondeck.job.finding import Attempt, Finding, Gate
from ondeck.job.outcome import Outcome
from ondeck.job.plan import Plan, Precondition
from ondeck.observe.health import Verdict, declared, wait_healthy
from ondeck.operate.deploys.state import why
from ondeck.operate.deploys.survey import service_of
from ondeck.operate.deploys.uncut import uncut
from ondeck.operate.deploys.work import to_remember
from ondeck.operate.ports import Emit
from providers.docker.client import Client
from providers.docker.deploys.state import ATTEMPT, DIGEST, ENV, SERVICE, VERSION
from providers.docker.engine import engine_of
from providers.docker.engine import options_of as cluster_options
from providers.docker.swarm.options import options_of, swarm_of
from providers.docker.swarm.planning import FACT, Work, login_for
from providers.docker.swarm.state import STOPPED, WORKING, SwarmState, look

_EVERY = 1.0
_AT_LEAST = 0.2
_BEGINS = 5.0
"""Seconds that the swarm gets to begin an update, by its own clock: until then nothing is said of it."""


class SwarmApplying:
    """One job's work; see `ondeck.operate.ports.Applying`."""

    def __init__(self, plan: Plan, work: Work, bench: Bench) -> None:
        self._plan = plan
        self._work = work
        self._bench = bench
        self._service = service_of(bench, plan.request.subject)
        self._options = options_of(self._service)[1]
        self._cluster = swarm_of(bench, self._service, work.env)
        self._held = AsyncExitStack()
        self._engine: Client | None = None
        self._lost = ""

    async def connect(self) -> None:
        """Open the manager and hold it."""
        try:
            self._engine = await self._held.enter_async_context(engine_of(self._cluster, self._bench))
        except (OndeckError, TimeoutError) as error:
            self._lost = why(error)

    async def aclose(self) -> None:
        """Close it."""
        await self._held.aclose()

    def _open(self) -> Client:
        if self._engine is None:
            raise Unreachable(self._lost, where=self._cluster.name)
        return self._engine

    async def ready(self) -> dict[str, Finding]:
        """The swarm, when its manager does not answer."""
        if self._engine is not None:
            return {}
        return {self._cluster.name: Finding(outcome=Outcome.UNREACHABLE, evidence=self._lost)}

    async def _look(self) -> SwarmState:
        return await look(self._open(), self._options.service)

    async def check(self, target: str) -> tuple[Precondition, ...]:
        """The service now, with its version index."""
        return (Precondition(target=target, fact=FACT, expected=(await self._look()).label()),)

    async def apply(self, attempt: Attempt, emit: Emit) -> Finding:
        """Ask once, then watch; the swarm goes on by itself whatever becomes of us."""
        state = await self._look()
        if self._cluster.name in self._work.unchanged and state.settled:
            return Finding(outcome=Outcome.SUCCEEDED, evidence=f"{state.told()} already; nothing was changed")
        if state.index != self._work.index:
            raise PlanStale(
                f"{state.name} was changed since the plan was made: index {self._work.index} -> {state.index}"
            )
        try:
            await uncut(self._ask(state, attempt))
            emit.step(f"the swarm took it, from index {state.index}")
            return await self._converged(emit)
        except Unreachable as error:
            raise LinkLost(f"lost in the middle: {error.message}") from error
        except asyncio.CancelledError:
            return await self._cancelled(attempt)

    async def _ask(self, state: SwarmState, attempt: Attempt) -> None:
        """The one request that changes something; from another index the swarm refuses it.

        Raises:
            RemoteFailed: The swarm refused it.
            LinkLost: Not known whether it came.
        """
        body = json.dumps(self._changed(state.spec, attempt)).encode()
        headers = {"Content-Type": "application/json"}
        login = await login_for(self._options, self._bench) if self._work.image else None
        if login is not None:
            headers["X-Registry-Auth"] = login.header(self._options.repository.registry)
        params = {"version": str(state.index)} | ({} if login else {"registryAuthFrom": "spec"})
        path = f"services/{state.id}/update"
        engine = self._open()
        try:
            # No cancel reaches it, so that it must end by itself.
            async with (
                asyncio.timeout(engine.patience),
                engine.stream(path, method="POST", params=params, data=body, headers=headers) as answer,
            ):
                async for _ in engine.chunks(answer):
                    pass
        except TimeoutError as error:
            raise LinkLost("the swarm did not answer in time", where=engine.where) from error

    def _changed(self, spec: dict[str, Any], attempt: Attempt) -> dict[str, Any]:
        work, new = self._work, deepcopy(spec)
        labels = new.setdefault("Labels", {}) or {}
        labels |= {SERVICE: work.service, ENV: work.env, ATTEMPT: attempt.id}
        template = new["TaskTemplate"]
        if work.image:
            template["ContainerSpec"]["Image"] = work.image
            labels |= {VERSION: work.release.version, DIGEST: f"sha256:{work.release.sha256}"}
        if work.force:
            template["ForceUpdate"] = int(template.get("ForceUpdate", 0)) + 1
        if work.replicas is not None:
            new["Mode"]["Replicated"]["Replicas"] = work.replicas
        new["Labels"] = labels
        return new

    async def _converged(self, emit: Emit) -> Finding:
        """Watch until exactly what shall run runs and stays; what the swarm stops by itself has failed.

        Raises:
            TimeoutError: It did not within the time that the service says; the swarm goes on.
        """
        settings, options = self._bench.settings, self._options
        until = monotonic() + max(settings.seconds(options.seconds()), _BEGINS)
        lives, since, told = settings.seconds(options.must_live()), 0.0, ""
        while True:
            state = await self._look()
            if (words := state.told()) != told:
                told = words
                emit.step(words)
                emit.moved(state.fresh, state.wanted or 0, "tasks")
            if state.update in STOPPED:
                return Finding(outcome=Outcome.FAILED, evidence=state.told())
            since = (since or monotonic()) if state.settled else 0.0
            if since and monotonic() - since >= lives:
                return await self._healthy(state)
            if monotonic() >= until:
                raise TimeoutError(
                    f"not converged within {options.seconds():g} s, and the swarm goes on: {state.told()}"
                )
            await asyncio.sleep(max(settings.seconds(_EVERY), _AT_LEAST))

    async def _healthy(self, state: SwarmState, within: float | None = None) -> Finding:
        """The service's own check, asked from the host that the cluster names: every node has its published ports."""
        verdict = await self._asked(within)
        if verdict is None:
            return Finding(outcome=Outcome.SUCCEEDED, evidence=state.told())
        text = f"{state.told()}, {verdict.text}"
        if verdict.ok is None:
            return Finding(outcome=Outcome.UNKNOWN, evidence=text)
        return Finding(outcome=Outcome.SUCCEEDED if verdict.ok else Outcome.FAILED, evidence=text)

    async def _asked(self, within: float | None) -> Verdict | None:
        check, name = self._service.health, cluster_options(self._cluster).host
        if check is None or not declared(check) or not name:
            return None
        link = await self._bench.link(name)
        host = self._bench.inventory.hosts[name]
        return await wait_healthy(link, check, host, self._bench.settings, within=within)

    async def _cancelled(self, attempt: Attempt) -> Finding:
        """The swarm cannot be told to stop where it is: what it is at is told."""
        try:
            state = await self._look()
        except (OndeckError, TimeoutError) as error:
            text = f"cancelled; what the swarm does could not be seen: {why(error)}"
            return Finding(outcome=Outcome.UNKNOWN, evidence=text)
        if state.attempt != attempt.id:
            return Finding(
                outcome=Outcome.CANCELLED, evidence=f"cancelled; nothing was asked, {state.told()}"
            )
        if state.settled or state.update in STOPPED:
            return Finding(
                outcome=Outcome.FAILED, evidence=f"cancelled; the swarm took it before: {state.told()}"
            )
        text = f"cancelled; the swarm took it before and goes on by itself: {state.told()}"
        return Finding(outcome=Outcome.UNKNOWN, evidence=text, still_running=True)

    async def gate(self, targets: tuple[str, ...]) -> Gate:
        """Whether it still is as it was when it had converged."""
        try:
            state = await self._look()
            if not state.settled:
                return Gate(passed=False, evidence=state.told())
            check = self._service.health
            found = await self._healthy(state, check.times * (check.every + check.timeout) if check else None)
        except (OndeckError, TimeoutError) as error:
            return Gate(passed=None, evidence=f"could not ask: {why(error)}")
        passed = {Outcome.SUCCEEDED: True, Outcome.FAILED: False}.get(found.outcome)
        return Gate(passed=passed, evidence=found.evidence)

    async def reconcile(self, attempt: Attempt) -> Finding:
        """The label of the attempt, the version index and the tasks say what became of it."""
        try:
            await self._held.aclose()
            self._held, self._engine = AsyncExitStack(), None
            await self.connect()
            state = await self._look()
            if state.attempt == attempt.id:
                return await self._became(state)
            if state.index == self._work.index:
                await asyncio.sleep(_AT_LEAST)
                state = await self._look()
        except (OndeckError, TimeoutError) as error:
            return Finding(outcome=Outcome.UNKNOWN, evidence=f"could not be asked: {why(error)}")
        if state.attempt == attempt.id:
            return await self._became(state)
        if state.index == self._work.index:
            return Finding(
                outcome=Outcome.NOT_STARTED, evidence=f"index {state.index} as planned, {state.told()}"
            )
        text = f"changed by somebody else: index {self._work.index} -> {state.index}, {state.told()}"
        return Finding(outcome=Outcome.UNKNOWN, evidence=text)

    async def _became(self, state: SwarmState) -> Finding:
        if state.update in STOPPED:
            return Finding(outcome=Outcome.FAILED, evidence=state.told())
        if state.settled:
            return await self._healthy(state)
        return Finding(
            outcome=Outcome.UNKNOWN, evidence=state.told(), still_running=state.update in ("", *WORKING)
        )

    async def finish(self, succeeded: tuple[str, ...], emit: Callable[[str], None]) -> dict[str, str]:
        """Remember the release if the swarm still runs it and nothing else.

        Raises:
            RemoteFailed: It does not any more.
        """
        if not self._work.release.version or not succeeded:
            return {}
        state = await self._look()
        if not state.settled or state.digest != self._work.release.sha256:
            raise RemoteFailed(f"{self._work.release} is not remembered as good: {state.told()}")
        emit(f"{self._work.release} runs: {state.told()}")
        return to_remember(self._bench, self._work.name, self._work.release)


@asynccontextmanager
async def opened(plan: Plan, bench: Bench) -> AsyncIterator[SwarmApplying]:
    """Hold the manager of a plan open."""
    applying = SwarmApplying(plan, msgspec.convert(plan.draft.data, Work), bench)
    try:
        await applying.connect()
        yield applying
    finally:
        await applying.aclose()
