"""The record of one state folder: jobs, output, locks, marks, audit. Faces read here; only a worker writes a job."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator

from ondeck.errors import BadInput, Refused, StateBroken
from ondeck.job.events import Ask, Event, JobEnded
from ondeck.job.outcome import Outcome
from ondeck.job.plan import work_of
from ondeck.job.spec import Risk
from ondeck.observe.records import Change
from ondeck.record import folder, marks, outputs
from ondeck.record.against import shortfall
from ondeck.record.audit import Audit
from ondeck.record.claim import PATIENCE
from ondeck.record.index import Found, Index
from ondeck.record.jobfolder import JobFolder, first_id, time_of, valid_id
from ondeck.record.journal import Tail
from ondeck.record.lock import Lock, LockView, views
from ondeck.record.view import JobView
from ondeck.settings import Settings

_SOON, _LATE = 0.05, 0.2
"""Seconds between two looks at a log: while it is written, and at most while nothing happens."""
_ENDING = 0.01
"""The last record is there: its worker is about to go."""


class Record:
    """What ondeck knows of its own doings."""

    def __init__(self, settings: Settings) -> None:
        """Check the state folder; makes nothing but the folder itself.

        Raises:
            StateBroken: It is not private, not ours, or cannot be made.
        """
        self.settings = settings
        self.root = folder.ensure(settings.state)
        self.jobs_root = self.root / "jobs"
        self.locks_root = self.root / "locks"
        self.plans_root = self.root / "plans"
        self.inventories_root = self.root / "inventories"
        self._patience = settings.seconds(PATIENCE)
        self.audit = Audit(self.root / "audit", self._patience)
        self._marks = self.root / "marks.log"
        self._index = Index(self.root / "index.db", self.jobs_root)

    def folder(self, job: str) -> JobFolder:
        """The folder of a job, named by its id or a unique end or beginning of it.

        Raises:
            BadInput: There is no such job, or several.
        """
        path = self.jobs_root / valid_id(job)
        if path.is_dir():
            return JobFolder(path)
        names = [p.name for p in self.jobs_root.glob("*") if p.name.startswith(job) or p.name.endswith(job)]
        if len(names) == 1:
            return JobFolder(self.jobs_root / names[0])
        if names:
            raise BadInput(f"{job!r} names {len(names)} jobs", hint=f"e.g. {', '.join(sorted(names)[-3:])}")
        raise BadInput(f"no job {job!r}", hint="see: ondeck jobs")

    def jobs(self, limit: int = 50) -> list[JobView]:
        """The newest jobs first; those that cannot be read are in `unread`."""
        return self._index.views(limit).views

    def newest(self, limit: int = 50) -> Found:
        """The newest jobs (0 means all) and those of them that cannot be read, in one look.

        Raises:
            StateBroken: The folder of jobs cannot be read.
        """
        return self._index.views(limit)

    def unread(self, limit: int = 50) -> dict[str, str]:
        """Of the newest jobs those that cannot be read, with why: a list without them would be a calm lie."""
        return self._index.views(limit).unread

    def job(self, job: str) -> JobView:
        """One job as it stands now.

        Raises:
            BadInput: There is no such job.
            StateBroken: It cannot be read.
        """
        return self.folder(job).view()

    def is_asked(self, job: str) -> bool:
        """Somebody asked something that no worker has taken in yet, and one lives that will.

        Raises:
            BadInput: There is no such job.
            StateBroken: It cannot be read.
        """
        at = self.folder(job)
        if not at.is_alive():
            return False
        taken = at.view().asked
        return any(name not in taken for name, _, _ in at.asks_left())

    async def follow(self, job: str, after: int = 0) -> AsyncGenerator[tuple[int, Event], None]:
        """Events with their number from `after` on, as they are written; ends when the job is over or lost.

        Raises:
            BadInput: There is no such job.
            StateBroken: It cannot be read.
        """
        at = self.folder(job)
        tail, pause = Tail(at.events), _SOON
        while True:
            alive = at.is_alive()
            before = tail.count
            events = tail.read()
            for number, event in enumerate(events, start=before):
                if number >= after:
                    yield number, event
            if not events and not alive:
                return
            pause = _SOON if events else min(_LATE, pause * 1.5)
            ending = bool(events) and isinstance(events[-1], JobEnded)
            await asyncio.sleep(self.settings.seconds(_ENDING if ending else pause))

    def output(self, job: str, target: str, offset: int = 0, limit: int = 65536) -> outputs.Part:
        """What a target printed, from a place on; raw: make it safe before it is shown.

        Raises:
            BadInput: There is no such job.
        """
        return outputs.read(self.folder(job).out, target, offset, limit)

    def output_stamp(self, job: str, target: str) -> tuple[int, int]:
        """Bytes a target printed so far and when the last of them were written (ns): tells if `output` differs.

        Raises:
            BadInput: There is no such job.
            StateBroken: It cannot be looked at.
        """
        return outputs.stamp(self.folder(job).out, target)

    def ask(self, job: str, ask: Ask) -> str:
        """Leave a request to a living job; its id. For a job that is over use `reconcile.tend`.

        Raises:
            BadInput: There is no such job.
            Refused: Nobody is there to take it.
            StateBroken: It cannot be written.
        """
        at = self.folder(job)
        if not at.is_alive():
            raise Refused(
                f"no worker holds job {at.id}, so nobody would answer", hint=f"ondeck reconcile {at.id}"
            )
        return at.ask(ask)

    def remembered(self, key: str) -> str:
        """A fact that ended jobs left, e.g. `last-good checkout@prod`; empty when unknown."""
        return self._index.facts().get(key, "")

    def facts(self) -> dict[str, str]:
        """Every such fact, in one look; for who needs several."""
        return self._index.facts()

    def mark(self, subject: str, text: str, *, who: str = "", time: int = 0) -> None:
        """Note that something happened outside of ondeck.

        Raises:
            StateBroken: It cannot be written.
        """
        stamp = time or _now()
        mark = marks.Mark(time=stamp, subject=subject, text=text, who=who or self.settings.actor)
        marks.add(self._marks, mark, self._patience)

    def changes(self, since: int) -> list[Change]:
        """Own jobs that changed something, and marks, since a time (ns), newest first.

        Raises:
            StateBroken: Something could not be read: an empty list would say that nothing changed.
        """
        # A job may begin long after it was made (locks, approvals): look a day further back by its id.
        jobs = self._index.views(after=first_id(max(0, since - _DAY)))
        found = [_change(view) for view in jobs.views if view.plan.draft.risk is not Risk.READ]
        found += [_unreadable(name, why) for name, why in jobs.unread.items()]
        read, complete = marks.read(self._marks)
        if not complete:
            raise StateBroken(f"{self._marks} is damaged", hint="move it away; marks begin anew")
        for mark in read:
            env = mark.subject.rpartition("@")[2] if "@" in mark.subject else ""
            found.append(
                Change(
                    time=mark.time, env=env, kind="mark", subject=mark.subject, text=mark.text, who=mark.who
                )
            )
        return sorted((c for c in found if c.time >= since), key=lambda c: c.time, reverse=True)

    def shortfall(self, view: JobView) -> str:
        """What the audit or the log itself says that the log lacks; empty when nothing is known to be missing.

        Raises:
            StateBroken: The audit cannot be read.
        """
        return view.short or shortfall(self.audit, view)

    def wrong(self, view: JobView) -> tuple[str, ...]:
        """Everything that is wrong with a job's folder, also by what the audit knows; to be said loudly."""
        try:
            short = self.shortfall(view)
        except StateBroken as error:
            short = f"its log could not be held against the audit: {error.message}"
        return view.wrong if not short or short in view.wrong else (*view.wrong, short)

    def in_doubt(self, job: str) -> bool:
        """True while somebody has to find out what became of a job; a job nobody can read is in doubt."""
        try:
            return self.job(job).unsettled
        except BadInput:
            return False
        except StateBroken:
            return True

    def locks(self) -> list[LockView]:
        """Every lock that is not free.

        Raises:
            StateBroken: They cannot be read.
        """
        return views(self.locks_root, self.in_doubt)

    def unaudited(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Jobs that changed something and have no intent in the audit: since it begins, and from before.

        Raises:
            StateBroken: Jobs or audit cannot be read.
        """
        first = 0
        intents = set()
        for entry in self.audit.entries():
            first = first or entry.at
            if entry.phase == "intent":
                intents.add(entry.job)
        found = [v for v in self._index.views().views if _has_changed(v) and v.id not in intents]
        missing = tuple(sorted(v.id for v in found if v.started >= first))
        return missing, tuple(sorted(v.id for v in found if v.started < first))

    def break_lock(self, key: str, *, typed: str, reason: str) -> None:
        """Free the lock of a job that is over, against its doubt. Audited.

        Raises:
            BadInput: The key was not typed, or no reason was given.
            Refused: A living worker holds it.
            StateBroken: Audit or lock cannot be written.
        """
        if typed != key or not reason.strip():
            raise BadInput(
                "to break a lock type its key and give a reason", hint=f"--confirm {key} --reason WHY"
            )
        self.audit.append("lock-break", actor=self.settings.actor, subject=key, reason=reason)
        if not Lock(self.locks_root, key).break_open():
            raise Refused(f"a living job holds {key!r}", hint="see: ondeck lock ls; then: ondeck cancel JOB")


_DAY = 86_400 * 10**9  # ns


def _now() -> int:
    return time.time_ns()


def _unreadable(name: str, why: str) -> Change:
    """A job of which only the time is known is still something that happened."""
    return Change(
        time=time_of(name), env="", kind="job", subject=name, text=f"cannot be read: {why}", job=name
    )


def _has_changed(view: JobView) -> bool:
    begun = any(row.attempts for row in view.targets.values())
    return begun and view.plan.draft.risk is not Risk.READ


def _change(view: JobView) -> Change:
    outcome = view.outcome.value if view.outcome else view.state.value
    ended = "" if view.outcome is Outcome.SUCCEEDED else f" ({outcome.replace('_', ' ')})"
    of_hosts = "@" not in view.plan.request.subject
    return Change(
        time=view.started or view.made,
        env=view.plan.request.env,
        kind=view.plan.request.operation.rpartition(".")[2],
        subject=view.plan.request.subject,
        text=f"{work_of(view.plan)}{ended}",
        host=view.plan.targets[0] if of_hosts and len(view.plan.targets) == 1 else "",
        who=view.people,
        job=view.id,
    )
