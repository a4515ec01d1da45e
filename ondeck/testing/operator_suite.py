"""The contract of `ondeck.operate.ports.Operator` as tests: subclass `OperatorSuite`, name the
provider, give a `make` fixture."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import ClassVar, Protocol

import msgspec
import pytest

from ondeck.bench import Bench
from ondeck.errors import LinkLost, OndeckError, Unreachable
from ondeck.inventory.model import Host
from ondeck.job.finding import Attempt, Finding
from ondeck.job.outcome import Outcome
from ondeck.job.plan import Plan, Request, decode, encode
from ondeck.operate.ports import Applying, Operator
from ondeck.reach.ports import Become, Completed, FileFacts, Link, Reach, Stream
from ondeck.testing.cut_socket import Cuts, cut_socket
from ondeck.testing.suite import PortSuite

_MOST_STEPS = 80
_PATIENCE = 60.0


class OperatorSite(Protocol):
    """A small real world with one change that can be made in it."""

    @property
    def bench(self) -> Bench:
        """A bench whose reach is a `CutReach`."""
        ...

    @property
    def operator(self) -> Operator:
        """What is tested."""
        ...

    @property
    def request(self) -> Request:
        """A change that will succeed; it must have an effect on each of its targets."""
        ...

    @property
    def cuts(self) -> Cuts:
        """The switch of the site's `CutReach`."""
        ...

    def world(self) -> str:
        """A fingerprint of everything that the operator could change."""
        ...

    def disturb(self, target: str) -> None:
        """Change something that the plan's preconditions name."""
        ...

    def slow(self, target: str) -> None:
        """Make the change on this target take long enough to be cancelled."""
        ...

    def hurry(self, target: str) -> None:
        """Let slow work that still runs on this target come to its end soon."""
        ...

    def effects(self, target: str) -> int:
        """How often the change was really begun on this target."""
        ...

    def in_place(self, target: str) -> bool:
        """Whether the change is fully done on this target."""
        ...

    def busy(self, target: str) -> bool:
        """Whether work of the change still runs on this target."""
        ...


class CutReach:
    """A reach over another one that can be cut between any two calls."""

    def __init__(self, reach: Reach, cuts: Cuts) -> None:
        self._reach = reach
        self._cuts = cuts

    async def connect(self, host: Host) -> Link:
        """Open a link that can be cut."""
        if self._cuts.left is not None and self._cuts.left <= 0:
            raise Unreachable("connection refused", where=host.name)
        return CutLink(await self._reach.connect(host), self._cuts)

    async def aclose(self) -> None:
        """Close every link."""
        await self._reach.aclose()


class CutLink:
    """A link that is lost when the cut says so."""

    def __init__(self, link: Link, cuts: Cuts) -> None:
        self._link = link
        self._cuts = cuts

    @property
    def host(self) -> str:
        """The host's name."""
        return self._link.host

    @property
    def closed(self) -> bool:
        """Whether it was closed or cut."""
        return self._link.closed or (self._cuts.left is not None and self._cuts.left <= 0)

    async def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        become: Become | None = None,
        timeout: float = 60.0,
        limit: int = 1 << 20,
    ) -> Completed:
        """Run unless it is cut; a cut comes before or, every second time, after the command."""
        late = self._cuts.left == 0 and self._cuts.calls % 2 == 1
        if not late:
            self._cuts.pass_one(self.host)
        done = await self._link.run(argv, stdin=stdin, env=env, become=become, timeout=timeout, limit=limit)
        if late:
            self._cuts.pass_one(self.host)
        return done

    @asynccontextmanager
    async def stream(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        become: Become | None = None,
        relay: bool = False,
    ) -> AsyncIterator[Stream]:
        """Follow unless it is cut."""
        self._cuts.pass_one(self.host)
        async with self._link.stream(argv, env=env, become=become, relay=relay) as stream:
            yield stream

    async def read_file(self, path: str, *, limit: int = 8 << 20, become: Become | None = None) -> bytes:
        """Read unless it is cut."""
        self._cuts.pass_one(self.host)
        return await self._link.read_file(path, limit=limit, become=become)

    async def write_file(
        self, path: str, data: bytes, *, mode: int = 0o644, owner: str = "", become: Become | None = None
    ) -> None:
        """Write unless it is cut."""
        self._cuts.pass_one(self.host)
        await self._link.write_file(path, data, mode=mode, owner=owner, become=become)

    async def stat(
        self, path: str, *, digest: bool = False, become: Become | None = None
    ) -> FileFacts | None:
        """Look unless it is cut."""
        self._cuts.pass_one(self.host)
        return await self._link.stat(path, digest=digest, become=become)

    @asynccontextmanager
    async def forward_socket(self, path: str) -> AsyncIterator[str]:
        """Forward unless it is cut; each request over it is a call that may be cut."""
        self._cuts.pass_one(self.host)
        async with self._link.forward_socket(path) as local, cut_socket(local, self._cuts) as cut:
            yield cut

    async def aclose(self) -> None:
        """Close it."""
        await self._link.aclose()


