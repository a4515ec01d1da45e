"""`host.exec`: reads run attached, changes run as claimed folders on the hosts."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Callable

from ondeck.bench import Bench
from ondeck.errors import BadInput, LinkLost, OndeckError, PlanStale
from ondeck.inventory.model import Inventory
from ondeck.inventory.reads import is_read
from ondeck.job.finding import Attempt, Finding, Gate
from ondeck.job.outcome import Outcome
from ondeck.job.plan import (
    Action,
    Batch,
    Change,
    Command,
    Draft,
    Plan,
    Precondition,
    Request,
    RolloutPlan,
)
from ondeck.job.spec import Risk
from ondeck.operate.batches import apart, batches, share_for
from ondeck.operate.guard import service_size
from ondeck.operate.ports import Emit
from ondeck.reach.command import signal_of, with_env
from ondeck.reach.detached import CUT, Detached, Look, Stage, begun
from ondeck.reach.ports import Completed, Fd
from ondeck.text import safe_line
from providers.host import unshelled
from providers.host.links import Links, become_of, host_of
from providers.host.params import ExecParams

PARALLEL = 32
READS = 64


def reads(request: Request, params: ExecParams, inventory: Inventory) -> bool:
    """True when the request's environment lists its command, as the user that it is run as."""
    return is_read(inventory.environments.get(request.env), params.argv, user_of(params))


def user_of(params: ExecParams) -> str:
    """Who the command is run as; empty means the login's own user."""
    become = become_of(params.become)
    return become.user if become else ""


def rollout(request: Request, bench: Bench, *, batch: str, max_failures: int, verb: str) -> RolloutPlan:
    """Batches of a change on hosts, under the environment's rules."""
    hosts = [host_of(bench, target) for target in request.targets]
    share = share_for(bench.inventory.environments.get(request.env), verb)
    cut = batches(
        request.targets,
        [batch or "100%"],
        keep_apart=apart(hosts),
        share=share,
        of=service_size(bench.inventory, request.subject, request.targets),
    )
    return RolloutPlan(batches=cut, parallel=PARALLEL, max_failures=max_failures)


def plan_exec(request: Request, params: ExecParams, bench: Bench) -> Draft:
    """What would run where; asks no host.

    It takes no lock: two commands are two changes, and one of an unknown outcome must not keep people
    from the other hosts of its environment. At most once is promised by the attempt's claim on its host.

    Raises:
        BadInput: The command cannot be run anywhere.
    """
    if not params.argv:
        raise BadInput("no command", hint="ondeck exec -l SELECTOR -- COMMAND ...")
    with_env(params.argv, None)
    shown = safe_line(shlex.join(params.argv))
    read, user = reads(request, params, bench.inventory), user_of(params)
    if read:
        plan = RolloutPlan(
            batches=(Batch(targets=request.targets, why="a read: all at once"),),
            parallel=READS,
            max_failures=len(request.targets),
        )
    else:
        plan = rollout(request, bench, batch=params.batch, max_failures=params.max_failures, verb="exec")
    note = "attached" if read else "detached, at most once"
    return Draft(
        summary=f"{shown} on {len(request.targets)} host{'s' if len(request.targets) != 1 else ''}",
        risk=Risk.READ if read else Risk.CHANGE,
        changes=()
        if read
        else tuple(
            Change(action=Action.RUN, target=target, address="command", after=shown)
            for target in request.targets
        ),
        commands=tuple(
            Command(target=target, argv=params.argv, become=user, note=note) for target in request.targets
        ),
        rollout=plan,
        lock_key="",
        undo="" if read else "irreversible",
        warnings=tuple(map(safe_line, unshelled.warnings(params.argv))),
    )


def ended(done: Completed) -> Finding:
    """The finding of a command that was followed to its end."""
    if done.ok:
        return Finding(outcome=Outcome.SUCCEEDED, evidence="exit 0", status=0)
    if done.status is None:
        return Finding(outcome=Outcome.FAILED, evidence=f"killed by SIG{done.signal}")
    name = done.signal or signal_of(done.status)
    said = {126: " (cannot be executed)", 127: " (not found)"}.get(
        done.status, f" (SIG{name})" if name else ""
    )
    return Finding(outcome=Outcome.FAILED, evidence=f"exit {done.status}{said}", status=done.status)


def _left(look: Look) -> str:
    """What a stopped command had started and left running."""
    if not look.left:
        return ""
    pids = ", ".join(map(str, look.left[:8])) + (", ..." if len(look.left) > 8 else "")
    return f"; but what it started in sessions of its own goes on: pid {pids}"


