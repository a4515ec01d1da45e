"""borg's commands. The repository's address and passphrase travel in the environment."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ondeck import text
from ondeck.errors import BadInput, Missing, RemoteFailed
from ondeck.inventory.backups import Options
from ondeck.inventory.model import Backup
from ondeck.inventory.secretrefs import is_reference
from ondeck.observe.backups import Found, Listed, RepositoryLock, Snapshot
from ondeck.operate.backup.engine import ATTEMPT, Repository, Retention, Seat, Setting
from ondeck.operate.backup.holders import Holders, holders
from ondeck.reach.ports import Completed
from providers.borg import output

OLDEST = (1, 2)
_LISTED = 2000
_SEARCHED = 20
_QUIET = ("--log-json", "--bypass-lock", "--lock-wait=20")
_WAITS = ("--log-json", "--lock-wait=600")
"""Processes of one user share a lock on their cache: one that is at work is waited for."""

# Reading with the cache of those who write would wait for them: it needs none, so it gets one of its own.
_READ = """BORG_CACHE_DIR=$HOME/.cache/ondeck-borg; export BORG_CACHE_DIR; exec borg "$@"\n"""

# Files of locks that its processes leave in a repository that is a folder.
_LOCKS = """cd -- "$1" 2>/dev/null || exit 0
for f in lock.exclusive/*; do [ -e "$f" ] && echo "${f#*/} $(stat -c %Y "$f") exclusive"; done
[ -e lock.roster ] || exit 0
s=$(stat -c %Y lock.roster) || exit 0
tr -d '\\n' <lock.roster | sed -n 's/.*"shared": \\[\\(\\[.*\\]\\)\\].*/\\1/p' | tr ']' '\\n' |
sed -n "s/.*\\[\\"\\([^\\"]*\\)\\", \\([0-9]*\\), \\([0-9]*\\).*/\\1.\\2-\\3 $s shared/p"
"""


class BorgOptions(Options, frozen=True, kw_only=True):
    """Options of `engine: borg`.

    Attributes:
        prefix: What names of its archives begin with; `NAME-`, NAME being the backup's, when empty.
        compression: As borg takes it, e.g. `zstd,3`.
    """

    prefix: str = ""
    compression: str = ""

    def begins(self, backup: str) -> str:
        """What names of the archives of a backup begin with."""
        return self.prefix or f"{backup}-"

    @property
    def parts(self) -> int:
        """Borg reads everything or nothing: it has no parts by number."""
        return 1


class Borg:
    """The engine `borg`."""

    name = "borg"
    options = BorgOptions

    def setting(self, options: BorgOptions) -> Setting:
        """Address and passphrase; a stale lock is one whose holder is dead on this very host."""
        plain = {"TZ": "UTC", "BORG_HOSTNAME_IS_UNIQUE": "yes"}
        given = {"BORG_REPO": options.repo.url, "BORG_PASSPHRASE": options.repo.password, **options.repo.env}
        return Setting(
            env=plain | {name: value for name, value in given.items() if not is_reference(value)},
            secrets={name: value for name, value in given.items() if is_reference(value)},
            user=options.repo.user,
        )

    async def read(self, seat: Seat, options: BorgOptions, backup: Backup) -> Repository:
        """Archives, locks, clock; see `Engine.read`."""
        tool = await self._version(seat)
        form = "{hostname}{comment}"
        listed = await self._out(seat, "list", "--json", "--format", form, *_QUIET)
        identity, mine, others = output.archives(listed, options.begins(backup.name))
        found, holding, error = await self._locks(seat, options)
        return Repository(
            id=identity, tool=tool, snapshots=tuple(mine), others=others, locks=found, locks_error=error,
            skew=holding.skew,
        )  # fmt: skip

    async def _version(self, seat: Seat) -> str:
        done = await seat.plain(["borg", "--version"])
        printed = text.safe_line(text.decode(done.stdout).strip())
        if not done.ok:
            raise Missing(output.said(done.status, done.stderr), where=seat.link.host)
        version = output.version_of(printed)
        if not OLDEST <= version[:2] < (2, 0):
            raise Missing(f"{printed or 'borg'} is not one of 1.2 to 1.4", where=seat.link.host)
        return printed

    async def _out(self, seat: Seat, *words: str) -> bytes:
        return self._good(seat, await seat.run(["sh", "-c", _READ, "borg", *words])).stdout

    def _good(self, seat: Seat, done: Completed) -> Completed:
        if not done.ok:
            raise RemoteFailed(output.said(done.status, done.stderr), where=seat.link.host)
        if done.dropped:
            raise RemoteFailed("borg answered with more than can be read", where=seat.link.host)
        return done

    async def _locks(
        self, seat: Seat, options: BorgOptions
    ) -> tuple[tuple[RepositoryLock, ...], Holders, str]:
        url = options.repo.url
        if not url.startswith("/"):
            return (), await holders(seat, ()), "borg tells of locks only where the repository is a folder"
        done = await seat.plain(["sh", "-c", _LOCKS, "sh", url])
        if not done.ok:
            return (), await holders(seat, ()), "they cannot be read"
        holding = await holders(seat, output.locks(done.stdout))
        return holding.locks, holding, ""

    async def measure(self, seat: Seat, snapshot: Snapshot) -> tuple[int, int]:
        """Bytes and files of a restore of it."""
        done = await seat.run(
            [
                "borg",
                "info",
                "--json",
                "--log-json",
                "--bypass-lock",
                "--lock-wait=5",
                "--",
                f"::{snapshot.id}",
            ]
        )
        return output.stats(self._good(seat, done).stdout)

    async def retention(self, seat: Seat, options: BorgOptions, backup: Backup) -> Retention:
        """Borg's own dry run over the backup's names; it locks the repository for as long as that takes."""
        rules = [f"--keep-{name}={count}" for name, count in options.keep.rules().items()]
        within = options.keep.within
        if within:
            if not re.fullmatch(r"\d+[ymdh]", within):
                raise BadInput(f"keep.within {within!r}: borg takes one number and one unit, e.g. 7d")
            rules.append(f"--keep-within={within.replace('h', 'H')}")
        if not rules:
            raise BadInput("the backup's `keep` names no rule, so nothing is ever forgotten")
        pattern = f"{options.begins(backup.name)}*"
        words = [
            "borg",
            "prune",
            "--list",
            "--dry-run",
            "--log-json",
            *rules,
            f"--glob-archives={pattern}",
        ]
        done = self._good(seat, await seat.run(words))
        found = output.retention(done.stderr)
        # A prefix such as `hold` matches held archives too: they are not borg's to judge.
        remove = tuple(name for name in found.remove if not name.startswith(output.HELD))
        grouped = f"archives called {text.safe_line(pattern)} together"
        return Retention(keep=found.keep, remove=remove, grouped=grouped)

    async def entries(self, seat: Seat, snapshot: Snapshot, path: str) -> Listed:
        """What a folder holds."""
        inside = re.escape(f"{path.strip('/')}/") if path.strip("/") else ""
        words = ("list", "--json-lines", *_QUIET, "--", f"::{snapshot.id}", f"re:^{inside}[^/]+$")
        found = output.items(await self._out(seat, *words))
        return Listed(entries=tuple(found[:_LISTED]), more=max(0, len(found) - _LISTED))

    async def find(self, seat: Seat, snapshots: Sequence[Snapshot], pattern: str) -> Listed:
        """Archive by archive, the newest ones: borg has no index of names."""
        if not pattern:
            raise BadInput(f"{pattern!r} is not a name to look for")
        wanted = f"sh:{pattern.strip('/')}" if "/" in pattern else f"sh:**/{pattern}"
        places: list[Found] = []
        for snapshot in snapshots[:_SEARCHED]:
            listed = await self._out(seat, "list", "--json-lines", *_QUIET, "--", f"::{snapshot.id}", wanted)
            places += [Found(snapshot, entry) for entry in output.items(listed)]
        more = max(0, len(snapshots) - _SEARCHED) + max(0, len(places) - _LISTED)
        return Listed(found=tuple(places[:_LISTED]), more=more)

    async def differences(self, seat: Seat, one: Snapshot, other: Snapshot) -> Listed:
        """What differs."""
        words = ("diff", "--json-lines", *_QUIET, "--", f"::{one.id}", other.id)
        found = output.differences(await self._out(seat, *words))
        return Listed(differences=tuple(found[:_LISTED]), more=max(0, len(found) - _LISTED))

    def made_by(self, snapshot: Snapshot, attempt: str) -> bool:
        """Its comment names the attempt."""
        return f"ondeck:{attempt}" in snapshot.tags

    def backup(self, options: BorgOptions, backup: str, host: str) -> list[str]:
        """An archive called after prefix and time; what others call theirs does not matter."""
        what, prefix = options.what, options.begins(backup)
        words = ["borg", "create", *_WAITS, "--progress", "--comment", f"ondeck:{ATTEMPT}"]
        if options.compression:
            words += ["--compression", options.compression]
        name = f"::{prefix}{{utcnow:%Y-%m-%dT%H:%M:%S.%f}}"
        if what.stdin:
            return [*words, "--stdin-name", what.name, name, "-"]
        return [*words, *(f"--exclude={pattern}" for pattern in what.exclude), "--", name, *what.paths]

    def check(self, part: int, of: int) -> list[str]:
        """Repository and archives; with data every chunk is decrypted and compared."""
        words = ["borg", "check", *_WAITS]
        return [*words, "--verify-data"] if part else words

    def restore(self, snapshot: Snapshot, include: Sequence[str]) -> list[str]:
        """Into the current folder; chunks are compared with their hashes on the way."""
        inside = [path.lstrip("/") for path in include]
        return ["borg", "extract", *_WAITS, "--progress", "--", f"::{snapshot.id}", *inside]

    def forget(self, snapshots: Sequence[Snapshot]) -> list[str]:
        """Exactly these; room is made by `prune`, which is `borg compact`."""
        first, *rest = (snapshot.id for snapshot in snapshots)
        return ["borg", "delete", *_WAITS, "--", f"::{first}", *rest]

    def hold(self, snapshot: Snapshot, tag: str) -> list[str]:
        """Another name: no prune of the backup's names matches it, whoever runs that."""
        return ["borg", "rename", *_WAITS, "--", f"::{snapshot.id}", f"{output.HELD}{snapshot.id}"]

    def release(self, snapshot: Snapshot, tag: str) -> list[str]:
        """Its own name again."""
        return ["borg", "rename", *_WAITS, "--", f"::{snapshot.id}", output.plain(snapshot.id)]

    def prune(self) -> list[str]:
        """Segments that nobody needs."""
        return ["borg", "compact", *_WAITS]

    def unlock(self) -> list[str]:
        """Who takes the lock removes stale ones first, and fails on others; `break-lock` would remove them all."""
        return ["borg", "with-lock", "--log-json", "::", "true"]

    def moved(self, line: bytes) -> tuple[int, int] | None:
        """Of its lines of progress."""
        return output.moved(line)

    def said(self, status: int | None, err: bytes) -> str:
        """Its own words."""
        return output.said(status, err)

    def damage(self, status: int | None, out: bytes, err: bytes) -> str:
        """What a check found broken."""
        return output.damage(err) if status else ""
