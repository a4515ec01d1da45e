"""What differs between backup tools, as a port: their commands, what these print, and what that means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from ondeck.inventory.backups import Options
from ondeck.inventory.model import Backup
from ondeck.observe.backups import Listed, RepositoryLock, Snapshot
from ondeck.reach import secretly
from ondeck.reach.ports import Become, Completed, Link
from ondeck.secret import Secret

ATTEMPT = "${attempt}"
"""Stands for the attempt's id in a planned word: a plan is made before there is one."""
LARGEST = 64 << 20
"""Bytes of an answer that are read at most; a hundred thousand snapshots are less."""


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """Variables that the tool runs with.

    Attributes:
        env: Plain ones.
        secrets: Variable -> reference of the secret that it gets.
        user: Who runs it, through sudo; the login when empty.
    """

    env: dict[str, str] = {}
    secrets: dict[str, str] = {}
    user: str = ""

    @property
    def become(self) -> Become | None:
        """As links take it."""
        return Become(user=self.user) if self.user else None


class Seat:
    """Where the tool runs: a host, its variables and secrets. It reads only; what changes runs detached."""

    def __init__(self, link: Link, setting: Setting, secrets: Mapping[str, Secret]) -> None:
        self.link = link
        self.setting = setting
        self._secrets = secrets

    async def run(self, argv: Sequence[str], *, timeout: float = 300.0, limit: int = LARGEST) -> Completed:
        """Run the tool attached; secrets travel on standard input, never in argv.

        Raises:
            Unreachable, LinkLost, TimeoutError: As a link's `run`.
        """
        return await secretly.run(
            self.link,
            list(argv),
            secret_env=self._secrets,
            env=self.setting.env,
            become=self.setting.become,
            timeout=timeout,
            limit=limit,
        )

    async def plain(self, argv: Sequence[str], *, timeout: float = 60.0) -> Completed:
        """Run something that needs no secret, as the same user."""
        return await self.link.run(list(argv), become=self.setting.become, timeout=timeout)


class Repository(msgspec.Struct, frozen=True, kw_only=True):
    """What one look at a repository gave.

    Attributes:
        id: Of the repository: another one under the same address is another repository.
        snapshots: Of the asked dataset, newest first.
        others: How many are of something else: other folders, another host, another name.
        elsewhere: Names of hosts that saved the same dataset under a name that is not the backup's host's.
        skew: Seconds that the host's clock is ahead of ours.
    """

    id: str
    tool: str
    snapshots: tuple[Snapshot, ...]
    others: int = 0
    elsewhere: tuple[str, ...] = ()
    locks: tuple[RepositoryLock, ...] = ()
    locks_error: str = ""
    skew: float | None = None


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """What the tool itself would keep and remove, with its reasons; ids of snapshots.

    Attributes:
        grouped: What the tool was told to apply its rules to, in words.
    """

    keep: dict[str, tuple[str, ...]] = {}
    remove: tuple[str, ...] = ()
    grouped: str = ""


class Engine(Protocol):
    """One tool. Argvs are planned words: `ATTEMPT` in them is filled in when they run."""

    @property
    def name(self) -> str:
        """As `engine:` names it."""
        ...

    @property
    def options(self) -> type[Options]:
        """The struct of its options."""
        ...

    def setting(self, options: Any) -> Setting:  # noqa: ANN401 - each engine has its own struct
        """The variables that it runs with."""
        ...

    async def read(self, seat: Seat, options: Any, backup: Backup) -> Repository:  # noqa: ANN401
        """Look at the repository; takes no lock of it.

        One repository may serve many hosts: only what is of the backup's own host, or name, is its own.

        Raises:
            Missing: The tool is not there, or too old.
            RemoteFailed: It said no: wrong password, no repository, ...
            Unreachable, LinkLost, TimeoutError: It could not be asked.
        """
        ...

    async def measure(self, seat: Seat, snapshot: Snapshot) -> tuple[int, int]:
        """Bytes and files that a restore of it gives."""
        ...

    async def retention(self, seat: Seat, options: Any, backup: Backup) -> Retention:  # noqa: ANN401
        """What its own rules say, without removing anything."""
        ...

    async def entries(self, seat: Seat, snapshot: Snapshot, path: str) -> Listed:
        """What a folder of a snapshot holds."""
        ...

    async def find(self, seat: Seat, snapshots: Sequence[Snapshot], pattern: str) -> Listed:
        """Where a file of that name (`*` allowed) or path is, newest snapshot first."""
        ...

    async def differences(self, seat: Seat, one: Snapshot, other: Snapshot) -> Listed:
        """What differs from one to the other."""
        ...

    def made_by(self, snapshot: Snapshot, attempt: str) -> bool:
        """The snapshot carries the mark of that attempt."""
        ...

    def backup(self, options: Any, backup: str, host: str) -> list[str]:  # noqa: ANN401
        """Save: folders, or standard input where the source is a command; named after backup and host."""
        ...

    def check(self, part: int, of: int) -> list[str]:
        """Check the structure; with a part also read that share of the data."""
        ...

    def restore(self, snapshot: Snapshot, include: Sequence[str]) -> list[str]:
        """Restore into the current folder and compare what was written."""
        ...

    def forget(self, snapshots: Sequence[Snapshot]) -> list[str]:
        """Forget exactly these."""
        ...

    def hold(self, snapshot: Snapshot, tag: str) -> list[str]:
        """Mark it so that no forget of ours takes it."""
        ...

    def release(self, snapshot: Snapshot, tag: str) -> list[str]:
        """Take that mark away."""
        ...

    def prune(self) -> list[str]:
        """Remove data that no snapshot needs."""
        ...

    def unlock(self) -> list[str]:
        """Remove locks whose holders are dead, and no other."""
        ...

    def moved(self, line: bytes) -> tuple[int, int] | None:
        """Bytes done and bytes in all, of a line of progress; None when it is none."""
        ...

    def said(self, status: int | None, err: bytes) -> str:
        """Why it failed, in plain words."""
        ...

    def damage(self, status: int | None, out: bytes, err: bytes) -> str:
        """What a check found broken; empty when it failed for another reason, such as a lock."""
        ...
