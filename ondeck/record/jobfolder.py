"""One job's folder: its names, its claim, and reading it."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from ondeck.errors import BadInput, StateBroken
from ondeck.job import plan as plans
from ondeck.job.consent import Given
from ondeck.job.events import Ask, Event
from ondeck.record import folder
from ondeck.record.journal import Tail
from ondeck.record.view import JobView, empty, fold, lose

_STAMP = "%y%m%d-%H%M%S"
EDITED = "its plan.json was edited: it is not the plan that was confirmed and run"
_FIRST = 946_684_800 * 10**9  # 2000-01-01, ns


def new_id(now: int) -> str:
    """Sortable and readable: `241124-033012-7c1e`, UTC, the last part in 1/65536 s; mkdir makes it unique."""
    return f"{first_id(now)}-{now % 10**9 * 65536 // 10**9:04x}"


def first_id(at: int) -> str:
    """What every id made at that time (ns) or later sorts behind; ids begin in 2000."""
    if at < _FIRST:
        return ""
    return f"{datetime.fromtimestamp(at / 1e9, UTC):{_STAMP}}"


def time_of(job: str) -> int:
    """When an id was made, in ns; 0 when it does not say."""
    try:
        return int(datetime.strptime(job[:13], _STAMP).replace(tzinfo=UTC).timestamp()) * 10**9
    except ValueError:
        return 0


class JobFolder:
    """The folder of one job. Only the worker that holds `alive` writes the log."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.id = path.name
        self.plan = path / "plan.json"
        self.given = path / "consent.json"
        self.inventory = path / "inventory.json"
        self.events = path / "events.log"
        self.alive = path / "alive"
        self.asks = path / "asks"
        self.out = path / "out"
        self.log = path / "worker.log"

    @classmethod
    def claim(cls, jobs: Path) -> JobFolder:
        """Make a new folder with an id that never was.

        Raises:
            StateBroken: It cannot be made.
        """
        while True:
            path = jobs / new_id(time.time_ns())
            try:
                path.mkdir(mode=folder.PRIVATE_FOLDER)
            except FileExistsError:
                continue
            except OSError as error:
                raise folder.broken(path, error) from error
            made = cls(path)
            folder.ensure(made.asks)
            folder.ensure(made.out)
            return made

    def give_up(self) -> None:
        """Remove a folder that never became a job; what cannot be removed stays."""
        shutil.rmtree(self.path, ignore_errors=True)

    def read_given(self) -> Given:
        """The stored consent.

        Raises:
            StateBroken: It is not there or not readable.
        """
        try:
            return msgspec.json.decode(folder.read_private(self.given), type=Given)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise StateBroken(f"{self.given} is damaged: {error}") from error

    def is_alive(self) -> bool:
        """True while a worker holds this job; the kernel answers, not a pid file."""
        return folder.is_held(self.alive)

    def hold(self) -> int | None:
        """Take the worker's place: a locked descriptor to hand on, or None when a worker lives.

        Raises:
            StateBroken: The file cannot be opened.
        """
        fd = folder.open_private(self.alive, os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return None
        return fd

    def blank(self) -> JobView:
        """The view before any event.

        Raises:
            StateBroken: Plan or consent cannot be read, so this folder was never a job.
        """
        stored = folder.read_private(self.plan)
        given = self.read_given()
        try:
            plan = plans.decode(stored)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise StateBroken(f"{self.plan} is damaged: {error}") from error
        view = empty(
            self.id,
            plan,
            plans.digest(stored),
            actor=given.actor,
            reason=given.consent.reason,
            made=given.made,
        )
        if view.digest != given.plan:
            view.wrong = (EDITED,)
        view.break_glass = given.decision == "break-glass"
        return view

    def view(self) -> JobView:
        """The job as it stands now.

        Raises:
            StateBroken: It cannot be read.
        """
        # First who lives, then what is written: a worker that ends in between has written its end.
        alive = self.is_alive()
        view, tail = self.blank(), Tail(self.events)
        fold(view, tail.read())
        if not alive and not view.over:
            fold(view, tail.read())
        view.torn, view.damaged = (0 if alive else tail.torn), tail.damaged
        return view if alive else lose(view)

    def events_after(self, count: int) -> list[Event]:
        """Every event from the given number on."""
        return Tail(self.events).read()[count:]

    def ask(self, ask: Ask) -> str:
        """Leave a request; its id.

        Raises:
            StateBroken: It cannot be written.
        """
        name = f"{time.time_ns():020d}-{secrets.token_hex(3)}"
        folder.write_new(self.asks / f"{name}.json", msgspec.json.encode(ask))
        return name

    def asks_left(self) -> list[tuple[str, int, Ask]]:
        """Requests with their id and the user id of who left them, oldest first."""
        found = []
        # Asked at every turn of a worker and nearly always empty: cheaper than a glob.
        for name in sorted(os.listdir(self.asks)):  # noqa: PTH208
            path = self.asks / name
            if name.startswith(".") or path.suffix != ".json":
                continue
            try:
                data = folder.read_private(path, limit=64 << 10)
                found.append((path.stem, path.lstat().st_uid, msgspec.json.decode(data, type=Ask)))
            except (msgspec.DecodeError, UnicodeDecodeError, StateBroken, FileNotFoundError):
                path.rename(path.with_suffix(".unreadable"))
        return found


def valid_id(job: str) -> str:
    """The id, when it is one.

    Raises:
        BadInput: It could not be the id of a job.
    """
    if not job or not all(c.isascii() and (c.isalnum() or c == "-") for c in job):
        raise BadInput(f"{job!r} is not the id of a job", hint="see: ondeck jobs")
    return job
