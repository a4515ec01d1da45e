"""A job as it goes: narration on standard error, its targets' output on standard output, an exit code."""

from __future__ import annotations

import asyncio
import signal
from contextlib import aclosing
from typing import TYPE_CHECKING

from ondeck import text
from ondeck.errors import ExitCode
from ondeck.job import events as ev
from ondeck.job.events import Ended
from ondeck.job.outcome import JobState, Outcome, WaitingFor
from ondeck.job.plan import undo_of
from ondeck.job.spec import Risk
from ondeck.record import outputs as printed
from tui.cli import out
from tui.narration import line_of

if TYPE_CHECKING:
    from ondeck.record.store import Record
    from ondeck.record.view import JobView
    from tui.cli.face import Face

_CHUNK = 65536
_PATIENCE = 10.0  # seconds that a job may wait for a person before a face without one leaves


class _Outputs:
    """What is new in the output of every target, a whole line at a time with the target before it.

    A target prints between the intent of its attempt and its end, so that only targets in flight are
    looked at: on many hosts the others would be most of the work.
    """

    def __init__(self, record: Record, job: str, targets: tuple[str, ...], face: Face) -> None:
        self._at = record.folder(job).out
        self._offsets: dict[str, int] = {}
        self._rest: dict[str, bytes] = {}
        self._printing: dict[str, None] = {}
        self._face = face
        self._width = max((len(t) for t in targets), default=0) if len(targets) > 1 else 0

    def note(self, event: ev.Event) -> None:
        """Print what stands before an event, and know who prints from here on."""
        if isinstance(event, ev.AttemptIntended):
            self._printing[event.target] = None
        elif isinstance(event, ev.TargetEnded):
            self._printing.pop(event.target, None)
            self._take(event.target, last=True)
        elif isinstance(event, ev.Step) and event.target in self._printing:
            self._take(event.target)

    def pump(self) -> None:
        """Print what arrived from targets in flight."""
        for target in self._printing:
            self._take(target)

    def finish(self) -> None:
        """Print what is left of targets whose end was not seen, also what has no newline yet."""
        for target in self._printing:
            self._take(target, last=True)

    def _take(self, target: str, *, last: bool = False) -> None:
        while (part := printed.read(self._at, target, self._offsets.get(target, 0), _CHUNK)).data:
            self._offsets[target] = part.end
            *whole, self._rest[target] = (self._rest.get(target, b"") + part.data).split(b"\n")
            if whole:
                self._print(target, whole)
        if last and (rest := self._rest.pop(target, b"")):
            self._print(target, [rest])

    def _print(self, target: str, lines: list[bytes]) -> None:
        head = f"{target:{self._width}}  " if self._width else ""
        self._face.data("".join(f"{head}{text.decode(line)}\n" for line in lines))


class _Follower:
    def __init__(self, face: Face, job: str, form: str) -> None:
        self._face = face
        self._record = face.deck.record
        self._job = job
        self._form = form
        self._detached = asyncio.Event()
        self._stands = asyncio.Event()
        self._quiet = False

    async def run(self, timeout: float, *, waits: bool) -> bool:
        """Follow to the end; False when it was left before.

        Args:
            timeout: Seconds; 0 means for ever.
            waits: Stay while the job waits for a person; without it that is a reason to leave.
        """
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self._detached.set)
        following = asyncio.ensure_future(self._events())
        tasks = {following, asyncio.ensure_future(self._detached.wait())}
        if not waits:
            tasks.add(asyncio.ensure_future(self._left_alone()))
        try:
            done, _ = await asyncio.wait(tasks, timeout=timeout or None, return_when=asyncio.FIRST_COMPLETED)
            if following in done:
                following.result()
                return True
            return False
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            loop.remove_signal_handler(signal.SIGINT)

    async def _left_alone(self) -> None:
        """Ends once the job has been waiting for a person for a while; what was asked just now gets its time."""
        while True:
            await self._stands.wait()
            self._stands.clear()
            await asyncio.sleep(self._face.settings.seconds(_PATIENCE))
            while self._record.is_asked(self._job):  # noqa: ASYNC110 - a worker answers, not a task of ours
                await asyncio.sleep(self._face.settings.seconds(_PATIENCE))
            if waits_for_person(self._record.job(self._job)):
                return

    async def _events(self) -> None:
        view = self._record.job(self._job)
        self._quiet = view.plan.draft.risk is Risk.READ
        outputs = _Outputs(self._record, self._job, view.plan.targets, self._face)
        pumping = asyncio.ensure_future(self._pump(outputs)) if self._form == "text" else None
        try:
            async with aclosing(self._record.follow(self._job)) as events:
                async for _, event in events:
                    self._tell(event, outputs)
        finally:
            if pumping is not None:
                pumping.cancel()
                await asyncio.gather(pumping, return_exceptions=True)
                outputs.finish()

    async def _pump(self, outputs: _Outputs) -> None:
        while True:
            outputs.pump()
            await asyncio.sleep(self._face.settings.seconds(0.1))

    def _tell(self, event: ev.Event, outputs: _Outputs) -> None:
        if isinstance(event, (ev.Paused, ev.Waiting)):
            self._stands.set()
        if self._form == "jsonl":
            self._face.data(out.compact(event) + "\n")
            return
        if self._form == "text":
            outputs.note(event)
            if not (self._quiet and _goes_well(event)) and (line := line_of(event)):
                self._face.say(f"  {line}")


