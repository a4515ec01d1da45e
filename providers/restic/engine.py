"""restic's commands. Everything is passed by argv and environment; the repository's address too."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from ondeck import text
from ondeck.errors import BadInput, Missing, RemoteFailed
from ondeck.inventory.backups import Options
from ondeck.inventory.model import Backup
from ondeck.inventory.secretrefs import is_reference
from ondeck.observe.backups import Found, Listed, RepositoryLock, Snapshot
from ondeck.operate.backup.engine import ATTEMPT, Repository, Retention, Seat, Setting
from ondeck.operate.backup.holders import Holders, holders
from ondeck.reach.ports import Completed
from providers.restic import output

OLDEST = (0, 12)
_LISTED = 2000
_LOCKS = 16
_NO_LOCK = "--no-lock"


class ResticOptions(Options, frozen=True, kw_only=True):
    """Options of `engine: restic`.

    Attributes:
        host_name: Host that its snapshots name, and the only one whose snapshots count. When empty ours name the
            inventory's host, and what names the host's own hostname counts too where the tool runs on it.
        compression: `auto`, `off` or `max`, for repositories of version 2.
    """

    host_name: str = ""
    compression: str = ""


class Restic:
    """The engine `restic`."""

    name = "restic"
    options = ResticOptions

    def setting(self, options: ResticOptions) -> Setting:
        """Address, password and what the store needs; two lines of progress a second are enough."""
        plain = {"RESTIC_PROGRESS_FPS": "0.5"}
        given = {
            "RESTIC_REPOSITORY": options.repo.url,
            "RESTIC_PASSWORD": options.repo.password,
            **options.repo.env,
        }
        if options.compression:
            plain["RESTIC_COMPRESSION"] = options.compression
        return Setting(
            env=plain | {name: value for name, value in given.items() if not is_reference(value)},
            secrets={name: value for name, value in given.items() if is_reference(value)},
            user=options.repo.user,
        )

    async def read(self, seat: Seat, options: ResticOptions, backup: Backup) -> Repository:
        """Snapshots, locks, clock; see `Engine.read`."""
        tool = await self._version(seat)
        listed, config, locks = await asyncio.gather(
            self._json(seat, "snapshots", "--json"),
            self._json(seat, "cat", words=("config",)),
            self._locks(seat),
        )
        found, holding, error = locks
        everything = output.snapshots(listed, options.keep.tags)
        same = [s for s in everything if tuple(sorted(s.paths)) == options.what.dataset]
        hosts = {options.host_name or backup.host}
        if not options.host_name and seat.link.host == backup.host and holding.host:
            hosts.add(holding.host)  # what cron there saves names it
        mine = [s for s in same if s.host in hosts]
        return Repository(
            id=output.repository(config),
            tool=tool,
            snapshots=tuple(mine),
            others=len(everything) - len(mine),
            elsewhere=tuple(sorted({s.host for s in same} - hosts)),
            locks=found,
            locks_error=error,
            skew=holding.skew,
        )

    async def _version(self, seat: Seat) -> str:
        done = await seat.plain(["restic", "version"])
        printed = text.safe_line(text.decode(done.stdout).strip().partition(" compiled")[0])
        if not done.ok:
            raise Missing(output.said(done.status, done.stderr), where=seat.link.host)
        version = output.version_of(printed)
        if version[:2] < OLDEST:
            wanted = ".".join(map(str, OLDEST))
            raise Missing(
                f"{printed or 'restic'} is too old, at least {wanted} is needed", where=seat.link.host
            )
        return printed

    async def _json(self, seat: Seat, command: str, *options: str, words: Sequence[str] = ()) -> bytes:
        """What it prints; words that a person or a repository gave stand where they are no options."""
        done = await seat.run(["restic", command, *options, _NO_LOCK, "--", *words])
        return self._good(seat, done).stdout

    def _good(self, seat: Seat, done: Completed) -> Completed:
        if not done.ok:
            raise RemoteFailed(output.said(done.status, done.stderr), where=seat.link.host)
        if done.dropped:
            raise RemoteFailed("restic answered with more than can be read", where=seat.link.host)
        return done

    async def _locks(self, seat: Seat) -> tuple[tuple[RepositoryLock, ...], Holders, str]:
        try:
            done = self._good(seat, await seat.run(["restic", "list", "locks", "-q", _NO_LOCK]))
            named = done.stdout.decode("ascii", "replace").split()
            found, unread = [], {}
            for identity in named[:_LOCKS]:
                one = await seat.run(["restic", "cat", _NO_LOCK, "--", "lock", identity])
                if one.ok:
                    found.append(output.lock(identity, one.stdout))
                else:
                    unread[identity] = output.said(one.status, one.stderr)
            error = await self._unread(seat, unread, len(named) - _LOCKS)
        except RemoteFailed as failed:
            return (), await holders(seat, ()), failed.message
        holding = await holders(seat, found)
        return holding.locks, holding, error

    async def _unread(self, seat: Seat, unread: dict[str, str], more: int) -> str:
        """Why not every lock is known; one that is listed no more was let go meanwhile."""
        if unread:
            done = self._good(seat, await seat.run(["restic", "list", "locks", "-q", _NO_LOCK]))
            still = set(done.stdout.decode("ascii", "replace").split())
            for identity in (one for one in unread if one in still):
                return f"lock {text.safe_line(identity)[:8]} cannot be read: {unread[identity]}"
        return f"{more} more than the {_LOCKS} that are read" if more > 0 else ""

    async def measure(self, seat: Seat, snapshot: Snapshot) -> tuple[int, int]:
        """Bytes and files of a restore of it."""
        return output.stats(
            await self._json(seat, "stats", "--json", "--mode", "restore-size", words=[snapshot.id])
        )

    async def retention(self, seat: Seat, options: ResticOptions, backup: Backup) -> Retention:
        """Restic's own dry run, grouped by host and paths, so that no host counts for another; it takes no lock."""
        rules = [f"--keep-{name}={count}" for name, count in options.keep.rules().items()]
        rules += [f"--keep-within={options.keep.within}"] if options.keep.within else []
        if not rules:
            raise BadInput("the backup's `keep` names no rule, so nothing is ever forgotten")
        rules += [f"--keep-tag={tag}" for tag in options.keep.tags]
        words = ("forget", "--dry-run", "--json", "--group-by", "host,paths", *rules)
        dataset = options.what.dataset
        found = output.retention(await self._json(seat, *words), dataset)
        grouped = f"each host's snapshots of {text.safe_line(', '.join(dataset))} on their own"
        return msgspec.structs.replace(found, grouped=grouped)

    async def entries(self, seat: Seat, snapshot: Snapshot, path: str) -> Listed:
        """What a folder holds, without the folder itself."""
        found = output.nodes(await self._json(seat, "ls", "--json", words=[snapshot.id, path]))
        inside = [entry for entry in found if entry.path.rstrip("/") != path.rstrip("/")]
        return Listed(entries=tuple(inside[:_LISTED]), more=max(0, len(inside) - _LISTED))

    async def find(self, seat: Seat, snapshots: Sequence[Snapshot], pattern: str) -> Listed:
        """Where a name or path is."""
        if not pattern:
            raise BadInput(f"{pattern!r} is not a name to look for")
        found = output.hits(await self._json(seat, "find", "--json", words=[pattern]))
        by_id = dict(found)
        places = [Found(s, entry) for s in snapshots for entry in by_id.get(s.id, [])]
        return Listed(found=tuple(places[:_LISTED]), more=max(0, len(places) - _LISTED))

    async def differences(self, seat: Seat, one: Snapshot, other: Snapshot) -> Listed:
        """What differs."""
        found = output.differences(await self._json(seat, "diff", "--json", words=[one.id, other.id]))
        return Listed(differences=tuple(found[:_LISTED]), more=max(0, len(found) - _LISTED))

    def made_by(self, snapshot: Snapshot, attempt: str) -> bool:
        """It carries the attempt's tag."""
        return f"ondeck:{attempt}" in snapshot.tags

    def backup(self, options: ResticOptions, backup: str, host: str) -> list[str]:
        """Save under the inventory's name of the host."""
        what = options.what
        words = [
            "restic",
            "backup",
            "--json",
            "--host",
            options.host_name or host,
            "--tag",
            f"ondeck:{ATTEMPT}",
        ]
        if what.stdin:
            return [*words, "--stdin", "--stdin-filename", what.name]
        return [*words, *(f"--exclude={pattern}" for pattern in what.exclude), "--", *what.paths]

    def check(self, part: int, of: int) -> list[str]:
        """Structure, and data of a part."""
        words = ["restic", "check"]
        if part and of == 1:
            return [*words, "--read-data"]
        return [*words, f"--read-data-subset={part}/{of}"] if part else words

    def restore(self, snapshot: Snapshot, include: Sequence[str]) -> list[str]:
        """Into the current folder; every file is read again and compared."""
        words = ["restic", "restore", "--target", ".", "--verify"]
        return [*words, *(f"--include={path}" for path in include), "--", snapshot.id]

    def forget(self, snapshots: Sequence[Snapshot]) -> list[str]:
        """Exactly these."""
        return ["restic", "forget", "--", *(snapshot.id for snapshot in snapshots)]

    def hold(self, snapshot: Snapshot, tag: str) -> list[str]:
        """A tag; restic writes the snapshot anew under another id, which names this one as its original."""
        return ["restic", "tag", f"--add={tag}", "--", snapshot.id]

    def release(self, snapshot: Snapshot, tag: str) -> list[str]:
        """The tag away."""
        return ["restic", "tag", f"--remove={tag}", "--", snapshot.id]

    def prune(self) -> list[str]:
        """Packs that nobody needs."""
        return ["restic", "prune"]

    def unlock(self) -> list[str]:
        """Restic itself removes only what is stale: its holder dead on the same host, or half an hour silent."""
        return ["restic", "unlock"]

    def moved(self, line: bytes) -> tuple[int, int] | None:
        """Of its status lines."""
        return output.moved(line)

    def said(self, status: int | None, err: bytes) -> str:
        """Its own words."""
        return output.said(status, err)

    def damage(self, status: int | None, out: bytes, err: bytes) -> str:
        """The first error that a check named, where it says that the repository contains errors."""
        return output.damage(out, err) if status else ""
