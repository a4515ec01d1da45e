"""A quick list of ended jobs: a cache in SQLite over the job folders. Delete it and it comes back."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import msgspec

from ondeck.errors import StateBroken
from ondeck.record.folder import PRIVATE_FILE
from ondeck.record.jobfolder import JobFolder
from ondeck.record.view import JobView

T = TypeVar("T")

_VERSION = 1
_TABLES = """
create table if not exists jobs (id text primary key, size integer, changed integer, view blob);
create table if not exists facts (key text, job text, at integer, value text, primary key (key, job));
create index if not exists facts_by_key on facts (key, at);
"""


_FEW = 500
"""Ids that are asked for one by one; above that the whole table is read."""


class Found(msgspec.Struct):
    """Jobs that could be read, and why the others could not, by id."""

    views: list[JobView]
    unread: dict[str, str]


class Index:
    """The index of one state folder. Whatever is wrong with it, the folders still answer."""

    def __init__(self, path: Path, jobs: Path) -> None:
        self._path = path
        self._jobs = jobs

    def views(self, limit: int = 0, *, after: str = "") -> Found:
        """The newest jobs, newest first.

        Args:
            limit: How many; 0 means all.
            after: Only ids that sort behind this one; ids begin with the time they were made at.
        """
        names = sorted((name for name in self._names() if name > after), reverse=True)
        wanted = names[:limit] if limit else names
        return self._with(lambda database: self._read(database, wanted))

    def facts(self) -> dict[str, str]:
        """The newest value of every fact that ended jobs left, in one look at the folders."""

        def ask(database: sqlite3.Connection | None) -> dict[str, str]:
            views = self._read(database, self._names(), facts_only=database is not None).views
            if database is None:
                kept = sorted((v.ended, key, value) for v in views for key, value in v.remembered.items())
                return {key: value for _, key, value in kept}
            rows = database.execute("select key, value from facts order by at, job")
            return {str(key): str(value) for key, value in rows}

        return self._with(ask)

    def _names(self) -> list[str]:
        try:
            with os.scandir(self._jobs) as entries:
                return [e.name for e in entries if e.is_dir(follow_symlinks=False)]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StateBroken(f"{self._jobs} cannot be read: {error.strerror}") from error

    def _with(self, ask: Callable[[sqlite3.Connection | None], T]) -> T:
        try:
            with self._open() as database:
                return ask(database)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                return self._anew(ask)
            # Somebody is at it and does not let go: the folders answer, and nothing is taken from under him.
            return ask(None)
        except (sqlite3.Error, msgspec.DecodeError, UnicodeDecodeError):
            return self._anew(ask)

    def _anew(self, ask: Callable[[sqlite3.Connection | None], T]) -> T:
        # Only a cache: throw it away, answer from the folders, and it is built again next time.
        with suppress(OSError):
            for suffix in ("", "-wal", "-shm", "-journal"):
                self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
        return ask(None)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, timeout=0.5)) as database:
            if database.execute("pragma user_version").fetchone()[0] != _VERSION:
                database.executescript("drop table if exists jobs; drop table if exists facts;" + _TABLES)
                database.execute(f"pragma user_version = {_VERSION}")
                self._path.chmod(PRIVATE_FILE)
            yield database
            database.commit()

    def _read(
        self, database: sqlite3.Connection | None, names: list[str], *, facts_only: bool = False
    ) -> Found:
        known = {} if database is None else _known(database, names, facts_only=facts_only)
        found = Found(views=[], unread={})
        for name in names:
            folder = JobFolder(self._jobs / name)
            stamp = _stamp(folder)
            row = known.get(name)
            if row is not None and row[:2] == stamp:
                if not facts_only:
                    found.views.append(msgspec.msgpack.decode(row[2], type=JobView))
                continue
            try:
                view = folder.view()
            except StateBroken as error:
                found.unread[name] = error.message
                continue
            found.views.append(view)
            if database is not None and view.over and not view.lost:
                _keep(database, view, stamp)
        return found


def _known(
    database: sqlite3.Connection, names: list[str], *, facts_only: bool
) -> dict[str, tuple[int, int, bytes]]:
    column = "null" if facts_only else "view"
    select = f"select id, size, changed, {column} from jobs"
    if len(names) > _FEW:
        return {row[0]: row[1:] for row in database.execute(select)}
    marks = ",".join("?" * len(names))
    return {row[0]: row[1:] for row in database.execute(f"{select} where id in ({marks})", names)}


def _stamp(folder: JobFolder) -> tuple[int, int]:
    try:
        found = (folder.events.stat(), folder.plan.stat())
    except OSError:
        return (0, 0)
    return (sum(facts.st_size for facts in found), max(facts.st_mtime_ns for facts in found))


def _keep(database: sqlite3.Connection, view: JobView, stamp: tuple[int, int]) -> None:
    database.execute(
        "insert or replace into jobs values (?, ?, ?, ?)", (view.id, *stamp, msgspec.msgpack.encode(view))
    )
    for key, value in view.remembered.items():
        database.execute(
            "insert or replace into facts values (?, ?, ?, ?)", (key, view.id, view.ended, value)
        )
