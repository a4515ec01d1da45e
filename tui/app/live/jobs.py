"""Jobs, locks and own changes: read from the record by a small thread, so that no file makes a key wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import msgspec

from ondeck.errors import OndeckError
from ondeck.operate import wayback
from ondeck.record.journal import Tail
from ondeck.record.store import Record
from ondeck.record.view import JobView
from ondeck.text import safe_line
from tui.app.live.jobviews import job_look, note_of
from tui.app.views import Answer, JobLook, LockLook, RecordLook

HOUR = 3_600_000_000_000


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What the record said last."""

    jobs: tuple[JobLook, ...] = ()
    locks: tuple[LockLook, ...] = ()
    changes: Answer = Answer(source="own record")
    last_good: dict[str, str] = {}
    remembered: dict[str, str] = {}
    error: str = ""
    unread: tuple[tuple[str, str], ...] = ()


class LiveJobs:
    """Reads every half second while the app runs; `known` is swapped whole."""

    def __init__(self, record: Record, subjects: Callable[[], tuple[str, ...]], pause: float = 0.5) -> None:
        self._record = record
        self._subjects = subjects
        self._pause = pause
        self._stop = threading.Event()
        self._hurry = threading.Event()
        self._thread: threading.Thread | None = None
        self._notes: dict[str, tuple[Tail, list[tuple[int, str]]]] = {}
        self._watched: dict[str, float] = {}
        self._seen: Known | None = None
        self._read_at = 0
        self.known = Known()

    def start(self) -> None:
        """Begin."""
        self._thread = threading.Thread(target=self._run, name="ondeck-record", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End within one reading."""
        self._stop.set()
        self._hurry.set()

    def hurry(self) -> None:
        """Read now: something was started or asked."""
        self._hurry.set()

    def changed(self) -> bool:
        """True once after the record said something else."""
        known = self.known
        if known is self._seen:
            return False
        self._seen = known
        return True

    def look(self) -> RecordLook:
        """How old it is, and what of it cannot be read."""
        known = self.known
        return RecordLook(read_at=self._read_at, error=known.error, unread=known.unread)

    def job(self, name: str) -> JobLook | None:
        """One of the known jobs; its notes are read from now on."""
        self._watched[name] = time.monotonic()
        return next((job for job in self.known.jobs if job.id == name), None)

    def _run(self) -> None:
        while not self._stop.is_set():
            fresh = self._tried()
            if fresh != self.known:
                self.known = fresh
            self._hurry.wait(self._pause)
            self._hurry.clear()

    def _tried(self) -> Known:
        """What the record says; when it cannot be read, what it said last, and why it is old."""
        try:
            fresh = self._read()
        except Exception as error:  # noqa: BLE001 - the thread's boundary: shown as an error, and it goes on
            words = error.message if isinstance(error, OndeckError) else f"{type(error).__name__}: {error}"
            why = safe_line(words)
            changes = Answer(source="own record", error=why)
            return msgspec.structs.replace(self.known, changes=changes, error=why)
        self._read_at = time.time_ns()
        return fresh

    def _read(self) -> Known:
        found = self._record.newest(100)
        jobs = tuple(job_look(view, self._story(view)) for view in found.views)
        locks = tuple(
            LockLook(key=lock.key, owner=lock.actor, reason=lock.reason, job=lock.job, since=lock.since,
                     alive=lock.held)
            for lock in self._record.locks()
        )  # fmt: skip
        facts = self._record.facts()
        good = {subject: _last_good(facts, subject) for subject in self._subjects()}
        unread = tuple((name, safe_line(why)) for name, why in found.unread.items())
        return Known(
            jobs=jobs, locks=locks, changes=self._changes(), last_good=good, unread=unread, remembered=facts
        )

    def _changes(self) -> Answer:
        try:
            changes = self._record.changes(time.time_ns() - 24 * HOUR)
        except OndeckError as error:
            return Answer(source="own record", error=error.message)
        return Answer(source="own record", changes=tuple(changes))

    def _story(self, view: JobView) -> tuple[tuple[int, str], ...]:
        if time.monotonic() - self._watched.get(view.id, -60.0) > 10.0:
            self._notes.pop(view.id, None)
            return ()
        try:
            if view.id not in self._notes:
                self._notes[view.id] = (Tail(self._record.folder(view.id).events), [])
            tail, notes = self._notes[view.id]
            for event in tail.read():
                text = note_of(event)
                if text:
                    notes.append((event.at, text))
        except OndeckError as error:
            return ((0, f"its log cannot be read: {error.message}"),)
        del notes[:-60]
        return tuple(notes)


def _last_good(facts: dict[str, str], subject: str) -> str:
    found = wayback.read(facts.get(f"last-good {subject}", ""))
    return found[0].version if found else ""
