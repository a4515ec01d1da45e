"""Applying: exactly the plan file that was shown, detached from everything of ours, once."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from pathlib import Path

from ondeck.bench import Bench
from ondeck.errors import LinkLost, OndeckError, PlanStale, Unreachable
from ondeck.job.finding import Attempt, Finding, Gate
from ondeck.job.outcome import Outcome
from ondeck.job.plan import Plan, Precondition
from ondeck.operate.ports import Emit
from ondeck.reach.checkout import in_use, pin, tree_of
from ondeck.reach.detached import Detached, Look, Stage, begun
from ondeck.reach.ports import Link
from ondeck.text import safe_line
from providers.terraform import reads, surgery, unlocking
from providers.terraform import state as states
from providers.terraform.ending import final
from providers.terraform.options import options_of, source_of, stack_of
from providers.terraform.progress import Progress
from providers.terraform.state import Seen
from providers.terraform.work import (
    Ready,
    Work,
    copy_before,
    file_sum,
    keep_copy,
    preconditions,
    set_up,
)

INIT = "stack.init"
READS = ("stack.plan",)
KEPT = 64 << 20
"""Bytes of the stream that are kept: 2,000 resources say about 4 MB."""
GRACE = 600.0
"""Seconds that it gets to come to its next safe point once it was asked to stop."""
_LAST = 60.0


class StackApplying:
    """One plan of one stack, with everything at hand."""

    stop_seconds: float = GRACE + _LAST + 30
    """How long stopping may take: the program comes to a safe point first."""

    def __init__(self, plan: Plan, work: Work, bench: Bench) -> None:
        self._plan = plan
        self._work = work
        self._bench = bench
        self._link: Link | None = None
        self._set: Ready | None = None
        self._ended: list[Attempt] = []
        self._asked: set[str] = set()
        self._running: dict[str, Detached] = {}
        self._uses = contextlib.ExitStack()

    def close(self) -> None:
        """Let go of the checkout."""
        self._uses.close()

    async def _here(self) -> Link:
        if self._link is None or self._link.closed:
            self._link = await self._bench.here()
        return self._link

    async def _ready(self) -> Ready:
        if self._set is None:
            pinned = "" if self._work.commit.startswith("tree-") else self._work.commit
            fresh = self._work.operation in (INIT,)
            found = await set_up(
                self._bench, self._work.stack, await self._here(), ref=pinned, workspace=not fresh
            )
            self._uses.enter_context(in_use(tree_of(found.module, found.pinned)))
            self._set = found
        return self._set

    async def ready(self) -> dict[str, Finding]:
        """The checkout is there, the program answers, the secrets are there; a read was made while it was planned."""
        if self._work.operation in READS:
            return {}
        try:
            ready = await self._ready()
            await ready.program.secret_env()
        except (OndeckError, TimeoutError) as error:
            outcome = Outcome.UNREACHABLE if isinstance(error, (LinkLost, Unreachable)) else Outcome.FAILED
            said = error.message if isinstance(error, OndeckError) else "no answer in time"
            return {self._work.stack: Finding(outcome=outcome, evidence=said)}
        return {}

    async def check(self, target: str) -> tuple[Precondition, ...]:
        """State, workspace, program, commit and plan file as they are now."""
        if not self._plan.draft.preconditions:
            return ()
        link, work = await self._here(), self._work
        ready = await self._ready()
        if (facts := await unlocking.facts(ready, work)) is not None:
            return facts
        stack = stack_of(self._bench.inventory, target)
        options = options_of(stack)
        seen = (await ready.state()).seen
        pinned = await pin(link, source_of(self._bench.inventory, options), work.ref)
        now = Work(
            operation=work.operation,
            stack=target,
            ref=work.ref,
            commit=pinned.commit,
            plan=work.plan,
            sum=await asyncio.to_thread(file_sum, Path(work.plan)) if work.plan else "",
            seen=seen.label(),
            workspace=options.workspace,
            version=await ready.program.version(),
            vars=work.vars,
            vars_sum=await asyncio.to_thread(file_sum, Path(work.vars)) if work.vars else "",
        )
        return (*preconditions(now), *await unlocking.more_facts(ready, work))

    async def apply(self, attempt: Attempt, emit: Emit) -> Finding:
        """Run it to its end and say what was seen.

        Raises:
            PlanStale: The state is another than that of the plan; nothing was changed.
            LinkLost: It was begun and nobody saw its end.
        """
        if self._work.operation in READS:
            return reads.tell_plan(self._plan, emit)
        ready = await self._ready()
        if self._work.operation == INIT:
            return await surgery.set_up_again(
                ready, emit, upgrade=bool(self._plan.request.params.get("upgrade"))
            )
        before = await self._copy_before(ready, attempt)
        job = Detached(await self._here(), attempt.id, self._bench.settings)
        argv = list(self._plan.draft.commands[0].argv)
        progress = Progress(emit, total=self._work.counts.steps, json=bool(self._work.plan))
        self._running[attempt.id] = job
        try:
            await job.launch(
                argv,
                env=ready.program.env(),
                secret_env=await ready.program.secret_env(),
                cwd=str(ready.module),
                kept=KEPT,
            )
            with begun(attempt.target):
                await self._follow(job, progress)
                look = await job.look()
        except asyncio.CancelledError:
            return await self._stopped(attempt, job, progress, before)
        finally:
            self._running.pop(attempt.id, None)
        with begun(attempt.target):
            found = await self._final(attempt, look, progress, before)
        if progress.reader.stale:
            raise PlanStale(
                "Saved plan is stale: the state was changed since; nothing was changed now", hint="plan again"
            )
        return found

    async def _copy_before(self, ready: Ready, attempt: Attempt) -> Seen:
        """The state from before, kept as a file; it has to be that of the plan.

        Raises:
            PlanStale: It is another by now.
        """
        now = await ready.state()
        if self._work.seen and now.seen.label() != self._work.seen:
            raise PlanStale(
                f"state is {now.seen.label()} now, was {self._work.seen}; nothing was changed",
                hint="plan again",
            )
        await asyncio.to_thread(keep_copy, ready.folders, now, f"before-{attempt.id}")
        lies = await asyncio.to_thread(ready.folders.unsaved, ready.module)
        await asyncio.to_thread(states.write_private, ready.folders.begun(attempt.id), lies.encode())
        return now.seen

    async def _follow(self, job: Detached, progress: Progress) -> None:
        await job.follow(progress.take, out=progress.out, err=progress.err)
        progress.end()

    async def _final(self, attempt: Attempt, look: Look, progress: Progress, before: Seen | None) -> Finding:
        ready = await self._ready()
        found = await final(ready, self._work, attempt.id, look, progress, before)
        if look.stage is Stage.ENDED:
            self._ended.append(attempt)
        return found

    # --- stopping

    async def ask_to_stop(self, target: str) -> str:
        """Ask what runs to stop at its next safe point; what was done about it, empty when nothing runs."""
        said = ""
        for attempt, job in tuple(self._running.items()):
            if attempt not in self._asked and await self._interrupt(job):
                self._asked.add(attempt)
                said = f"{target}: asked to stop at its next safe point (SIGINT); its state is written then"
        return said

    async def _interrupt(self, job: Detached) -> bool:
        """One SIGINT to the program alone: a second one makes it leave at once, without writing its state."""
        look = await job.look(take=True)
        if look.stage is not Stage.RUNNING or not look.pid:
            return False
        done = await (await self._here()).run(["kill", "-INT", str(look.pid)])
        return done.ok

    async def _stopped(self, attempt: Attempt, job: Detached, progress: Progress, before: Seen) -> Finding:
        """Cancelled: ask once, wait for the safe point; asked again it is made to leave.

        Raises:
            LinkLost: Not known whether it stopped.
        """
        try:
            again = attempt.id in self._asked
            if not await self._interrupt(job):
                return await self._seen_stopped(attempt, job, progress, before)
            self._asked.add(attempt.id)
            with contextlib.suppress(TimeoutError):
                try:
                    await self._wait(job, progress, _LAST if again else GRACE)
                except asyncio.CancelledError:
                    await self._interrupt(job)
                    await self._wait(job, progress, _LAST)
            return await self._seen_stopped(attempt, job, progress, before)
        except (OndeckError, TimeoutError) as error:
            said = error.message if isinstance(error, OndeckError) else "no answer in time"
            raise LinkLost(f"cancelled, not known whether it stopped: {safe_line(said)}") from error

    async def _wait(self, job: Detached, progress: Progress, seconds: float) -> None:
        async with asyncio.timeout(self._bench.settings.seconds(seconds)):
            await self._follow(job, progress)

    async def _seen_stopped(
        self, attempt: Attempt, job: Detached, progress: Progress, before: Seen
    ) -> Finding:
        look = await job.look(take=True)
        if look.stage in (Stage.RUNNING, Stage.STARTING):
            said = f"asked to stop {time.strftime('%H:%M:%S', time.gmtime())} UTC, {look.finding().evidence}"
            return Finding(outcome=Outcome.UNKNOWN, evidence=said, still_running=True)
        return await self._final(attempt, look, progress, before)

    # --- afterwards

    async def gate(self, targets: tuple[str, ...]) -> Gate:
        """A stack has no gate: exit status, summary and state are all there is."""
        return Gate(passed=True, evidence="no gate")

    async def reconcile(self, attempt: Attempt) -> Finding:
        """Read the job folder, then the state: what became of a run that nobody saw end."""
        if self._work.operation in READS:
            return Finding(outcome=Outcome.FAILED, evidence="lost during a read; nothing was changed")
        if self._work.operation == INIT:
            return Finding(outcome=Outcome.FAILED, evidence="lost during init; do it again")
        job = Detached(await self._here(), attempt.id, self._bench.settings)
        look = await job.look(take=True)
        if look.stage in (Stage.RUNNING, Stage.STARTING, Stage.ABSENT, Stage.UNSTARTED):
            return look.finding()
        progress = Progress(json=bool(self._work.plan))
        if look.stage is Stage.ENDED:
            await self._follow(job, progress)
        before = await asyncio.to_thread(copy_before, (await self._ready()).folders, attempt.id)
        return await self._final(attempt, look, progress, before)

    async def finish(self, succeeded: tuple[str, ...], emit: Callable[[str], None]) -> dict[str, str]:
        """Remove the plan file and the folders of what ended; remember what was applied."""
        if self._plan.draft.lock_key == "" or not succeeded:
            return {}
        ready = await self._ready()
        if self._work.plan:
            await asyncio.to_thread(Path(self._work.plan).unlink, missing_ok=True)
        for attempt in self._ended:
            await asyncio.to_thread(ready.folders.begun(attempt.id).unlink, missing_ok=True)
            try:
                await Detached(await self._here(), attempt.id, self._bench.settings).forget()
            except (OndeckError, TimeoutError) as error:
                emit(f"job folder {attempt.id} stays: {error}")
        now = await ready.state()
        await asyncio.to_thread(keep_copy, ready.folders, now, f"after-{self._work.commit[:7]}")
        facts = {f"stack {self._work.stack}": f"{self._work.commit} {now.seen.label()}"}
        return facts if self._work.operation in ("stack.apply", "stack.destroy") else {}
