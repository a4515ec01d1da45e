"""The worker: a process for one job, without a terminal, the only writer of its folder.

`python -I -m ondeck.operate.worker JOBDIR ALIVE_FD`, with one handshake message on its standard input.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import msgspec

from ondeck import streams, times
from ondeck.errors import OndeckError, StateBroken
from ondeck.inventory.model import Inventory
from ondeck.job.consent import Given
from ondeck.job.events import (
    Ask,
    Ended,
    JobEnded,
    JobStarted,
    LogShort,
    Mode,
    Opened,
    Remembered,
    Resumed,
    Step,
    TargetEnded,
    What,
)
from ondeck.job.outcome import Outcome
from ondeck.job.plan import work_of
from ondeck.job.spec import Risk
from ondeck.operate import admission, again, policy, seal
from ondeck.operate.admission import Stopped
from ondeck.operate.aftermath import Aftermath, came_through
from ondeck.operate.attempt import broken, honest, short
from ondeck.operate.bench import WorkBench
from ondeck.operate.desk import Desk
from ondeck.operate.drive import Drive
from ondeck.operate.herald import TELL_SECONDS, Herald
from ondeck.operate.launch import Handshake
from ondeck.operate.ports import Applying
from ondeck.operate.rollout import Rollout
from ondeck.operate.turn import Turn
from ondeck.record.folder import read_private
from ondeck.record.jobfolder import JobFolder
from ondeck.record.journal import Fault, no_fault
from ondeck.record.store import Record
from ondeck.record.view import doubtful
from ondeck.registry import Manifest, Registry
from ondeck.secret import Secret


def fault_at(text: str) -> Fault:
    """The hook of the kill tests: `N` dies right after record N was written, `N-` right before."""
    if not text:
        return no_fault
    wanted, after = int(text.rstrip("-")), not text.endswith("-")

    def fault(number: int, written: bool) -> None:
        if number == wanted and written is after:
            os.kill(os.getpid(), signal.SIGKILL)

    return fault


class Worker:
    """One life of a worker."""

    def __init__(self, at: JobFolder, hand: Handshake) -> None:
        self.at = at
        self.hand = hand
        self.settings = hand.settings()
        self.record = Record(self.settings)
        self.given: Given = at.read_given()
        stored = read_private(at.inventory)
        self.inventory = msgspec.json.decode(stored, type=Inventory)
        self.inventory_digest = seal.digest(stored)
        self.desk = Desk(at, fault_at(hand.fault))
        # Before the first record of this life: what it adds must not fill up what is missing.
        self.short = "" if hand.mode is Mode.RUN else self.record.shortfall(self.desk.view)
        self.plan = self.desk.view.plan
        self.registry = _registry(hand.manifests)
        self.secrets = {
            reference: Secret(value, ends=hand.ends.get(reference, 0))
            for reference, value in hand.secrets.items()
        }
        self.bench = self._new_bench()
        self.herald = self._new_herald()
        self.turn: Turn | None = None
        self.stack = AsyncExitStack()
        self.drive: Drive | None = None
        self.asked_to_stop = ""
        self.untidy = ""
        self.changing = self.plan.draft.risk is not Risk.READ

    def _new_herald(self) -> Herald:
        seconds = self.settings.seconds(TELL_SECONDS)
        return Herald(self.desk, self.hand.route, self.given.actor, seconds)

    def _new_bench(self) -> WorkBench:
        return WorkBench(self.inventory, self.registry, self.record, self.settings, self.secrets)

    async def live(self) -> None:
        """From the first record to the last."""
        self._signals()
        await self.desk.record(JobStarted(mode=self.hand.mode, pid=os.getpid(), boot=_boot_id()))
        if self.short:
            await self.desk.record(LogShort(text=self.short))
        try:
            why, summary = await self._work()
        except Stopped as stopped:
            why, summary = stopped.why, stopped.summary
        except OndeckError as error:
            why, summary = Ended.BROKEN, error.message
        except Exception as error:  # noqa: BLE001 - the last boundary: recorded, and the job ends in order
            traceback.print_exc()
            why, summary = Ended.BROKEN, f"the job broke: {broken(error)}"
        finally:
            await self._close()
        await self._end(why, summary)

    def _tell_the_end(self, outcome: Outcome, why: Ended, summary: str) -> None:
        """A change that did not come to its end needs a person; who reconciles is one."""
        broken = outcome in _NEEDS_PERSON or why is Ended.BROKEN
        if broken and self.changing and self.hand.mode is not Mode.RECONCILE:
            self.herald.tell(outcome.value, summary)

    async def _work(self) -> tuple[Ended, str]:
        if self.hand.mode is Mode.RECONCILE:
            return await self._reconcile()
        first = self.given.actor
        asked = self._take_over() if self.hand.mode is Mode.RESUME else None
        self._check_again()
        if asked is not None:
            await self._resumed(*asked)
        begun = f", begun by {first}" if first != self.given.actor else ""
        resumed = f"resumed by {self.given.actor}{begun}" if asked else ""
        said = (resumed, short(work_of(self.plan)), self.settings.rules_from)
        await self._audit("intent", "; ".join(filter(None, said)))
        for reference, secret in self.secrets.items():
            if secret.ends:
                self.desk.note(f"secret {reference} ends {times.iso(secret.ends)}")
        await self._turn().wait()
        try:
            applying = await self._open()
        except TimeoutError as error:
            raise Stopped(
                Ended.BROKEN, "the connections could not be opened in time; nothing was changed"
            ) from error
        return await self._run(applying)

    def _take_over(self) -> tuple[str, Ask]:
        """Id of the request to go on, and the request; its consent counts from here on where it is needed."""
        left = [(name, who, ask) for name, who, ask in self.desk.asks() if ask.what is What.CONTINUE]
        if not left:
            raise Stopped(Ended.REFUSED, "nobody asked that it goes on")
        name, who, ask = left[-1]
        try:
            floor = policy.floor_of(self.settings)
            rules = policy.digest(self.inventory, floor, self.plan.request.env)
            self.given = again.taken_over(self.given, self.desk.view, ask, who=who, rules=rules)
        except OndeckError as error:
            raise Stopped(Ended.REFUSED, f"{error.message}: ondeck continue {self.at.id}") from error
        self.herald = self._new_herald()
        return name, ask

    async def _resumed(self, last: str, ask: Ask) -> None:
        """Tell it. What was asked before that of the worker that died is over."""
        for name, who, earlier in self.desk.asks():
            if name > last:
                break
            await self.desk.taken(name, who, earlier, "" if name == last else "the job went on after it")
        reason = short(ask.reason or self.given.consent.reason)
        await self.desk.record(Resumed(by=self.given.actor, decision=self.given.decision, reason=reason))

    async def _reconcile(self) -> tuple[Ended, str]:
        ours = False
        if self.desk.view.unsettled or came_through(self.desk.view):
            ours = self._turn().take(partial(_of_others, self.record, self.at.id)) is None
        finish = self._finish if ours else None
        aftermath = Aftermath(self.desk, self.record.audit, self._open, finish, short=self.short)
        return Ended.BROKEN, await aftermath.find_out()

    # --- before the first change

    def _check_again(self) -> None:
        """What the face checked, checked by who acts: bytes, rules, consent."""
        self._check_bytes()
        if self.short and doubtful(self.desk.view):
            raise Stopped(Ended.REFUSED, self.short)
        if self.desk.view.in_doubt:
            names = ", ".join(self.desk.view.in_doubt)
            raise Stopped(
                Ended.REFUSED, f"find out first what became of {names}: ondeck reconcile {self.at.id}"
            )
        try:
            risk = admission.admitted(self.plan, self.given, self.inventory, self.registry, self.settings)
        except OndeckError as error:
            raise Stopped(Ended.REFUSED, error.message) from error
        self.changing = risk is not Risk.READ
        if self.given.decision == "break-glass":
            self.desk.note(f"BREAK-GLASS by {self.given.actor}: {self.given.consent.reason}")
            self.herald.tell("started with break-glass", self.given.consent.reason)

    def _check_bytes(self) -> None:
        """The plan and the inventory are those that were confirmed; also before anybody is asked anything."""
        wrong = admission.tampered(self.at, self.desk.view, self.given, self.inventory_digest)
        if wrong:
            raise Stopped(Ended.REFUSED, wrong)

    async def _audit(self, phase: str, text: str = "") -> None:
        request, given = self.plan.request, self.given
        try:
            await self.desk.synced()
            await asyncio.to_thread(
                self.record.audit.append,
                phase,
                actor=given.actor,
                uid=given.uid,
                ssh=given.ssh,
                tty=given.tty,
                job=self.at.id,
                operation=request.operation,
                subject=request.subject,
                env=request.env,
                plan=given.plan,
                decision=given.decision,
                reason=given.consent.reason,
                text=text,
                records=self.desk.journal.count,
            )
        except StateBroken as error:
            said = f"{error.message}; {error.hint}" if error.hint else error.message
            if phase == "intent" and self.changing:
                raise Stopped(
                    Ended.REFUSED, f"the audit cannot be written, so nothing was changed: {said}"
                ) from error
            self.desk.note(f"the audit could not be written: {said}")

    def _turn(self) -> Turn:
        """Made when it is needed: whoever takes a job over gives their own consent first."""
        self.turn = Turn(self.desk, self.record, self.given, self.settings, self._cancel_asked)
        return self.turn

    async def _open(self) -> Applying:
        self._check_bytes()
        operator = self.registry.load(self.plan.provider, "operator")
        applying: Applying = await self.stack.enter_async_context(operator.open(self.plan, self.bench))
        return applying

    async def _reopen(self) -> Applying:
        await self.stack.aclose()
        await self.bench.aclose()
        self.stack, self.bench = AsyncExitStack(), self._new_bench()
        return await self._open()

    # --- the run

    async def _run(self, applying: Applying) -> tuple[Ended, str]:
        done = {
            name: row.outcome
            for name, row in self.desk.view.targets.items()
            if row.outcome is not None and row.outcome not in (Outcome.NOT_STARTED, Outcome.CANCELLED)
        }
        rollout = Rollout(self.plan.draft.rollout, done)
        await self._ready(applying, rollout)
        unsaid = again.checker(self.inventory, self.registry, self.record, self.desk.view)
        self.drive = drive = Drive(
            self.desk, rollout, applying, self.settings, self._reopen, self.herald, unsaid
        )
        if self._cancel_asked():
            drive.cancel(self.asked_to_stop, hard=False)
        if stale := await drive.stale_before_start():
            raise Stopped(Ended.STALE, f"the world changed since the plan was made: {stale}")
        why = await drive.run()
        await self._name_the_rest(drive, why)
        if why is Ended.COMPLETE:
            await self._finish(drive.applying, rollout.passed())
        return why, self._summary()

    async def _ready(self, applying: Applying, rollout: Rollout) -> None:
        findings = {t: f for t, f in (await applying.ready()).items() if t in rollout.pending}
        for target, finding in findings.items():
            told = honest(finding)
            # Nothing was sent yet, so nothing can be unknown or done.
            outcome = told.outcome if told.outcome in _BEFORE else Outcome.UNREACHABLE
            rollout.ended(target, outcome)
            await self.desk.record(TargetEnded(target=target, outcome=outcome, evidence=told.evidence))
        await self.desk.record(Opened(ready=len(rollout.pending), left_out=len(findings)))

    async def _name_the_rest(self, drive: Drive, why: Ended) -> None:
        text = {
            Ended.CANCELLED: f"cancelled by {drive.cancelled_by} before it began",
            Ended.STOPPED: "our own disk is full" if self.desk.full else "too many others failed before it",
        }.get(why, "never begun")
        for target in drive.rollout.pending:
            drive.rollout.ended(target, Outcome.NOT_STARTED)
            self.desk.write(TargetEnded(target=target, outcome=Outcome.NOT_STARTED, evidence=text))

    async def _finish(self, applying: Applying, passed: tuple[str, ...]) -> None:
        def tell(text: str) -> None:
            if not self.desk.full:
                self.desk.write(Step(target="", text=short(text)))

        try:
            facts = await applying.finish(passed, tell)
        except Exception as error:  # noqa: BLE001 - the boundary to a provider: it shows in the job's end
            self.untidy = broken(error)
            self.desk.note(f"tidying up after the last batch failed: {self.untidy}")
            return
        for key, value in facts.items():
            await self.desk.record(Remembered(key=short(key), value=short(value)))

    def _summary(self) -> str:
        counts = ", ".join(f"{n} {word}" for word, n in self.desk.view.counts().items())
        gate = self.desk.view.last_gate
        words = {False: "; the last gate did not pass", None: "; the last gate had no data"}
        untidy = f"; after the last batch: {self.untidy}" if self.untidy else ""
        cut = self.desk.view.cut
        lost = f"; output of {len(cut)} targets was cut: {', '.join(cut[:5])}" if cut else ""
        return counts + (words.get(gate.verdict, "") if gate is not None else "") + untidy + lost

    # --- the end

    async def _end(self, why: Ended, summary: str) -> None:
        outcome = self._outcome(why)
        await self._audit("outcome", f"{outcome.value} ({why.value}): {summary}")
        if self.turn is not None:
            self.turn.let_go(clear=outcome is not Outcome.UNKNOWN)
        self._tell_the_end(outcome, why, summary)
        await self.herald.done()
        for name, who, ask in self.desk.asks():
            await self.desk.taken(name, who, ask, "the job had just ended")
        await self.desk.record(JobEnded(outcome=outcome, why=why, summary=short(summary)))
        self.desk.close(ended=True)

    def _outcome(self, why: Ended) -> Outcome:
        outcome = self.desk.view.verdict()
        if why is Ended.CANCELLED and outcome not in (Outcome.SUCCEEDED, Outcome.UNKNOWN):
            return Outcome.CANCELLED
        # Every target is fine and the work after them or what we wrote down is not: never a quiet green.
        untidy = self.untidy or self.desk.view.cut
        return Outcome.MIXED if untidy and outcome is Outcome.SUCCEEDED else outcome

    async def _close(self) -> None:
        try:
            async with asyncio.timeout(self.settings.seconds(20)):
                await self.stack.aclose()
                await self.bench.aclose()
        except Exception as error:  # noqa: BLE001 - the boundary to a provider: recorded, the job ends
            self.desk.note(f"closing the connections failed: {broken(error)}")

    def _cancel_asked(self) -> bool:
        return bool(self.asked_to_stop)

    def _signals(self) -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

        def terminated() -> None:
            self.asked_to_stop = "SIGTERM"
            self.desk.note("SIGTERM: nothing new is begun, what is in flight is awaited")
            if self.drive is not None:
                self.drive.cancel("SIGTERM", hard=False)
                self.drive.wake.set()

        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, terminated)


_NEEDS_PERSON = (
    Outcome.FAILED,
    Outcome.TIMED_OUT,
    Outcome.UNREACHABLE,
    Outcome.UNKNOWN,
    Outcome.MIXED,
)
_BEFORE = (Outcome.UNREACHABLE, Outcome.SKIPPED, Outcome.FAILED, Outcome.NOT_STARTED, Outcome.TIMED_OUT)


def _of_others(record: Record, own: str, job: str) -> bool:
    return job != own and record.in_doubt(job)


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""


def _registry(paths: tuple[str, ...]) -> Registry:
    if not paths:
        return Registry()
    import importlib

    given: list[Manifest] = list(Registry().manifests())
    for path in paths:
        module, _, attribute = path.partition(":")
        given.append(getattr(importlib.import_module(module), attribute))
    return Registry(given)


async def _live(worker: Worker) -> None:
    try:
        await worker.live()
    except Exception:
        # Its log may be gone with its folder: what is left of it must end all the same.
        traceback.print_exc()
        await _leave(worker, 1)
        raise
    await _leave(worker, 0)


async def _leave(worker: Worker, code: int) -> None:
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    if left:
        await asyncio.wait(left, timeout=worker.settings.seconds(2))
    if any(not task.done() for task in left):
        # A provider that is deaf to cancelling must not keep the job's lock.
        sys.stderr.write("a task did not end when it was cancelled; the worker leaves it behind\n")
        sys.stderr.flush()
        os._exit(code)


def main(argv: list[str], read: Callable[[], bytes] | None = None) -> int:
    """Take the handshake and live; the exit status is for the log only, the folder is what counts."""
    streams.fill()
    os.umask(0o077)
    at = JobFolder(Path(argv[1]))
    os.set_inheritable(int(argv[2]), False)
    message = (read or sys.stdin.buffer.read)()
    if not message:
        sys.stderr.write("no handshake: who started this worker died first; nothing was done\n")
        return 1
    hand = msgspec.json.decode(message, type=Handshake)
    os.environ.update(hand.lent)
    try:
        worker = Worker(at, hand)
        asyncio.run(_live(worker))
    except OndeckError as error:
        sys.stderr.write(f"{error}\n")
        return int(error.exit_code)
    return 0


if __name__ == "__main__":
    code = main(sys.argv)
    sys.stdout.flush()
    sys.stderr.flush()
    # Everything is recorded and closed: taking every module and connection apart is for nobody, and
    # whoever follows the job waits for it.
    os._exit(code)
