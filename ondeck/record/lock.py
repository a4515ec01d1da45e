"""One change at a time on a thing: a lock held by the worker's life, and kept while its outcome is in doubt."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, unquote

import msgspec

from ondeck.errors import StateBroken
from ondeck.record import folder

REACH = "only against your own jobs on this machine"
"""How far a lock reaches as long as users share no state folder; for who relies on one."""


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """Who holds a lock; since in ns."""

    key: str
    job: str
    actor: str
    reason: str
    since: int
    pid: int


class LockView(msgspec.Struct, frozen=True, kw_only=True):
    """A lock as it stands.

    Attributes:
        held: A living worker holds it; otherwise its job ended and something is in doubt.
    """

    key: str
    job: str
    actor: str
    reason: str
    since: int
    held: bool


def _name(key: str) -> str:
    return quote(key, safe="@._-") if not key.startswith(".") else quote(key, safe="").replace(".", "%2E")


class Lock:
    """The lock of one key.

    Beside the flock stands the owner's file. It is removed when the job let go in order; a file that is
    left behind names a job that died or ended in doubt, and `in_doubt` says whether that is still so.
    """

    def __init__(self, root: Path, key: str) -> None:
        self.key = key
        self._file = root / f"{_name(key)}.lock"
        self._owner = root / f"{_name(key)}.owner"
        self._fd = -1
        self._mine: Owner | None = None

    def take(self, owner: Owner, in_doubt: Callable[[str], bool]) -> Owner | None:
        """Try once.

        Args:
            owner: Who wants it.
            in_doubt: Is the outcome of that job unknown still?

        Returns:
            None when it is ours now, else who is in the way.

        Raises:
            StateBroken: The files cannot be used.
        """
        folder.ensure(self._file.parent)
        fd = folder.open_private(self._file, os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return self.owner() or _somebody(self.key)
        try:
            left = self.owner()
            if left is not None and left.job != owner.job and in_doubt(left.job):
                os.close(fd)
                return left
            folder.write_new(self._owner, msgspec.json.encode(owner))
        except StateBroken:
            os.close(fd)
            raise
        self._fd, self._mine = fd, owner
        return None

    def fileno(self) -> int:
        """The held descriptor: a child that inherits it holds the lock as long as it lives.

        Raises:
            ValueError: It is not held.
        """
        if self._fd < 0:
            raise ValueError(f"{self.key} is not held")
        return self._fd

    def owner(self) -> Owner | None:
        """Who the owner's file names; None when there is none.

        Raises:
            StateBroken: It is there and cannot be read: then nobody knows who is at it.
        """
        try:
            data = folder.read_private(self._owner)
        except StateBroken as error:
            # Whoever held it may let go at any moment: only the attempt to read says whether it is there.
            if isinstance(error.__cause__, FileNotFoundError):
                return None
            raise
        try:
            return msgspec.json.decode(data, type=Owner)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise StateBroken(
                f"{self._owner} is damaged, so it is not known who holds {self.key!r}",
                hint=f"see `ondeck jobs`, then: ondeck lock break {self.key} --confirm {self.key} --reason WHY",
            ) from error

    def release(self, *, clear: bool) -> None:
        """Let go; with `clear` nothing is in doubt and the owner's file goes too, unless a child holds it on."""
        if self._fd < 0:
            return
        os.close(self._fd)
        self._fd = -1
        if not clear:
            return
        fd = folder.open_private(self._file, os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if self.owner() == self._mine:
                self._owner.unlink(missing_ok=True)
        except BlockingIOError:
            # A process of ours that inherited it, or the next owner: the name that stands there is right.
            return
        finally:
            os.close(fd)

    def break_open(self) -> bool:
        """Remove a left-behind owner; False while a living worker holds the lock.

        Raises:
            StateBroken: The files cannot be used.
        """
        folder.ensure(self._file.parent)
        fd = folder.open_private(self._file, os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._owner.unlink(missing_ok=True)
        except BlockingIOError:
            return False
        finally:
            os.close(fd)
        return True

    @property
    def held(self) -> bool:
        """True while some living process holds it."""
        return folder.is_held(self._file)


def _somebody(key: str) -> Owner:
    return Owner(key=key, job="", actor="?", reason="it is being taken just now", since=0, pid=0)


def views(root: Path, in_doubt: Callable[[str], bool]) -> list[LockView]:
    """Every lock that is not free, by key.

    Raises:
        StateBroken: The files cannot be read.
    """
    names = {path.stem for pattern in ("*.owner", "*.lock") for path in root.glob(pattern)}
    found = [_view(Lock(root, unquote(name)), in_doubt) for name in sorted(names)]
    return [view for view in found if view is not None]


def _view(lock: Lock, in_doubt: Callable[[str], bool]) -> LockView | None:
    held, owner = lock.held, lock.owner()
    if owner is None and held:
        owner = _somebody(lock.key)
    if owner is None or not (held or in_doubt(owner.job)):
        return None
    return LockView(
        key=owner.key, job=owner.job, actor=owner.actor, reason=owner.reason, since=owner.since, held=held
    )
