"""Applying a plan: links held open, one host at a time, and the truth found again after any break."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ondeck.bench import Bench
from ondeck.errors import OndeckError, Unreachable
from ondeck.inventory.members import hosts_of
from ondeck.inventory.model import Host
from ondeck.job.finding import Attempt, Finding, Gate
from ondeck.job.outcome import Outcome
from ondeck.job.plan import Plan, Precondition
from ondeck.observe.health import Verdict, wait_healthy
from ondeck.operate.deploys.drafting import FACT
from ondeck.operate.deploys.gating import gate_of
from ondeck.operate.deploys.remembering import remembered
from ondeck.operate.deploys.state import why
from ondeck.operate.deploys.survey import service_of
from ondeck.operate.ports import Emit
from ondeck.reach.ports import Link
from providers.release.cancelling import after_cancel
from providers.release.onhost import OnHost
from providers.release.options import for_host, options_of
from providers.release.reconciling import reconcile
from providers.release.survey import from_bastion, link_to, look_at
from providers.release.work import Work

_AT_ONCE = 8


class ReleaseApplying:
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
        """Open every link of the plan, a few at once, and hold them."""
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
        link = await link_to(self._bench, host, self._options)
        direct = await self._direct(host) if from_bastion(self._options) else link
        drain: Link | None = None
        if self._deploy.drain_on and (self._deploy.drain or self._deploy.undrain):
            drain = await self._direct(self._host(self._deploy.drain_on))
        return OnHost(
            host=host,
            service=self._service,
            deploy=self._deploy,
            options=for_host(self._options, host),
            work=self._work,
            settings=self._bench.settings,
            link=link,
            direct=direct,
            drain_link=drain or direct,
        )

    async def _direct(self, host: Host) -> Link:
        return await self._bench.reach(host.transport).connect(host)

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
        """Targets whose link could not be opened."""
        return dict(self._bad)

    async def check(self, target: str) -> tuple[Precondition, ...]:
        """What the target runs now, in the plan's words."""
        state = await (await self._alive(target)).state()
        return (Precondition(target=target, fact=FACT, expected=state.label()),)

    async def _alive(self, target: str) -> OnHost:
        """Its links; nothing has been sent yet, so those that ended while they were held are made again.

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
                return await on.change(attempt, emit, await self._pinned(attempt.target))

    async def _pinned(self, target: str) -> OnHost | None:
        """Where what runs once has to have run; None for the target that runs it itself."""
        if not self._work.migrations or target == self._work.pinned:
            return None
        return self._on(self._work.pinned)

    async def gate(self, targets: tuple[str, ...]) -> Gate:
        """Ask the health of a whole batch again, as often as the service says; signals are said as not read."""

        async def ask(target: str, within: float) -> Verdict:
            on, check = await self._alive(target), self._service.health
            assert check is not None
            return await wait_healthy(
                on.direct, check, on.host, self._bench.settings, within=within, alive=await on.alive()
            )

        return await gate_of(self._plan, self._service, targets, ask)

    async def reconcile(self, attempt: Attempt) -> Finding:
        """Find out what became of an attempt from its claim, the link, the process and the health."""
        try:
            on = self._hosts.get(attempt.target)
            if on is None or on.link.closed or on.direct.closed:
                if on is not None:
                    await on.aclose()
                on = self._hosts[attempt.target] = await self._open(attempt.target)
            return await reconcile(on, attempt)
        except (OndeckError, TimeoutError) as error:
            return Finding(outcome=Outcome.UNKNOWN, evidence=f"could not be asked: {why(error)}")

    async def finish(self, succeeded: tuple[str, ...], emit: Callable[[str], None]) -> dict[str, str]:
        """Remove what the retention lets go, and remember the release if it is healthy on every host.

        Hosts that were left out of the plan, or that are none of its targets and cannot be asked, are told
        and not waited for.

        Raises:
            RemoteFailed: A host that had succeeded is not healthy on it any more.
        """
        await self._forget(succeeded, emit)
        if not self._work.release.version:
            return {}
        await self._prune(succeeded, emit)
        hosts = hosts_of(self._bench.inventory, self._service, self._work.env)
        seen = await look_at(self._bench, self._service, self._options, hosts)
        return remembered(self._bench, self._plan, self._work, self._service, seen, succeeded, emit)

    async def _forget(self, succeeded: tuple[str, ...], emit: Callable[[str], None]) -> None:
        """Job folders of what succeeded go; those of everything else stay as evidence."""
        for target in succeeded:
            claim = self._claims.get(target)
            if claim is None:
                continue
            try:
                await self._on(target).forget(claim)
            except (OndeckError, TimeoutError) as error:
                emit(f"{target}: its job folder stays: {why(error)}")

    async def _prune(self, succeeded: tuple[str, ...], emit: Callable[[str], None]) -> None:
        for target in succeeded:
            gone = self._work.prune.get(target, ())
            if not gone:
                continue
            try:
                on = self._on(target)
                state = await on.state()
                safe = [v for v in gone if v not in (state.version, self._work.release.version)]
                done = await on.prune(safe)
            except (OndeckError, TimeoutError) as error:
                emit(f"{target}: old releases stay: {why(error)}")
                continue
            emit(f"{target}: {'removed ' + ', '.join(safe) if done else 'old releases stay'}")