def waits_for_person(view: JobView) -> bool:
    """Nothing goes on until somebody says a word; a lock becomes free by itself."""
    if view.state is JobState.PAUSED:
        return True
    return view.state is JobState.WAITING and view.waiting_for is not WaitingFor.LOCK


def _goes_well(event: ev.Event) -> bool:
    """What a person who only reads need not be told."""
    if isinstance(event, ev.TargetEnded):
        return event.outcome is Outcome.SUCCEEDED and not event.lost
    return isinstance(event, (ev.Opened, ev.BatchStarted, ev.Step))


def follow(face: Face, job: str, *, form: str = "text", timeout: float = 0.0, no_input: bool = False) -> int:
    """Follow a job to its end, print how it ended; ctrl-c leaves it running.

    Args:
        face: The command line.
        job: Its id.
        form: `text`, `json` or `jsonl`.
        timeout: Seconds to stay; 0 means to the end.
        no_input: Nobody sits here: do not wait for a person's word.

    Returns:
        The exit code of its outcome; 130 when it was left before its end, 4 when it waits for a person
        and none sits here.
    """
    waits = face.may_ask and not no_input
    ended = asyncio.run(_Follower(face, job, form).run(face.settings.seconds(timeout), waits=waits))
    view = face.deck.record.job(job)
    if not ended and not waits and waits_for_person(view):
        how = view.waiting_for.value if view.waiting_for else view.pause or "paused"
        face.say(f"job {job} waits for a person: {how}")
        face.say(f"  go on with: ondeck continue {job}; or end it with: ondeck cancel {job}")
        return int(ExitCode.REFUSED)
    if not ended and not view.over:
        face.say(f"left; the job goes on. Follow it again with: ondeck attach {job}")
        return int(ExitCode.DETACHED)
    return conclude(face, view, form)


def conclude(face: Face, view: JobView, form: str) -> int:
    """Say how a job ended; its exit code."""
    say_wrong(face, view, face.deck.record.wrong(view))
    if form == "json":
        face.data(out.dumps(summary(view)) + "\n")
    elif form == "text":
        counts: dict[str, int] = {}
        for target in view.targets.values():
            word = target.outcome.value if target.outcome else "not_started"
            counts[word] = counts.get(word, 0) + 1
        face.say(
            f"job {view.id}: {_word(view)}  ({', '.join(f'{n} {w}' for w, n in sorted(counts.items()))})"
        )
        if view.people != view.actor:
            face.say(f"  by {view.people}")
        if view.outcome is Outcome.UNKNOWN:
            face.say(f"  find out with: ondeck reconcile {view.id}")
        if view.detail and view.lost:
            face.say(f"  {view.detail}")
        elif view.summary and (view.cut or view.why not in (None, Ended.COMPLETE)):
            face.say(f"  {view.summary}")
        if undo := _undo(view):
            face.say(f"  take it back: {undo}")
    return int(view.exit_code)


def say_wrong(face: Face, view: JobView, wrong: tuple[str, ...]) -> None:
    """Say that a job's folder is not as its worker left it: nothing else that is shown of it can be trusted."""
    for one in wrong:
        face.say(f"WRONG  job {view.id}: {one}")


def _undo(view: JobView) -> str:
    """The command that takes a job back; empty where there is none, or where nothing was done."""
    done = any(target.outcome is Outcome.SUCCEEDED for target in view.targets.values())
    undo = undo_of(view.plan, view.id)
    return undo if done and undo.startswith("ondeck ") else ""


def _word(view: JobView) -> str:
    return view.outcome.value if view.outcome else view.state.value


def summary(view: JobView) -> dict[str, object]:
    """A job as plain data for `-o json`."""
    return {
        "job": view.id,
        "operation": view.plan.request.operation,
        "subject": view.plan.request.subject,
        "env": view.plan.request.env,
        "state": view.state.value,
        "outcome": view.outcome.value if view.outcome else None,
        "actor": view.plan.request.actor,
        "continued_by": list(view.resumed),
        "targets": {
            name: {
                "outcome": target.outcome.value if target.outcome else None,
                "evidence": target.text,
                "status": target.status,
                "output_lost": target.lost,
            }
            for name, target in view.targets.items()
        },
    }
