"""The worker's loop: asks the rollout what to do, does it, and looks at requests in between."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from functools import partial

from ondeck.errors import StateBroken
from ondeck.job.events import (
    Ask,
    AttemptIntended,
    AttemptVoid,
    BatchStarted,
    Continued,
    Ended,
    GateAccepted,
    GateAnswered,
    Paused,
    TargetEnded,
    Waiting,
    What,
)
from ondeck.job.finding import Attempt, Finding, Gate
from ondeck.job.outcome import Outcome, WaitingFor
from ondeck.job.plan import Batch, Precondition
from ondeck.operate.attempt import (
    Clock,
    CredentialsEnded,
    asked,
    attempt_id,
    broken,
    observed,
    short,
)
from ondeck.operate.desk import Desk
from ondeck.operate.herald import Herald
from ondeck.operate.ports import Applying, StopsGently
from ondeck.operate.rollout import AskGate, Finish, Hold, OpenBatch, Rollout, Start
from ondeck.settings import Settings

POLL = 0.2
STOP_SECONDS = 30.0
Reopen = Callable[[], Awaitable[Applying]]
Unsaid = Callable[[Ask, str], str]
"""Why a request of somebody is not enough for a job that stands to go on; empty when it is."""


class Drive:
    """Works through one rollout with open connections."""

    def __init__(
        self,
        desk: Desk,
        rollout: Rollout,
        applying: Applying,
        settings: Settings,
        reopen: Reopen,
        herald: Herald,
        unsaid: Unsaid = lambda ask, who: "",
    ) -> None:
        self.desk = desk
        self.rollout = rollout
        self.settings = settings
        self.applying = applying
        self._reopen = reopen
        self._herald = herald
        self._unsaid = unsaid
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._gate: asyncio.Task[None] | None = None
        self._ends: list[asyncio.Task[None]] = []
        self._checked: set[str] = set()
        self._credentials = ""
        self._standing = ""
        self._paused_by = ""
        self._hard = False
        self._gently: asyncio.Task[None] | None = None
        self._stop_by: float | None = None
        self.wake = asyncio.Event()
        self.cancelled_by = ""

    async def stale_before_start(self) -> str:
        """Check the first batch before anything was changed; what no longer holds, or empty."""
        first = next(
            (b.targets for b in self._plan_batches() if any(t in self.rollout.pending for t in b.targets)), ()
        )
        targets = [t for t in first if t in self.rollout.pending]
        limit = self.desk.view.plan.draft.rollout.parallel or len(targets)
        found = await asyncio.gather(*(self._first_look(t) for t in targets))
        good = [t for t, (holds, _) in zip(targets, found, strict=True) if holds]
        self._checked.update(t for t in targets[:limit] if t in good)
        return "; ".join(why for _, why in found if why)

    async def _first_look(self, target: str) -> tuple[bool, str]:
        """Whether it can begin, and what changed. What cannot be read now is asked again in its turn."""
        try:
            finding = await self._cannot_begin(target)
        except CredentialsEnded:
            return False, ""
        if finding is None:
            return True, ""
        return False, finding.evidence if finding.outcome is Outcome.NOT_STARTED else ""

    def _plan_batches(self) -> tuple[Batch, ...]:
        return self.desk.view.plan.draft.rollout.batches

    async def run(self) -> Ended:
        """Until nothing more is to do or somebody stopped it; why it ended."""
        try:
            return await self._loop()
        except Exception:
            # Whatever broke here: what is in flight is followed, so that its end is seen and recorded.
            if self._tasks:
                await asyncio.wait(self._tasks.values(), timeout=self.settings.seconds(STOP_SECONDS))
            raise
        finally:
            if self._gently is not None:
                self._gently.cancel()

    async def _loop(self) -> Ended:
        while True:
            await self._take_asks()
            if self.desk.full:
                self.rollout.stop(Ended.STOPPED)
            ended = None
            for decision in self.rollout.decide():
                ended = await self._do(decision)
            if ended is not None:
                await self._all_recorded()
                return ended
            await self._pause_between()

    async def _all_recorded(self) -> None:
        """Outcomes are on disk before the evidence of them is tidied away on the hosts."""
        while self._tasks:
            await self._pause_between()

    async def _do(self, decision: object) -> Ended | None:
        match decision:
            case OpenBatch(index=index, targets=targets):
                await self.desk.record(BatchStarted(index=index, targets=targets))
            case Start(target=target):
                self._tasks[target] = self._begin(self._target(target), target)
            case AskGate(index=index, targets=targets):
                self._gate = self._begin(self._ask_gate(index, targets), "gate")
            case Hold(why=why):
                await self._stand(why)
            case Finish(why=why):
                return why
        return None

    def _begin(self, work: Coroutine[None, None, None], name: str) -> asyncio.Task[None]:
        """Its end wakes the loop: with many in flight, watching each of them at every turn is dear."""
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._came_to_end)
        return task

    def _came_to_end(self, task: asyncio.Task[None]) -> None:
        self._ends.append(task)
        self.wake.set()

    async def _pause_between(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self.settings.seconds(POLL)):
                await self.wake.wait()
        self.wake.clear()
        ends, self._ends = self._ends, []
        for task in ends:
            if task is self._gate:
                self._gate = None
            elif self._tasks.get(task.get_name()) is task:
                del self._tasks[task.get_name()]
            else:
                continue  # given up when it did not stop in time: its outcome is recorded
            if not task.cancelled() and (error := task.exception()) is not None:
                await self._broke(task.get_name(), error)
        self._give_up_stopping()

    async def _broke(self, target: str, error: BaseException) -> None:
        """The work on one target broke on our side: its outcome is what can be known, the others go on.

        Raises:
            StateBroken: Our own state cannot be written: nothing can go on.
        """
        if isinstance(error, StateBroken) or target not in self.rollout.running:
            raise error
        row = self.desk.view.targets[target]
        said = short(f"the work on it broke in ondeck itself ({type(error).__name__}: {error})")
        outcome = Outcome.UNKNOWN if row.in_doubt else Outcome.NOT_STARTED
        attempt = row.attempt if row.in_doubt else ""
        await self._ended(target, Finding(outcome=outcome, evidence=said), attempt, Clock())

    async def _stand(self, why: str) -> None:
        """Nothing is in flight: say once why it stands and what may be asked."""
        if self._standing == why:
            return
        self._standing = why
        if self._credentials:
            await self.desk.record(Waiting(on=WaitingFor.CREDENTIALS, detail=self._credentials))
            self._herald.tell("waiting for credentials", self._credentials)
        else:
            by = self._paused_by if why == _by_hand(self._paused_by) else ""
            await self.desk.record(Paused(why=why, by=by))
            if not self._paused_by:
                self._herald.tell("paused", why)

    # --- one target

    async def _target(self, target: str) -> None:
        attempt = self._next_attempt(target)
        emit = self.desk.emit(target)
        clock, intended, sent = Clock(), False, False

        async def work() -> Finding:
            nonlocal sent
            sent = True
            return await self.applying.apply(attempt, emit)

        try:
            if target not in self._checked and (finding := await self._cannot_begin(target)):
                await self._ended(target, finding, "", clock)
                return
            intended = True
            await self.desk.record(
                AttemptIntended(attempt=attempt.id, target=target, number=self._number(target))
            )
            finding = await observed(work)
        except CredentialsEnded as error:
            await self._void(attempt, str(error), intended=intended)
            return
        except asyncio.CancelledError:
            finding = _cut(intended=intended, sent=sent)
        finally:
            emit.closed = True
            self.desk.end_output(target)
        await self._ended(target, finding, attempt.id if intended else "", clock)

    def _number(self, target: str) -> int:
        return self.desk.view.targets[target].attempts + 1

    def _next_attempt(self, target: str) -> Attempt:
        job = self.desk.at.id
        return Attempt(id=attempt_id(job, target, self._number(target)), job=job, target=target)

    async def _ended(self, target: str, finding: Finding, attempt: str, clock: Clock) -> None:
        if target not in self.rollout.running:
            return
        self.rollout.ended(target, finding.outcome)
        event = TargetEnded(
            target=target,
            outcome=finding.outcome,
            evidence=finding.evidence,
            attempt=attempt,
            status=finding.status,
            seconds=clock.seconds(),
        )
        self.desk.write(self.desk.ended(event))
        # The next target's intent stands behind this in the log, and is on disk before anything is
        # sent: one sync serves both.
        self.wake.set()
        await self.desk.synced()

    async def _void(self, attempt: Attempt, why: str, *, intended: bool) -> None:
        self.rollout.again(attempt.target)
        self._credentials = why
        self.rollout.hold("credentials ended")
        if intended:
            await self.desk.record(AttemptVoid(attempt=attempt.id, target=attempt.target, why=why))

    async def _cannot_begin(self, target: str) -> Finding | None:
        """Why a target must not be begun, its preconditions read again; None when all of them hold.

        Raises:
            CredentialsEnded: It could not be asked for want of credentials; the host is not to blame.
        """
        planned = tuple(p for p in self.desk.view.plan.draft.preconditions if p.target == target)
        if not planned:
            return None
        now = await asked(partial(self.applying.check, target))
        if isinstance(now, Finding):
            return now
        why = _differences(target, planned, now)
        return Finding(outcome=Outcome.NOT_STARTED, evidence=why) if why else None

    # --- gate

    async def _ask_gate(self, index: int, targets: tuple[str, ...]) -> None:
        try:
            gate = await self.applying.gate(targets)
        except asyncio.CancelledError:
            gate = Gate(passed=None, evidence="cancelled while it was asked")
        except Exception as error:  # noqa: BLE001 - the boundary to a provider: recorded as no data
            gate = Gate(passed=None, evidence=broken(error))
        self.rollout.gate(index, gate.passed)
        await self.desk.record(GateAnswered(index=index, passed=gate.passed, evidence=short(gate.evidence)))

    # --- requests

    async def _take_asks(self) -> None:
        for name, who, ask in self.desk.asks():
            refused = self._cannot(ask, who)
            await self.desk.taken(name, who, ask, refused)
            if not refused:
                await self._obey(ask, who)

    def _cannot(self, ask: Ask, who: str) -> str:
        match ask.what:
            case What.CANCEL | What.PAUSE:
                return ""
            case What.CONTINUE:
                if not self._standing:
                    return "somebody else let it go on" if ask.pause else "it is not paused"
                return "" if self._credentials else self._unsaid(ask, who)
            case What.CREDENTIALS:
                return "" if self._credentials else "it does not wait for credentials"
            case _:
                return f"{ask.what.value} makes no sense while the job runs"

    async def _obey(self, ask: Ask, who: str) -> None:
        match ask.what:
            case What.CANCEL:
                self.cancel(who, hard=ask.hard)
                if not ask.hard:
                    # Beside the loop: a tool that does not answer must not keep `cancel --now` waiting.
                    self._gently = asyncio.create_task(self._ask_to_stop())
            case What.PAUSE:
                self._paused_by = who
                self.rollout.hold(_by_hand(who))
            case What.CONTINUE if self._credentials:
                await self._lend(ask, who)
            case What.CONTINUE:
                self._standing = self._paused_by = ""
                accepted = self.rollout.go_on()
                if accepted is not None:
                    await self.desk.record(GateAccepted(index=accepted, by=who, reason=short(ask.reason)))
                await self.desk.record(Continued(why=f"continued by {who}"))
            case What.CREDENTIALS:
                await self._lend(ask, who)

    def cancel(self, who: str, *, hard: bool) -> None:
        """Start nothing more; hard stops what is in flight as well, once, and what stops gently once more."""
        self.cancelled_by = self.cancelled_by or who
        self.rollout.stop(Ended.CANCELLED)
        if self._gate is not None:
            self._gate.cancel()
        gentle = isinstance(self.applying, StopsGently)
        if hard and (gentle or not self._hard):
            self._hard = True
            for task in self._tasks.values():
                task.cancel()
            self._stop_by = asyncio.get_running_loop().time() + self.settings.seconds(self._stop_seconds())

    def _stop_seconds(self) -> float:
        own = self.applying.stop_seconds if isinstance(self.applying, StopsGently) else 0.0
        return max(STOP_SECONDS, own)

    async def _ask_to_stop(self) -> None:
        """What is in flight comes to its next safe point, where its tool has one; else it is awaited."""
        if not isinstance(self.applying, StopsGently):
            return
        for target in tuple(self.rollout.running):
            try:
                async with asyncio.timeout(self.settings.seconds(STOP_SECONDS)):
                    said = await self.applying.ask_to_stop(target)
            except Exception as error:  # noqa: BLE001 - the boundary to a provider: told, and it is awaited
                said = f"{target}: could not be asked to stop: {broken(error)}"
            if said:
                self.desk.note(said)

    def _give_up_stopping(self) -> None:
        """What did not stop in time is unknown: its task may no longer write."""
        if self._stop_by is None or asyncio.get_running_loop().time() < self._stop_by:
            return
        for target in tuple(self.rollout.running):
            row = self.desk.view.targets[target]
            evidence = f"it did not stop within {self._stop_seconds():.0f} s"
            self.rollout.ended(target, Outcome.UNKNOWN)
            self._tasks.pop(target, None)
            self.desk.write(
                TargetEnded(target=target, outcome=Outcome.UNKNOWN, evidence=evidence, attempt=row.attempt)
            )
        self._stop_by = None

    async def _lend(self, ask: Ask, who: str) -> None:
        """Open everything again with what was lent."""
        if socket := ask.env.get("SSH_AUTH_SOCK"):
            os.environ["SSH_AUTH_SOCK"] = socket
        try:
            self.applying = await self._reopen()
        except StateBroken:
            raise
        except Exception as error:  # noqa: BLE001 - the boundary to a provider: recorded, it waits on
            said = broken(error)
            self.desk.note(f"with the credentials that {who} lent it could not open: {said}")
            return
        self._credentials = self._standing = ""
        self.rollout.hold("")
        await self.desk.record(Continued(why=f"credentials lent by {who}"))


def _by_hand(who: str) -> str:
    return f"paused by {who}"


def _differences(target: str, planned: tuple[Precondition, ...], now: tuple[Precondition, ...]) -> str:
    current = {p.fact: p.expected for p in now}
    changed = [
        f"{p.fact} was {p.expected!r}, is {current[p.fact]!r}"
        if p.fact in current
        else f"{p.fact} cannot be read"
        for p in planned
        if current.get(p.fact) != p.expected
    ]
    return short(f"{target}: {', '.join(changed)}") if changed else ""


def _cut(*, intended: bool, sent: bool) -> Finding:
    """What is known of a target whose provider let the cancel through instead of telling what it saw."""
    if sent:
        text = "cancelled, and what became of it was not observed"
        return Finding(outcome=Outcome.UNKNOWN, evidence=text)
    outcome = Outcome.CANCELLED if intended else Outcome.NOT_STARTED
    return Finding(outcome=outcome, evidence="stopped before anything was sent")
