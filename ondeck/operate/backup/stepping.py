"""Works through the steps of a job on a backup, and finds out afterwards what they came to.

Each step is a detached command with an id of its own, so it starts at most once and outlives us. An exit
status of 0 is not enough: `concluding` looks at the repository, or the folder, on its own before it is a success.
"""

from __future__ import annotations

import asyncio
import shlex
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec

from ondeck.bench import Bench
from ondeck.errors import BadInput, LinkLost, OndeckError, Refused, RemoteFailed, Unreachable
from ondeck.job.finding import Attempt, Finding, Gate
from ondeck.job.outcome import Outcome
from ondeck.job.plan import Plan, Precondition
from ondeck.operate.backup import facts
from ondeck.operate.backup.concluding import Concluded, Ran, conclude
from ondeck.operate.backup.engine import Engine, Seat, Setting
from ondeck.operate.backup.places import backup_of, checked, link_to, seat_at, secrets_of
from ondeck.operate.backup.printed import Output
from ondeck.operate.backup.steps import Step, Work, become_of, env_of, words
from ondeck.operate.ports import Emit
from ondeck.reach.detached import CUT, Detached, Look, Stage, begun
from ondeck.reach.ports import Become
from ondeck.secret import Secret
from ondeck.text import safe_line

_GRACE = 30.0


