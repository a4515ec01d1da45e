"""What is known of a backup, from what is in its repository: snapshots, proof, locks. `backup_judging` judges it.

A backup that cron or a timer takes is seen exactly as one of ours: the repository says what was taken, when
it began and how large it is. What was *proven* of a snapshot is remembered by our own record (`proofs`).
"""

from __future__ import annotations

from enum import IntEnum

import msgspec

NS = 1_000_000_000
SKEW = 60.0
"""Seconds that clocks may differ before it is said, and a snapshot may lie in the future."""


class Proof(IntEnum):
    """How far a snapshot was proven; each level holds what is below it.

    CREATED: it is listed. STRUCTURE: the tool's own check of indexes and trees, which reads no file's data.
    READ: every byte of the repository was read and compared. RESTORED: it was restored and looked at.
    """

    CREATED = 0
    STRUCTURE = 1
    READ = 2
    RESTORED = 3

    @property
    def word(self) -> str:
        """`created structure read restored`."""
        return self.name.lower()


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """One snapshot (restic) or archive (borg).

    Attributes:
        id: What the tool takes as its name, whole.
        short: What people read and type.
        key: What stays the same when a tag or a name of it changes, hexadecimal; proofs are tied to its begin.
        time: When it began, ns: what was written later is not in it.
        paths: What was saved.
        held: It carries a tag that no forget of ours touches.
        size: Bytes of its files when restored; None when nobody asked yet.
        files: How many entries it has: files, folders and links.
        added: Bytes that it added to the repository.
        proved: When its level was proven, ns; 0 for CREATED.
    """

    id: str
    short: str
    key: str
    time: int
    host: str = ""
    paths: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    held: bool = False
    size: int | None = None
    files: int | None = None
    added: int | None = None
    proof: Proof = Proof.CREATED
    proved: int = 0


class RepositoryLock(msgspec.Struct, frozen=True, kw_only=True):
    """A lock of the tool in the repository, not one of ours.

    Attributes:
        alive: Whether its holder lives: None when its host could not be asked.
        since: When it was made or renewed last, ns.
    """

    id: str
    host: str
    pid: int
    since: int
    who: str = ""
    exclusive: bool = False
    alive: bool | None = None

    def text(self, now: int) -> str:
        """Such as `pid 4711 on db-1, 2h old, dead`."""
        from ondeck import times

        state = {True: "alive", False: "dead", None: "cannot be asked"}[self.alive]
        return f"pid {self.pid} on {self.host}, {times.ago(self.since, now)} old, {state}"


class Promise(msgspec.Struct, frozen=True, kw_only=True):
    """What was promised, in seconds; 0 where nothing was.

    Attributes:
        every: How often a snapshot begins.
        rpo: How much may be lost at most.
        rto: How long a restore may take.
        read_within: Every byte of the repository is read once in so long.
        restore_every: How often a restore is tried.
    """

    every: float = 0.0
    rpo: float = 0.0
    rto: float = 0.0
    read_within: float = 0.0
    restore_every: float = 0.0


class Damage(msgspec.Struct, frozen=True):
    """A check that found damage, until a later one finds none; time in ns."""

    time: int
    text: str


class LastRestore(msgspec.Struct, frozen=True):
    """A restore that was seen to come to its end, with what it took.

    Attributes:
        seconds: From its start until everything was there, loaded and compared.
        drilled: It was a drill: loaded and compared, not only copied.
    """

    time: int
    seconds: float
    size: int
    key: str
    host: str
    drilled: bool = False


class BackupLook(msgspec.Struct, frozen=True, kw_only=True):
    """A backup as its repository and our record have it.

    Attributes:
        snapshots: Of this backup, newest first.
        others: Snapshots in the same repository that are of something else.
        elsewhere: Hosts of those among them that have the same folders: perhaps this one under another name.
        locks: Of the tool, in the repository.
        locks_error: Why locks could not be read; they are not known then.
        skew: Seconds that the host's clock is ahead of ours; None when not asked.
        tool: Name and version of the tool, as it says itself.
        repository: Id of the repository.
        asked: When it was asked, ns; 0 when not yet.
        error: Why it could not be asked: nothing else of it is of now then.
    """

    name: str
    env: str
    engine: str
    host: str
    promise: Promise = Promise()
    snapshots: tuple[Snapshot, ...] = ()
    others: int = 0
    elsewhere: tuple[str, ...] = ()
    locks: tuple[RepositoryLock, ...] = ()
    locks_error: str = ""
    damage: Damage | None = None
    last_restore: LastRestore | None = None
    skew: float | None = None
    tool: str = ""
    repository: str = ""
    asked: int = 0
    error: str = ""

    def of_now(self, now: int) -> tuple[Snapshot, ...]:
        """Snapshots without those that are dated in the future: nobody knows when these began."""
        return tuple(s for s in self.snapshots if s.time <= now + int(SKEW * NS))

    def newest(self, now: int, before: int = 0) -> Snapshot | None:
        """The newest snapshot, or the newest that began before a time (ns)."""
        known = self.of_now(now)
        return next((s for s in known if not before or s.time < before), None)

    def proven(self, now: int, before: int = 0) -> Snapshot | None:
        """Of those before a time the newest that has the highest proof of them all."""
        known = [s for s in self.of_now(now) if not before or s.time < before]
        best = max((s.proof for s in known), default=Proof.CREATED)
        return next((s for s in known if s.proof is best), None)

    def named(self, word: str) -> tuple[Snapshot, ...]:
        """Snapshots whose id, key or short name begins with a word."""
        exact = tuple(s for s in self.snapshots if word in (s.id, s.short))
        return exact or tuple(s for s in self.snapshots if s.id.startswith(word) or s.key.startswith(word))


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A file, folder or link in a snapshot; mtime in ns, size None for what has none."""

    path: str
    kind: str
    size: int | None = None
    mtime: int = 0
    mode: str = ""
    owner: str = ""


class Found(msgspec.Struct, frozen=True):
    """A place where a pattern was found."""

    snapshot: Snapshot
    entry: Entry


class Differs(msgspec.Struct, frozen=True):
    """One path that differs between two snapshots: `+` is only in the later, `-` only in the earlier, `M` in both."""

    sign: str
    path: str


class Listed(msgspec.Struct, frozen=True):
    """Entries of a folder, or places, or differences; `more` were left out."""

    entries: tuple[Entry, ...] = ()
    found: tuple[Found, ...] = ()
    differences: tuple[Differs, ...] = ()
    more: int = 0