class Quiet:
    """An `Emit` that forgets."""

    def output(self, data: bytes, *, err: bool = False) -> None:
        """Forget output."""

    def step(self, text: str) -> None:
        """Forget a step."""

    def moved(self, done: float, total: float, unit: str = "") -> None:
        """Forget how far it is."""


Make = Callable[[], Awaitable[OperatorSite]]


class OperatorSuite(PortSuite):
    """Every operator that works over links passes these; fixture `make` gives a fresh site at each call.

    Attributes:
        tells_the_end: Something on the target tells later that the change came to its end. Where nothing does,
            reconcile says unknown after a success that nobody saw, and a person settles it.
    """

    capability = "operator"
    tells_the_end: ClassVar[bool] = True

    async def test_the_site_s_operator_is_the_one_that_its_provider_gives(
        self, provided: Operator, make: Make
    ) -> None:
        """So that the promises below are those of what ondeck uses."""
        assert type((await make()).operator) is type(provided)

    async def test_a_plan_only_reads(self, make: Make) -> None:
        """Nothing of the world is another after planning."""
        site = await make()
        before = site.world()
        await planned(site)
        assert site.world() == before

    async def test_a_plan_survives_storing_and_names_every_target(self, make: Make) -> None:
        """Stored bytes give the same plan; a target is in the rollout or left out with a reason."""
        site = await make()
        plan = await planned(site)
        assert decode(encode(plan)) == plan
        assert sorted([*plan.targets, *plan.draft.left_out]) == sorted(site.request.targets)
        assert len(set(plan.targets)) == len(plan.targets)
        assert all(command.target in plan.targets for command in plan.draft.commands)

    async def test_check_reports_the_preconditions_of_the_plan_until_the_world_changes(
        self, make: Make
    ) -> None:
        """The same words and values while nothing changed, others when something relevant did."""
        site = await make()
        plan = await planned(site)
        target = plan.targets[0]
        wanted = tuple(p for p in plan.draft.preconditions if p.target == target)
        async with site.operator.open(plan, site.bench) as applying:
            assert await applying.ready() == {}
            assert await applying.check(target) == wanted
            site.disturb(target)
            assert await applying.check(target) != wanted

    async def test_opening_and_checking_change_nothing(self, make: Make) -> None:
        """Only apply changes the world."""
        site = await make()
        plan = await planned(site)
        before = site.world()
        async with site.operator.open(plan, site.bench) as applying:
            await applying.ready()
            for target in plan.targets:
                await applying.check(target)
        assert site.world() == before

    async def test_an_attempt_is_applied_once_and_its_outcome_is_found_again(self, make: Make) -> None:
        """A succeeded apply is in place; the same attempt never works twice; reconcile agrees."""
        site = await make()
        plan = await planned(site)
        attempt = Attempt(id="suite-1", job="suite", target=plan.targets[0])
        async with site.operator.open(plan, site.bench) as applying:
            done = await applying.apply(attempt, Quiet())
            assert done.outcome is Outcome.SUCCEEDED, done.evidence
            assert site.in_place(attempt.target)
            assert site.effects(attempt.target) == 1
            found = (await applying.reconcile(attempt)).outcome
            assert found is (Outcome.SUCCEEDED if self.tells_the_end else Outcome.UNKNOWN)
            if self.tells_the_end:
                await _again(applying, attempt)
            assert site.effects(attempt.target) == 1

    @pytest.mark.slow
    async def test_the_truth_is_found_after_a_loss_at_every_step(self, make: Make) -> None:
        """Wherever the connection ends: never a success that is none, never `not started` after an effect."""
        for calls in range(_MOST_STEPS):
            site = await make()
            plan = await planned(site)
            attempt = Attempt(id=f"suite-{calls}", job="suite", target=plan.targets[0])
            async with site.operator.open(plan, site.bench) as applying:
                site.cuts.after(calls)
                finished = await _try(applying, attempt)
                site.cuts.heal()
                found = await _settled(applying, attempt)
            place = f"lost at call {calls}: {found.outcome}: {found.evidence}"
            if found.outcome is Outcome.SUCCEEDED:
                assert site.in_place(attempt.target), place
            if found.outcome is Outcome.NOT_STARTED:
                assert site.effects(attempt.target) == 0, place
            assert site.effects(attempt.target) <= 1, place
            assert found.evidence, place
            if finished:
                assert calls > 0
                assert found.outcome is (Outcome.SUCCEEDED if self.tells_the_end else Outcome.UNKNOWN), place
                return
        raise AssertionError(f"it did not end within {_MOST_STEPS} calls")

    async def test_cancelling_really_stops_the_work(self, make: Make) -> None:
        """Being cancelled stops what runs on the target and tells what was seen then."""
        site = await make()
        plan = await planned(site)
        target = plan.targets[0]
        site.slow(target)
        async with site.operator.open(plan, site.bench) as applying:
            task = asyncio.create_task(
                applying.apply(Attempt(id="suite-c", job="suite", target=target), Quiet())
            )
            await _until(lambda: site.effects(target) > 0)
            task.cancel()
            ended = await asyncio.gather(task, return_exceptions=True)
            assert isinstance(ended[0], Finding)
            assert ended[0].outcome in (Outcome.CANCELLED, Outcome.FAILED), ended[0]
            assert ended[0].evidence
            await _until(lambda: not site.busy(target))
            found = await applying.reconcile(Attempt(id="suite-c", job="suite", target=target))
            assert found.outcome is not Outcome.SUCCEEDED
            assert not found.still_running

    async def test_a_stop_that_was_not_observed_is_unknown(self, make: Make) -> None:
        """Cancelled while the connection is gone: neither cancelled nor failed, nobody knows."""
        site = await make()
        plan = await planned(site)
        target = plan.targets[0]
        site.slow(target)
        attempt = Attempt(id="suite-d", job="suite", target=target)
        async with site.operator.open(plan, site.bench) as applying:
            task = asyncio.create_task(applying.apply(attempt, Quiet()))
            await _until(lambda: site.effects(target) > 0)
            site.cuts.after(0)
            task.cancel()
            ended = (await asyncio.gather(task, return_exceptions=True))[0]
            site.cuts.heal()
            lost = isinstance(ended, LinkLost)
            assert lost or (isinstance(ended, Finding) and ended.outcome is Outcome.UNKNOWN), ended
            site.hurry(target)
            await _until(lambda: not site.busy(target))
            assert not (await _settled(applying, attempt)).still_running

    async def test_a_gate_without_data_does_not_pass(self, make: Make) -> None:
        """When nothing can be asked the gate says so with None."""
        site = await make()
        plan = await planned(site)
        async with site.operator.open(plan, site.bench) as applying:
            site.cuts.after(0)
            gate = await applying.gate(plan.targets)
            site.cuts.heal()
        assert gate.passed is None
        assert gate.evidence

    async def test_a_target_that_cannot_be_opened_is_named_before_anything_changes(self, make: Make) -> None:
        """`ready` names it with evidence; nothing was done."""
        site = await make()
        plan = await planned(site)
        before = site.world()
        site.cuts.after(0)
        async with site.operator.open(plan, site.bench) as applying:
            bad = await applying.ready()
        site.cuts.heal()
        assert set(bad) == set(plan.targets)
        assert all(f.outcome is Outcome.UNREACHABLE and f.evidence for f in bad.values())
        assert site.world() == before