class Stepping:
    """One plan, with its links and secrets at hand."""

    def __init__(self, engine: Engine, plan: Plan, work: Work, bench: Bench) -> None:
        self._engine = engine
        self._plan = plan
        self._work = work
        self._bench = bench
        backup = backup_of(bench, work.backup)
        self._backup = backup
        self._options: Any = checked(bench, engine, backup)
        self._setting: Setting = engine.setting(self._options)
        self._facts: dict[str, str] = {}
        self._ended: list[Detached] = []
        self._launched = -1

    @property
    def _timeout(self) -> float:
        return float(self._bench.settings.seconds(self._options.seconds))

    async def ready(self) -> dict[str, Finding]:
        """Open a link to every host that a step runs on or that reads the repository."""
        hosts = dict.fromkeys([self._work.reader, *(step.host for step in self._work.steps)])
        for host in hosts:
            try:
                await link_to(self._bench, host)
            except Unreachable as error:
                said = f"{host}: {error.reason.value}: {error.message}"
                return {self._work.backup: Finding(outcome=Outcome.UNREACHABLE, evidence=said)}
            except OndeckError as error:
                said = f"{host}: {error.message}"
                return {self._work.backup: Finding(outcome=Outcome.NOT_STARTED, evidence=said)}
        return {}

    async def check(self, target: str) -> tuple[Precondition, ...]:
        """What the plan depends on, as it is now."""
        planned = [p.fact for p in self._plan.draft.preconditions]
        reader = await self._reader()
        found = await self._engine.read(reader, self._options, self._backup)
        own = reader
        if self._work.reader != self._backup.host and any(f.startswith("source ") for f in planned):
            own = await self._seat(self._backup.host)
        now = await facts.values(planned, found, own, self._bench, self._work.stay)
        return tuple(Precondition(target=target, fact=fact, expected=now[fact]) for fact in planned)

    async def _reader(self) -> Seat:
        return await self._seat(self._work.reader)

    async def _seat(self, host: str) -> Seat:
        return await seat_at(self._bench, self._setting, host)

    # --- doing

    async def apply(self, attempt: Attempt, emit: Emit) -> Finding:
        """Every step in its order; once one has started, what tidies up runs whatever came before."""
        try:
            finding = await self._all(attempt, emit)
        except LinkLost:
            self._ended.clear()
            raise
        if finding.outcome is Outcome.UNKNOWN:
            self._ended.clear()  # who finds out later reads their folders
        return finding

    async def _all(self, attempt: Attempt, emit: Emit) -> Finding:
        ran = Ran(began=time.time_ns())
        clock = time.monotonic()
        finding: Finding | None = None
        for index, step in enumerate(self._work.steps):
            if finding is not None and not step.always:
                continue
            if len(self._work.steps) > 1:
                emit.step(f"{step.name} on {step.host}")
            failed = await self._caught(attempt, index, step, emit, ran)
            ran.seconds[step.name] = time.monotonic() - clock
            finding = failed if finding is None else with_more(finding, failed)
        if finding is not None:
            return finding
        return await self._conclude(attempt, ran, emit)

    async def _caught(self, attempt: Attempt, index: int, step: Step, emit: Emit, ran: Ran) -> Finding | None:
        """One step; once one of the job has started, an error is a finding, so that the rest is tidied up.

        Raises:
            Exception: The very first did not even start.
        """
        try:
            return await self._step(attempt, index, step, emit, ran)
        except asyncio.CancelledError:
            if self._launched < 0:
                return Finding(outcome=Outcome.CANCELLED, evidence="stopped before it began")
            said, outcome = "stopped", Outcome.FAILED
        except Exception as error:
            if self._launched < 0:
                raise
            said = error.message if isinstance(error, OndeckError) else f"{type(error).__name__}: {error}"
            said_no = isinstance(error, OndeckError) and not isinstance(error, (LinkLost, Unreachable))
            outcome = Outcome.FAILED if said_no else Outcome.UNKNOWN
        here = f"{step.name} on {step.host}"
        if self._launched == index:
            return Finding(outcome=Outcome.UNKNOWN, evidence=safe_line(f"{here}: {said}"))
        return Finding(outcome=outcome, evidence=safe_line(f"{here} did not begin: {said}"))

    async def _step(self, attempt: Attempt, index: int, step: Step, emit: Emit, ran: Ran) -> Finding | None:
        """None when it ended with 0, else how the job ends."""
        job = await self._job(attempt, index, step)
        output = Output(self._engine, emit)
        secret_env = await secrets_of(self._bench, self._setting) if step.tool else {}
        argv = words(step, attempt.id, _name(attempt, index, self._work), tuple(self._hidden()))
        try:
            async with asyncio.timeout(self._timeout):
                await self._launch(index, job, argv, secret_env)
                await self._follow(job, output, emit, step)
        except TimeoutError:
            return await self._stopped(attempt, index, job, output, ran, Outcome.TIMED_OUT)
        except asyncio.CancelledError:
            return await self._stopped(attempt, index, job, output, ran, Outcome.CANCELLED)
        with begun(step.host):
            look = await job.look()
        if look.cut:
            emit.step(CUT)
        output.ended()
        ran.took(step.name, output.out, output.err)
        return await self._judged(attempt, index, look, job, output)

    async def _launch(
        self, index: int, job: Detached, argv: list[str], secret_env: dict[str, Secret]
    ) -> None:
        try:
            env = env_of(self._work.steps[index], self._setting.env)
            await job.launch(argv, env=env, secret_env=secret_env)
        except (BadInput, Refused, RemoteFailed, Unreachable):
            raise  # nothing was started
        except BaseException:
            self._launched = index
            raise
        self._launched = index

    async def _follow(self, job: Detached, output: Output, emit: Emit, step: Step) -> None:
        watching = asyncio.create_task(self._watch(step, emit)) if step.into and self._work.size else None
        try:
            with begun(step.host):
                await job.follow(output.take)
        finally:
            if watching is not None:
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)

    async def _watch(self, step: Step, emit: Emit) -> None:
        """How far a restore is: tools of this age do not say, so the folder is measured now and then."""
        link = await link_to(self._bench, step.host)
        become = become_of(step, self._setting.become)
        while True:
            await asyncio.sleep(self._bench.settings.seconds(5))
            with suppress(OndeckError, TimeoutError):
                done = await link.run(["du", "-sk", f"{step.into}.INCOMPLETE"], become=become)
                size = done.stdout.split(b"\t")[0]
                if done.ok and size.isdigit():
                    emit.moved(min(int(size) << 10, self._work.size), self._work.size, "B")

    async def _judged(
        self, attempt: Attempt, index: int, look: Look, job: Detached, output: Output
    ) -> Finding | None:
        if look.stage is Stage.ENDED:
            self._ended.append(job)
        if look.stage is Stage.ENDED and look.status == 0:
            return None
        finding = look.finding()
        if finding.outcome is Outcome.FAILED:
            return await self._failed(attempt, index, look, output)
        return finding

    async def _failed(self, attempt: Attempt, index: int, look: Look, output: Output) -> Finding:
        """A status that is not 0, with the tool's reason and what is left of it in the repository."""
        step = self._work.steps[index]
        damage = self._engine.damage(look.status, output.out, output.err)
        why = damage or self._engine.said(look.status, output.err)
        concluded = await self._concluded(
            attempt, Ran(began=time.time_ns(), status=look.status, damage=damage)
        )
        self._facts |= concluded.facts
        name = f"{step.name} on {step.host}: " if len(self._work.steps) > 1 else ""
        evidence = "; ".join(
            part for part in (f"{name}{look.finding().evidence}: {why}", concluded.left) if part
        )
        return Finding(outcome=Outcome.FAILED, evidence=evidence, status=look.status)

    async def _stopped(
        self, attempt: Attempt, index: int, job: Detached, output: Output, ran: Ran, outcome: Outcome
    ) -> Finding | None:
        """Stop it as the tool wants it, and say what was seen; None when it had tidied up.

        Raises:
            LinkLost: Not known whether it stopped, or what it left.
        """
        try:
            look = await job.look(take=True)
        except (OndeckError, TimeoutError) as error:
            raise LinkLost(f"not known whether it stopped: {error}") from error
        if look.stage in (Stage.RUNNING, Stage.STARTING):
            look = await job.stop(signal="INT", grace=_GRACE)
        if look.stage is not Stage.ENDED:
            return look.finding()
        self._ended.append(job)
        if look.status == 0 and self._work.steps[index].always:
            return None
        if look.status == 0 and not look.left and index == self._last:
            output.ended()
            ran.took(self._work.steps[index].name, output.out, output.err)
            return await self._conclude(attempt, ran, None)
        return await self._halted(attempt, index, look, outcome)

    async def _halted(self, attempt: Attempt, index: int, look: Look, outcome: Outcome) -> Finding:
        """What a stopped job left: cancelled is only what left nothing.

        Raises:
            LinkLost: What it left could not be seen.
        """
        concluded = await self._concluded(attempt, Ran(began=time.time_ns(), status=look.status or -1))
        if concluded.seen is None:
            raise LinkLost(f"stopped: {look.finding().evidence}; {concluded.left}", where=self._work.reader)
        name = f"{self._work.steps[index].name}: " if len(self._work.steps) > 1 else ""
        parts = (f"stopped: {name}{look.finding().evidence}", concluded.left)
        evidence = "; ".join(part for part in parts if part)
        if look.left:
            outcome, evidence = Outcome.FAILED, f"{evidence}; pids {look.left} go on"
        elif outcome is Outcome.CANCELLED and (concluded.seen or self._work.steps[index].always):
            outcome = Outcome.FAILED
        return Finding(outcome=outcome, evidence=evidence, status=look.status)

    @property
    def _last(self) -> int:
        """Number of the last step that does the work itself."""
        return [index for index, step in enumerate(self._work.steps) if not step.always][-1]

    async def _conclude(self, attempt: Attempt, ran: Ran, emit: Emit | None) -> Finding:
        """Look on our own whether it did what it says.

        Raises:
            LinkLost: It ended with 0 and what it did could not be seen.
        """
        concluded = await self._concluded(attempt, ran)
        self._facts |= concluded.facts
        if emit is not None:
            for line in concluded.lines:
                emit.step(line)
        return concluded.finding

    async def _concluded(self, attempt: Attempt, ran: Ran) -> Concluded:
        try:
            reader = await self._reader()
            found = await self._engine.read(reader, self._options, self._backup)
            return await conclude(
                self._engine, self._work, attempt.id, ran, found, self._bench, self._setting
            )
        except (OndeckError, TimeoutError) as error:
            said = error.message if isinstance(error, OndeckError) else "no answer in time"
            if ran.status:
                return Concluded.seen_nothing(f"the repository could not be read afterwards: {said}")
            raise LinkLost(f"it ended with 0, and what it did could not be seen: {said}") from error

    # --- afterwards

    async def gate(self, targets: tuple[str, ...]) -> Gate:
        """No plan of a backup names a gate: its own look afterwards is one."""
        return Gate(passed=True, evidence="no gate")

    async def reconcile(self, attempt: Attempt) -> Finding:
        """Read the folders of the steps, the last first; what ended with 0 is looked at on its own."""
        for index, step in reversed(list(enumerate(self._work.steps))):
            if step.always:
                continue
            job = await self._job(attempt, index, step)
            look = await job.look(take=True)
            if look.stage in (Stage.ABSENT, Stage.UNSTARTED) and index:
                continue
            found = await self._settled(attempt, index, look, job)
            if found.outcome is Outcome.NOT_STARTED:
                return found
            return with_more(found, await self._untidied(attempt))
        raise AssertionError("a work has a first step")

    async def _untidied(self, attempt: Attempt) -> Finding | None:
        """Steps that tidy up and were not seen to end with 0, with what they would have run."""
        left = []
        for index, step in enumerate(self._work.steps):
            if not step.always:
                continue
            job = await self._job(attempt, index, step)
            look = await job.look(take=True)
            if look.stage is Stage.ENDED:
                self._ended.append(job)
            if look.status != 0:
                what = safe_line(shlex.join(step.argv))
                left.append(f"{step.name} on {step.host} ({look.finding().evidence}): {what}")
        said = f"not tidied up: {'; '.join(left)}"
        return Finding(outcome=Outcome.FAILED, evidence=said) if left else None

    async def _settled(self, attempt: Attempt, index: int, look: Look, job: Detached) -> Finding:
        output = Output(self._engine, None)
        if look.stage is Stage.ENDED:
            await job.follow(output.take)
        finding = await self._judged(attempt, index, look, job, output)
        if finding is not None:
            if finding.outcome is Outcome.UNKNOWN and not finding.still_running:
                left = (await self._concluded(attempt, Ran(began=time.time_ns(), status=-1))).left
                return msgspec.structs.replace(
                    finding, evidence="; ".join(filter(None, (finding.evidence, left)))
                )
            return finding
        if index != self._last:
            said = f"{self._work.steps[index].name} ended with 0, what comes after it never began"
            return Finding(outcome=Outcome.FAILED, evidence=said)
        ran = Ran(began=time.time_ns(), late=True)
        ran.took(self._work.steps[index].name, output.out, output.err)
        return await self._conclude(attempt, ran, None)

    async def finish(self, succeeded: tuple[str, ...], emit: Callable[[str], None]) -> dict[str, str]:
        """Remove the folders of what ended; what was proven is remembered."""
        for job in self._ended:
            try:
                await job.forget()
            except (OndeckError, TimeoutError) as error:
                emit(f"a job folder stays: {error}")
        return self._facts

    async def _job(self, attempt: Attempt, index: int, step: Step) -> Detached:
        link = await link_to(self._bench, step.host)
        become: Become | None = become_of(step, self._setting.become)
        return Detached(link, _name(attempt, index, self._work), self._bench.settings, become)

    def _hidden(self) -> list[str]:
        return [*self._setting.secrets, *self._setting.env]


def with_more(finding: Finding, more: Finding | None) -> Finding:
    """A finding with what another step came to; what was cancelled or succeeded and left something failed."""
    if more is None:
        return finding
    ended_well = finding.outcome in (Outcome.CANCELLED, Outcome.SUCCEEDED)
    return msgspec.structs.replace(
        finding,
        outcome=Outcome.FAILED if ended_well else finding.outcome,
        evidence=f"{finding.evidence}; {more.evidence}",
    )


def _name(attempt: Attempt, index: int, work: Work) -> str:
    return attempt.id if len(work.steps) == 1 else f"{attempt.id}.{index}"
