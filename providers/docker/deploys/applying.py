"""Applying a plan: links and engines held open, one host at a time, and the truth found again after any break."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack

from ondeck.bench import Bench
from ondeck.errors import OndeckError, Unreachable
from ondeck.inventory.members import hosts_of
from ondeck.inventory.model import Host
from ondeck.job.finding import Attempt, Finding, Gate
from ondeck.job.outcome import Outcome
from ondeck.job.plan import Plan, Precondition
from ondeck.observe.health import Verdict
from ondeck.operate.deploys.doors import Doors
from ondeck.operate.deploys.drafting import FACT
from ondeck.operate.deploys.gating import gate_of
from ondeck.operate.deploys.remembering import remembered
from ondeck.operate.deploys.state import why
from ondeck.operate.deploys.survey import service_of
from ondeck.operate.ports import Emit
from providers.docker.auth import Login, login_of
from providers.docker.deploys.cancelling import after_cancel
from providers.docker.deploys.onhost import OnHost
from providers.docker.deploys.options import options_of
from providers.docker.deploys.reconciling import reconcile
from providers.docker.deploys.survey import look_at
from providers.docker.deploys.work import Work
from providers.docker.engine import engine_of

_AT_ONCE = 8


class DockerApplying:
    """One job's work; see `ondeck.operate.ports.Applying`."""

    def __init__(self, plan: Plan, work: Work, bench: Bench) -> None:
        self._plan = plan
        self._work = work
        self._bench = bench
        self._service = service_of(bench, plan.request.subject)
        self._deploy, self._options = options_of(self._service)
        self._hosts: dict[str, OnHost] = {}
        self._bad: dict[str, Finding] = {}
        self._claims: dict[str, str] = {}

    async def connect(self) -> None:
        """Open every link and engine of the plan, a few at once, and hold them."""
        limit = asyncio.Semaphore(_AT_ONCE)

        async def one(name: str) -> None:
            async with limit:
                try:
                    self._hosts[name] = await self._open(name)
                except (OndeckError, TimeoutError) as error:
                    self._bad[name] = Finding(outcome=Outcome.UNREACHABLE, evidence=why(error))

        await asyncio.gather(*(one(name) for name in self._plan.targets))

    async def _open(self, name: str) -> OnHost:
        host = self._host(name)
        async with AsyncExitStack() as stack:
            link = await self._bench.reach(host.transport).connect(host)
            stack.push_async_callback(link.aclose)
            engine = await stack.enter_async_context(engine_of(host, self._bench, self._options.socket))
            doors = link
            if self._deploy.drain_on and (self._deploy.drain or self._deploy.undrain):
                there = self._host(self._deploy.drain_on)
                doors = await self._bench.reach(there.transport).connect(there)
                stack.push_async_callback(doors.aclose)
            return OnHost(
                host=host,
                service=self._service,
                deploy=self._deploy,
                options=self._options,
                work=self._work,
                settings=self._bench.settings,
                link=link,
                engine=engine,
                doors=Doors(
                    host=host,
                    service=self._service,
                    deploy=self._deploy,
                    link=doors,
                    settings=self._bench.settings,
                    seconds=self._options.seconds(),
                ),
                secrets={name: await self._bench.secret(ref) for name, ref in self._work.secrets.items()},
                login=await self._login(),
                held=stack.pop_all(),
            )

    async def _login(self) -> Login | None:
        if self._work.login is not None:
            user, reference = self._work.login
            return Login(user, await self._bench.secret(reference))
        return await login_of(self._work.registry) if self._work.registry else None

    def _host(self, name: str) -> Host:
        host = self._bench.inventory.hosts.get(name)
        if host is None:
            raise Unreachable(f"host {name} is not in the inventory any more")
        return host

    async def aclose(self) -> None:
        """Close what was opened."""
        for one in self._hosts.values():
            await one.aclose()

    async def ready(self) -> dict[str, Finding]:
        """Targets whose link or engine could not be opened."""
        return dict(self._bad)

    async def check(self, target: str) -> tuple[Precondition, ...]:
        """What the target runs now, in the plan's words."""
        state = await (await self._alive(target)).state()
        return (Precondition(target=target, fact=FACT, expected=state.label()),)

    async def _alive(self, target: str) -> OnHost:
        """Its connections; nothing has been sent yet, so those that ended while they were held are made again.

        Raises:
            Unreachable: It is not reached (any more).
        """
        on = self._on(target)
        if on.closed:
            await on.aclose()
            on = self._hosts[target] = await self._open(target)
        return on

    def _on(self, target: str) -> OnHost:
        if target not in self._hosts:
            known = self._bad.get(target)
            raise Unreachable(known.evidence if known else "no link to it was opened", where=target)
        return self._hosts[target]

    async def apply(self, attempt: Attempt, emit: Emit) -> Finding:
        """Do the plan's operation on one target; when cancelled, tell what it is now."""
        on = await self._alive(attempt.target)
        self._claims[attempt.target] = attempt.id
        try:
            return await self._do(on, attempt, emit)
        except asyncio.CancelledError:
            return await after_cancel(on, attempt, emit)

    async def _do(self, on: OnHost, attempt: Attempt, emit: Emit) -> Finding:
        match self._work.operation:
            case "service.drain":
                return await on.drain_only(attempt, emit)
            case "service.undrain":
                return await on.undrain_only(attempt, emit)
            case "service.restart":
                return await on.restart(attempt, emit)
            case _:
                return await on.change(attempt, emit, self._pinned(attempt.target))

    def _pinned(self, target: str) -> OnHost | None:
        """Where what runs once has to have run; None for the target that runs it itself."""
        if not self._work.migrations or target == self._work.pinned:
            return None
        return self._on(self._work.pinned)

    async def gate(self, targets: tuple[str, ...]) -> Gate:
        """Ask the health of a whole batch again: the service's own check, and whether a container died meanwhile."""

        async def ask(target: str, within: float) -> Verdict:
            on = await self._alive(target)
            live = (await on.state()).live
            if not live:
                return Verdict(False, "nothing of it runs")
            return await on.healthy(live[0], within or None)

        return await gate_of(self._plan, self._service, targets, ask, own=True)

    async def reconcile(self, attempt: Attempt) -> Finding:
        """Find out what became of an attempt from its container, what runs and the health."""
        try:
            on = self._hosts.get(attempt.target)
            if on is not None:
                await on.aclose()
            on = self._hosts[attempt.target] = await self._open(attempt.target)
            return await reconcile(on, attempt)
        except (OndeckError, TimeoutError) as error:
            return Finding(outcome=Outcome.UNKNOWN, evidence=f"could not be asked: {why(error)}")

    async def finish(self, succeeded: tuple[str, ...], emit: Callable[[str], None]) -> dict[str, str]:
        """Remove what the retention lets go, and remember the release if it is healthy on every host.

        Raises:
            RemoteFailed: A host that had succeeded is not healthy on it any more.
        """
        for target in succeeded:
            await self._tidy(target, emit)
        if not self._work.release.version:
            return {}
        hosts = hosts_of(self._bench.inventory, self._service, self._work.env)
        seen = await look_at(self._bench, self._service, self._options, hosts)
        return remembered(self._bench, self._plan, self._work, self._service, seen, succeeded, emit)

    async def _tidy(self, target: str, emit: Callable[[str], None]) -> None:
        """Job folders and what the retention lets go; everything else stays as evidence."""
        try:
            on = self._on(target)
            if claim := self._claims.get(target):
                await on.forget(claim)
            if self._work.operation == "service.restart":
                await on.release_claim(claim or "")
            gone = tuple(v for v in self._work.prune.get(target, ()) if v != self._work.release.version)
            if not gone:
                return
            stay = await on.prune(gone)
        except (OndeckError, TimeoutError) as error:
            emit(f"{target}: old containers and job folders stay: {why(error)}")
            return
        emit("; ".join((f"{target}: removed {', '.join(gone)}", *stay)))
