"""What a worker writes on: the journal, the output files, and the requests that people leave."""

from __future__ import annotations

import os
import pwd
import time

import msgspec

from ondeck.counting import progress
from ondeck.job.events import DURABLE, Ask, Asked, Event, Note, Step, TargetEnded
from ondeck.operate.attempt import short
from ondeck.operate.syncing import SharedSync
from ondeck.record.jobfolder import JobFolder
from ondeck.record.journal import Fault, Journal
from ondeck.record.outputs import Output
from ondeck.record.view import JobView, fold

TELL_EVERY = 0.5
"""Seconds between two words of progress of one target."""


class Desk:
    """The one writer of a job, with the view that its own events fold into."""

    def __init__(self, at: JobFolder, fault: Fault) -> None:
        """Open the log as its one writer; the caller holds `alive`.

        Raises:
            StateBroken: It cannot be written or is damaged.
        """
        self.at = at
        self.journal = Journal(at.events, fault=fault)
        self.view: JobView = fold(at.blank(), at.events_after(0))
        self._outputs: dict[str, Output] = {}
        self._durable = SharedSync(self.journal.sync)
        self._lost: dict[str, tuple[int, str]] = {}

    @property
    def full(self) -> bool:
        """Our own disk has no room: begin nothing new."""
        return self.journal.full

    def write(self, event: Event) -> None:
        """Append without waiting for the disk: order is kept, a crash of the machine may lose it."""
        fold(self.view, [self.journal.append(event)])

    async def record(self, event: Event) -> None:
        """Append; what has to survive is on disk when this returns."""
        self.write(event)
        if isinstance(event, DURABLE):
            await self.synced()

    async def synced(self) -> None:
        """Everything written so far is on disk when this returns."""
        await self._durable.wait()

    def note(self, text: str) -> None:
        """Tell something that changes no state; the first thing given up on a full disk."""
        if not self.full:
            self.write(Note(text=short(text)))

    def asks(self) -> list[tuple[str, str, Ask]]:
        """Requests that were not taken in yet: id, who asked as the kernel says, request."""
        fresh = []
        for name, uid, ask in self.at.asks_left():
            if name not in self.view.asked:
                fresh.append((name, _who(uid, ask.by), ask))
        return fresh

    async def taken(self, name: str, who: str, ask: Ask, refused: str = "") -> None:
        """Record that a request was taken in, or why not; it is never taken twice."""
        await self.record(
            Asked(
                ask=name,
                what=ask.what.value,
                by=who,
                reason=short(ask.reason),
                target=short(ask.target),
                refused=refused,
            )
        )

    def output(self, target: str, data: bytes) -> None:
        """Keep what a target printed."""
        if target not in self._outputs:
            self._outputs[target] = Output(self.at.out, target)
        self._outputs[target].write(data)

    def emit(self, target: str) -> TargetEmit:
        """How a provider tells what happens on a target."""
        return TargetEmit(self, target)

    def end_output(self, target: str) -> None:
        """A target prints no more."""
        if target in self._outputs:
            output = self._outputs.pop(target)
            output.close()
            if output.lost:
                self._lost[target] = output.lost, output.why

    def ended(self, event: TargetEnded) -> TargetEnded:
        """The end of a target, with what was lost of its output."""
        lost, why = self._lost.pop(event.target, (0, ""))
        if not lost:
            return event
        text = f"{event.evidence}; output was cut: {why}, {lost} bytes lost"
        return msgspec.structs.replace(event, evidence=text, lost=lost)

    def close(self, *, ended: bool) -> None:
        """Close every file."""
        for target in list(self._outputs):
            self.end_output(target)
        self.journal.close(ended=ended)


class TargetEmit:
    """The `Emit` of one target."""

    def __init__(self, desk: Desk, target: str) -> None:
        self._desk = desk
        self._target = target
        self._told = 0.0
        self.closed = False

    def output(self, data: bytes, *, err: bool = False) -> None:
        """Output of the target's command; both streams go to one file, as on a terminal."""
        if not self.closed:
            self._desk.output(self._target, data)

    def step(self, text: str) -> None:
        """A line of progress."""
        if not self.closed and not self._desk.full:
            self._desk.write(Step(target=self._target, text=short(text)))

    def moved(self, done: float, total: float, unit: str = "") -> None:
        """How far it is; the last word of a row that came to its end is its outcome, so between is enough."""
        now = time.monotonic()
        if self.closed or self._desk.full or now - self._told < TELL_EVERY:
            return
        self._told = now
        share = min(done / total, 1.0) if total > 0 else None
        self._desk.write(Step(target=self._target, text=short(progress(done, total, unit)), share=share))


def _who(uid: int, said: str) -> str:
    """Who asked: what they say counts only for files of our own login."""
    if uid == os.geteuid() and said:
        return said
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