class Executing:
    """Applies one `host.exec` plan: what was asked for is what runs, and what the rules were asked about."""

    def __init__(self, plan: Plan, params: ExecParams, bench: Bench, links: Links) -> None:
        if any(command.argv != params.argv for command in plan.draft.commands):
            raise PlanStale("the plan shows another command than it was asked for", hint="plan again")
        self._argv = params.argv
        self._read = reads(plan.request, params, bench.inventory)
        self._become = become_of(params.become)
        self._limit = params.time_limit
        self._settings = bench.settings
        self._links = links
        self._ended: list[Attempt] = []

    async def ready(self) -> dict[str, Finding]:
        """Open every link."""
        return await self._links.open()

    async def check(self, target: str) -> tuple[Precondition, ...]:
        """A command has no preconditions."""
        return ()

    async def apply(self, attempt: Attempt, emit: Emit) -> Finding:
        """Run it on one host, once."""
        if self._read:
            return await self._attached(attempt, emit)
        return await self._detached(attempt, emit)

    async def _attached(self, attempt: Attempt, emit: Emit) -> Finding:
        link = await self._links.get(attempt.target)
        try:
            async with (
                asyncio.timeout(self._settings.seconds(self._limit)),
                link.stream(self._argv, become=self._become) as stream,
            ):
                async for chunk in stream:
                    emit.output(chunk.data, err=chunk.fd is Fd.ERR)
                return ended(await stream.wait())
        except asyncio.CancelledError:
            said = "cancelled: its connection was closed; a read changes nothing"
            return Finding(outcome=Outcome.CANCELLED, evidence=said)

    async def _detached(self, attempt: Attempt, emit: Emit) -> Finding:
        job = await self._job(attempt)
        try:
            async with asyncio.timeout(self._settings.seconds(self._limit)):
                await job.launch(self._argv)
                with begun(attempt.target):
                    await job.follow(lambda data, err: emit.output(data, err=err))
        except TimeoutError:
            look = await job.stop()
            if look.stage is not Stage.ENDED:
                return look.finding()
            self._ended.append(attempt)
            said = f"did not end in {self._limit:g} s; stopped{_left(look)}"
            return Finding(outcome=Outcome.TIMED_OUT, evidence=said, status=look.status)
        except asyncio.CancelledError:
            return await self._stopped(attempt, job)
        with begun(attempt.target):
            look = await job.look()
        if look.cut:
            emit.step(CUT)
        return self._final(attempt, look)

    async def _stopped(self, attempt: Attempt, job: Detached) -> Finding:
        """Stop it and say what was seen: its end by itself, that it was stopped, or that nobody knows.

        Raises:
            LinkLost: Not known whether it stopped.
        """
        try:
            look = await job.look(take=True)
        except (OndeckError, TimeoutError) as error:
            raise LinkLost(
                f"cancelled, not known whether it stopped: {error}", where=attempt.target
            ) from error
        if look.stage in (Stage.RUNNING, Stage.STARTING):
            look = await job.stop()
            if look.stage is Stage.ENDED:
                self._ended.append(attempt)
                said = f"stopped on its host: {look.finding().evidence}{_left(look)}"
                outcome = Outcome.FAILED if look.left else Outcome.CANCELLED
                return Finding(outcome=outcome, evidence=said, status=look.status)
        return self._final(attempt, look)

    def _final(self, attempt: Attempt, look: Look) -> Finding:
        if look.stage is Stage.ENDED:
            self._ended.append(attempt)
        return look.finding()

    async def _job(self, attempt: Attempt) -> Detached:
        link = await self._links.get(attempt.target)
        return Detached(link, attempt.id, self._settings, self._become)

    async def gate(self, targets: tuple[str, ...]) -> Gate:
        """A command has no gate: its exit status is all there is."""
        return Gate(passed=True, evidence="no gate")

    async def reconcile(self, attempt: Attempt) -> Finding:
        """Read the job folder; a read that was lost changed nothing."""
        if self._read:
            return Finding(
                outcome=Outcome.FAILED, evidence="connection lost during a read; nothing was changed"
            )
        job = await self._job(attempt)
        return self._final(attempt, await job.look(take=True))

    async def finish(self, succeeded: tuple[str, ...], emit: Callable[[str], None]) -> dict[str, str]:
        """Remove the folders of what ended: its outcome is recorded by now."""
        for attempt in self._ended:
            try:
                await (await self._job(attempt)).forget()
            except (OndeckError, TimeoutError) as error:
                emit(f"{attempt.target}: job folder {attempt.id} stays: {error}")
        return {}
