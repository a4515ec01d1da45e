"""A job's turn at its lock: one change at a time on a thing, and who waits can be called off."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from ondeck.job.consent import Given
from ondeck.job.events import Continued, Ended, LockTaken, Waiting, What
from ondeck.job.outcome import WaitingFor
from ondeck.operate.admission import Stopped
from ondeck.operate.desk import Desk
from ondeck.operate.drive import POLL
from ondeck.record.lock import Lock, Owner
from ondeck.record.store import Record
from ondeck.settings import Settings


class Turn:
    """The lock that a job's plan names, as this worker sees it; a plan without one is always next."""

    def __init__(
        self, desk: Desk, record: Record, given: Given, settings: Settings, stop: Callable[[], bool]
    ) -> None:
        self._desk = desk
        self._record = record
        self._given = given
        self._settings = settings
        self._stop = stop
        self._key = desk.view.plan.draft.lock_key
        self._lock: Lock | None = None

    def take(self, in_doubt: Callable[[str], bool]) -> Owner | None:
        """Try once; None when it is ours or none is needed, else who is in the way."""
        if not self._key:
            return None
        lock = Lock(self._record.locks_root, self._key)
        other = lock.take(self._owner(), in_doubt)
        if other is None:
            self._lock = lock
        return other

    async def wait(self) -> None:
        """Until it is ours, for as long as who asked for the job allows.

        Raises:
            Stopped: It was called off, or the time is over.
            StateBroken: The lock's files cannot be used.
        """
        if not self._key:
            return
        loop, waiting = asyncio.get_running_loop(), ""
        until = loop.time() + self._given.lock_wait
        while (other := self.take(self._record.in_doubt)) is not None:
            held = f"{self._key} is locked by {_named(other)}"
            if self._stop() or await self._called_off():
                raise Stopped(Ended.CANCELLED, f"cancelled while it waited for the lock; {held}")
            if loop.time() >= until:
                raise Stopped(Ended.LOCKED, held + self._doubt(other))
            if held != waiting:
                waiting = held
                await self._desk.record(Waiting(on=WaitingFor.LOCK, detail=held))
            await asyncio.sleep(self._settings.seconds(POLL))
        await self._desk.record(LockTaken(key=self._key))
        if waiting:
            await self._desk.record(Continued(why="the lock is ours"))

    def let_go(self, *, clear: bool) -> None:
        """Give it to the next; without `clear` something is in doubt and the next has to find out first."""
        if self._lock is not None:
            self._lock.release(clear=clear)

    def _doubt(self, other: Owner) -> str:
        held = any(lock.held for lock in self._record.locks() if lock.key == self._key)
        return "" if held else f"; its outcome is in doubt: ondeck reconcile {other.job}"

    async def _called_off(self) -> bool:
        for name, who, ask in self._desk.asks():
            wanted = ask.what is What.CANCEL
            await self._desk.taken(name, who, ask, "" if wanted else "it waits for its lock")
            if wanted:
                return True
        return False

    def _owner(self) -> Owner:
        return Owner(
            key=self._key,
            job=self._desk.at.id,
            actor=self._given.actor,
            reason=self._given.consent.reason or self._desk.view.plan.title,
            since=self._given.made,
            pid=os.getpid(),
        )


def _named(other: Owner) -> str:
    return f"job {other.job or '?'} of {other.actor}: {other.reason or 'no reason given'}"