async def planned(site: OperatorSite) -> Plan:
    """The plan of the site's request, as a worker reads it."""
    draft = await site.operator.plan(site.request, site.bench)
    plan = Plan(
        id="suite",
        request=site.request,
        title="suite",
        provider="suite",
        draft=draft,
        inventory="",
        policy="",
        made=1,
    )
    return msgspec.json.decode(msgspec.json.encode(plan), type=Plan)


async def _try(applying: Applying, attempt: Attempt) -> bool:
    """Apply; False when the connection ended on the way."""
    try:
        found = await applying.apply(attempt, Quiet())
    except (OndeckError, TimeoutError):
        return False
    return found.outcome is Outcome.SUCCEEDED


async def _again(applying: Applying, attempt: Attempt) -> None:
    """Apply the same attempt once more: a refusal or a `nothing to do`, both are right."""
    try:
        await applying.apply(attempt, Quiet())
    except OndeckError:
        return


async def _settled(applying: Applying, attempt: Attempt) -> Finding:
    """Reconcile until it is not running any more."""
    async with asyncio.timeout(_PATIENCE):
        found = await applying.reconcile(attempt)
        while found.still_running:
            await asyncio.sleep(0.05)
            found = await applying.reconcile(attempt)
    return found


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(_PATIENCE):
        while not true():  # noqa: ASYNC110 - it is the world outside that changes, not a task of ours
            await asyncio.sleep(0.02)
