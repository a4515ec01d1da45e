"""Works through the steps of a job on a backup, and finds out afterwards what they came to.

Each step is a detached command with an id of its own, so it starts at most once and outlives us. An exit
status of 0 is not enough: `concluding` looks at the repository, or the folder, on its own before it is a success.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec

from ondeck.bench import Bench
from ondeck.errors import LinkLost, OndeckError, Unreachable
from ondeck.job.finding import Attempt, Finding, Gate
from ondeck.job.outcome import Outcome
from ondeck.job.plan import Plan, Precondition
from ondeck.operate.backup import facts
from ondeck.operate.backup.concluding import Concluded, Ran, conclude
from ondeck.operate.backup.engine import Engine, Seat, Setting
from ondeck.operate.backup.places import backup_of, checked, link_to, seat_at, secrets_of
from ondeck.operate.backup.steps import Step, Work, become_of, env_of, words
from ondeck.operate.ports import Emit
from ondeck.reach.detached import CUT, Detached, Look, Stage
from ondeck.reach.ports import Become

_TAIL = 64 << 10
_GRACE = 30.0
_PASSWORD = re.compile(rb"//[^/@\s:]+:[^/@\s]+@")


class _Output:
    """Takes what a step prints: progress to the face, the rest to the job, its end for the reason."""

    def __init__(self, engine: Engine, emit: Emit | None) -> None:
        self._engine = engine
        self._emit = emit
        self._lines = {False: b"", True: b""}
        self.out = b""
        self.err = b""

    def take(self, data: bytes, err: bool) -> None:
        if err:
            self.err = (self.err + data)[-_TAIL:]
        else:
            self.out = (self.out + data)[-_TAIL:]
        *lines, rest = (self._lines[err] + data).split(b"\n")
        self._lines[err] = rest[-_TAIL:]
        for line in lines:
            self._told(line, err)

    def _told(self, line: bytes, err: bool) -> None:
        moved = self._engine.moved(line)
        if self._emit is None:
            return
        if moved is None:
            self._emit.output(_masked(line) + b"\n", err=err)
        elif any(moved):
            self._emit.moved(moved[0], moved[1], "B")

    def ended(self) -> None:
        """What it printed last, without a line's end."""
        for err, line in self._lines.items():
            if line:
                self._told(line, err)
        self._lines = {False: b"", True: b""}


def _masked(data: bytes) -> bytes:
    """Without the password of an address: tools print where they could not go."""
    return _PASSWORD.sub(rb"//***@", data)


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
        """Every step in its order; what tidies up runs whatever came before."""
        ran = Ran(began=time.time_ns())
        clock = time.monotonic()
        finding: Finding | None = None
        for index, step in enumerate(self._work.steps):
            if finding is not None and not step.always:
                continue
            if len(self._work.steps) > 1:
                emit.step(f"{step.name} on {step.host}")
            failed = await self._step(attempt, index, step, emit, ran)
            ran.seconds[step.name] = time.monotonic() - clock
            finding = finding or failed
        if finding is not None:
            return finding
        return await self._conclude(attempt, ran, emit)

    async def _step(self, attempt: Attempt, index: int, step: Step, emit: Emit, ran: Ran) -> Finding | None:
        """None when it ended with 0, else how the job ends."""
        job = await self._job(attempt, index, step)
        output = _Output(self._engine, emit)
        secret_env = await secrets_of(self._bench, self._setting) if step.tool else {}
        argv = words(step, attempt.id, _name(attempt, index, self._work), tuple(self._hidden()))
        try:
            async with asyncio.timeout(self._timeout):
                await job.launch(argv, env=env_of(step, self._setting.env), secret_env=secret_env)
                await self._follow(job, output, emit, step)
        except TimeoutError:
            return await self._stopped(attempt, job, output, Outcome.TIMED_OUT)
        except asyncio.CancelledError:
            return await self._stopped(attempt, job, output, Outcome.CANCELLED)
        with _begun(step.host):
            look = await job.look()
        if look.cut:
            emit.step(CUT)
        output.ended()
        ran.took(step.name, output.out, output.err)
        return await self._judged(attempt, index, look, job, output)

    async def _follow(self, job: Detached, output: _Output, emit: Emit, step: Step) -> None:
        watching = asyncio.create_task(self._watch(step, emit)) if step.into and self._work.size else None
        try:
            with _begun(step.host):
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
        self, attempt: Attempt, index: int, look: Look, job: Detached, output: _Output
    ) -> Finding | None:
        if look.stage is Stage.ENDED:
            self._ended.append(job)
        if look.stage is Stage.ENDED and look.status == 0:
            return None
        finding = look.finding()
        if finding.outcome is Outcome.FAILED:
            return await self._failed(attempt, index, look, output)
        return finding

    async def _failed(self, attempt: Attempt, index: int, look: Look, output: _Output) -> Finding:
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

    async def _stopped(self, attempt: Attempt, job: Detached, output: _Output, outcome: Outcome) -> Finding:
        """Stop it as the tool wants it, and say what was seen.

        Raises:
            LinkLost: Not known whether it stopped.
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
        concluded = await self._concluded(attempt, Ran(began=time.time_ns(), status=look.status))
        evidence = "; ".join(p for p in (f"stopped: {look.finding().evidence}", concluded.left) if p)
        if look.left:
            outcome, evidence = Outcome.FAILED, f"{evidence}; pids {look.left} go on"
        return Finding(outcome=outcome, evidence=evidence, status=look.status)

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
            with _begun(self._work.reader):
                reader = await self._reader()
                found = await self._engine.read(reader, self._options, self._backup)
                return await conclude(
                    self._engine, self._work, attempt.id, ran, found, self._bench, self._setting
                )
        except LinkLost:
            raise
        except OndeckError as error:
            if ran.status:
                return Concluded.seen_nothing(f"the repository could not be read afterwards: {error.message}")
            raise LinkLost(f"it ended with 0, and what it did could not be seen: {error.message}") from error

    # --- afterwards

    async def gate(self, targets: tuple[str, ...]) -> Gate:
        """No plan of a backup names a gate: its own look afterwards is one."""
        return Gate(passed=True, evidence="no gate")

    async def reconcile(self, attempt: Attempt) -> Finding:
        """Read the folders of the steps, the last first; what ended with 0 is looked at on its own."""
        steps = list(enumerate(self._work.steps))
        for index, step in reversed(steps):
            if step.always:
                continue
            job = await self._job(attempt, index, step)
            look = await job.look(take=True)
            if look.stage in (Stage.ABSENT, Stage.UNSTARTED) and index:
                continue
            return await self._settled(attempt, index, look, job)
        raise AssertionError("a work has a first step")

    async def _settled(self, attempt: Attempt, index: int, look: Look, job: Detached) -> Finding:
        output = _Output(self._engine, None)
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
        last = [i for i, step in enumerate(self._work.steps) if not step.always][-1]
        if index != last:
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


def _name(attempt: Attempt, index: int, work: Work) -> str:
    return attempt.id if len(work.steps) == 1 else f"{attempt.id}.{index}"


class _begun:
    """After a start: who is not reached any more is lost, and the outcome is unknown."""

    def __init__(self, host: str) -> None:
        self._host = host

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if isinstance(error, Unreachable):
            raise LinkLost(
                f"connection ended after it was started: {error.message}", where=self._host
            ) from error
