"""What a backup says in the inventory beside engine and host, checked: source, repository, promise, keep, prove.

Durations and shares are text as in every file (`1h`, `30%`); properties give seconds and shares. Every
error names the key, and `where` the file, line and column as far as the files are still what was loaded.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from ondeck.errors import BadInput
from ondeck.inventory.model import Backup, Inventory
from ondeck.inventory.problems import Bad
from ondeck.inventory.secretrefs import is_reference
from ondeck.inventory.values import duration, percent

HOLD = "hold"
BASTION = "bastion"
"""This machine, where a host is named."""
_READ = re.compile(r"all in (\d+)d")
_MOST_PARTS = 255
_SECRET = re.compile(r"(KEY|SECRET|TOKEN|PASSWORD)\Z", re.IGNORECASE)
_Checked = TypeVar("_Checked", bound="Options")


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class What(_Part, frozen=True, kw_only=True):
    """What is saved: folders, or the output of a command.

    Attributes:
        paths: Absolute paths on the host.
        stdin: argv whose output is saved; it counts only when it ends with 0.
        name: Name of that output in the snapshot.
        user: (`as`) Who runs `stdin`, through sudo.
        env: Variables of `stdin` alone; no secrets.
        exclude: Patterns of the engine.
    """

    paths: tuple[str, ...] = ()
    stdin: tuple[str, ...] = ()
    name: str = ""
    user: str = msgspec.field(default="", name="as")
    env: dict[str, str] = {}
    exclude: tuple[str, ...] = ()

    @property
    def dataset(self) -> tuple[str, ...]:
        """The paths by which its snapshots are told from others in the same repository."""
        return tuple(sorted(path.rstrip("/") or "/" for path in self.paths)) or (f"/{self.name}",)


class Repo(_Part, frozen=True, kw_only=True):
    """Where it is saved.

    Attributes:
        url: As the engine takes it, seen from who runs it; a reference where it holds a password.
        password: Reference to the repository's password.
        env: Variables of the engine, such as AWS_ACCESS_KEY_ID; values may be references.
        read_from: Host that lists, verifies and forgets, or `bastion`; the backup's host when empty.
        user: (`as`) Who runs the engine, through sudo; the login when empty.
    """

    url: str
    password: str
    env: dict[str, str] = {}
    read_from: str = ""
    user: str = msgspec.field(default="", name="as")


class Promised(_Part, frozen=True, kw_only=True):
    """What was promised: how often, how much may be lost, how long a restore may take."""

    every: str = ""
    rpo: str = ""
    rto: str = ""


class Keep(_Part, frozen=True, kw_only=True):
    """What a forget keeps; rules add up.

    Attributes:
        within: Everything that is younger.
        at_least: Never fewer snapshots than this.
        max_remove: A forget that would remove a larger share stops.
        tags: Snapshots with one of these are never forgotten; the first is what a hold sets.
    """

    last: int = 0
    hourly: int = 0
    daily: int = 0
    weekly: int = 0
    monthly: int = 0
    yearly: int = 0
    within: str = ""
    at_least: int = 1
    max_remove: str = "30%"
    tags: tuple[str, ...] = (HOLD,)

    def rules(self) -> dict[str, int]:
        """Counts that are set, by period."""
        counts = {name: getattr(self, name) for name in PERIODS}
        return {name: count for name, count in counts.items() if count}

    @property
    def share(self) -> float:
        """`max_remove` from 0 to 1."""
        return percent(self.max_remove)


PERIODS = ("last", "hourly", "daily", "weekly", "monthly", "yearly")


class Restore(_Part, frozen=True, kw_only=True):
    """How a restore is tried.

    Attributes:
        beside: Host that it is tried on.
        user: (`as`) Who runs the commands below.
        env: Variables of the commands below; no secrets.
        create: argv that makes `${scratch}`; `createdb` where `load` is of PostgreSQL.
        load: argv that loads the restored file (on its standard input) or folder (`${folder}`) into `${scratch}`.
        compare: SQL texts given to `query`, or argv lists; each has to end with 0 and to print something.
        query: argv that runs `${query}` in `${scratch}`; `psql` where `load` is of PostgreSQL.
        live: What to put for `${scratch}` to ask the live one the same on the backup's host; nothing when empty.
        drop: argv that removes `${scratch}` afterwards.
    """

    beside: str
    every: str = ""
    user: str = msgspec.field(default="", name="as")
    env: dict[str, str] = {}
    create: tuple[str, ...] = ()
    load: tuple[str, ...] = ()
    compare: tuple[str | tuple[str, ...], ...] = ()
    query: tuple[str, ...] = ()
    live: str = ""
    drop: tuple[str, ...] = ()


class Prove(_Part, frozen=True, kw_only=True):
    """How it is proven: `read_data: all in 28d` reads one of 28 parts at each verify."""

    read_data: str = ""
    restore: Restore | None = None


class Options(_Part, frozen=True, kw_only=True):
    """Everything that a backup says beside engine and host, the same for every engine.

    Attributes:
        timeout: How long a run, a verify or a restore may take.
        folder: Where restores go on a host when nobody says; empty means below the state folder of who runs it.
    """

    what: What
    repo: Repo
    promise: Promised = Promised()
    keep: Keep = Keep()
    prove: Prove = Prove()
    timeout: str = "12h"
    folder: str = ""

    @property
    def read_days(self) -> int:
        """In how many days everything is read; 0 when nothing is said."""
        found = _READ.fullmatch(self.prove.read_data)
        return int(found[1]) if found else 0

    @property
    def parts(self) -> int:
        """Into how many parts reading everything is cut; 1 when nothing is said."""
        return min(max(self.read_days, 1), _MOST_PARTS)

    @property
    def seconds(self) -> float:
        """The timeout in seconds."""
        return duration(self.timeout)


def options_of(inventory: Inventory, backup: Backup, kind: type[_Checked]) -> _Checked:
    """The checked options of a backup.

    Args:
        inventory: Its hosts may be named, and its files say where an error stands.
        backup: Whose.
        kind: The struct of its engine.

    Raises:
        BadInput: Something is wrong; the message names the key, `where` its place.
    """
    try:
        found = msgspec.convert(backup.options, kind, strict=False)
        _check(inventory, found)
    except msgspec.ValidationError as error:
        said, _, at = str(error).partition(" - at `$")
        raise _at(inventory, backup, at.rstrip("`").strip("."), said) from error
    except _Wrong as error:
        raise _at(inventory, backup, error.key, error.message) from error
    return found


class _Wrong(Exception):
    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key
        self.message = message


def _check(inventory: Inventory, found: Options) -> None:
    _source(found.what)
    _repository(found.repo)
    if found.keep.at_least < 1:
        raise _Wrong("keep.at_least", "at least 1 snapshot has to stay")
    if not found.keep.tags or not all(found.keep.tags):
        raise _Wrong("keep.tags", "the first is the tag of a hold, so one has to be there")
    if found.prove.read_data and not _READ.fullmatch(found.prove.read_data):
        raise _Wrong("prove.read_data", "write `all in 28d`: everything is read once in so many days")
    beside = found.prove.restore.beside if found.prove.restore is not None else ""
    for key, name in (("repo.read_from", found.repo.read_from), ("prove.restore.beside", beside)):
        if name and name != BASTION and name not in inventory.hosts:
            raise _Wrong(key, f"no host {name!r} in the inventory")
    if found.folder and (not found.folder.startswith("/") or found.folder.rstrip("/") == ""):
        raise _Wrong("folder", "it must be an absolute folder, not /")
    if found.prove.restore is not None:
        _no_secrets("prove.restore.env", found.prove.restore.env)
    _spans(found)


def _source(what: What) -> None:
    if bool(what.paths) is bool(what.stdin):
        raise _Wrong("what", "it needs exactly one of `paths` and `stdin`")
    if what.stdin and (not what.name or "/" in what.name):
        raise _Wrong("what.name", "the output of a command needs a plain file name, e.g. orders.dump")
    for path in what.paths:
        if not path.startswith("/") or ".." in path.split("/"):
            raise _Wrong("what.paths", f"{path!r} is not an absolute path")
    _no_secrets("what.env", what.env)


def _no_secrets(key: str, env: dict[str, str]) -> None:
    """Variables that stand in argv.

    Raises:
        _Wrong: One is a reference, or is called as secrets are.
    """
    for name, value in env.items():
        if is_reference(value) or _is_secret(name):
            raise _Wrong(key, f"{name}: it holds no secrets: name a file of its user, e.g. PGPASSFILE")


def _is_secret(name: str) -> bool:
    """It is called as what holds a secret is: AWS_SECRET_ACCESS_KEY, and not AWS_ACCESS_KEY_ID."""
    return bool(_SECRET.search(name))


def _repository(repo: Repo) -> None:
    if not is_reference(repo.password):
        raise _Wrong("repo.password", "it must be a reference to a secret, e.g. vault:kv/backup#password")
    for name, value in repo.env.items():
        if _is_secret(name) and not is_reference(value):
            raise _Wrong("repo.env", f"{name} holds a secret: make it a reference, e.g. vault:kv/store#key")
    if re.search(r"//[^/@]*:[^/@]+@", repo.url) and not is_reference(repo.url):
        raise _Wrong("repo.url", "it holds a password: make it a reference, e.g. file:/etc/ondeck/repo-url")


def _spans(found: Options) -> None:
    restore = found.prove.restore
    texts = {
        "promise.every": found.promise.every,
        "promise.rpo": found.promise.rpo,
        "promise.rto": found.promise.rto,
        "prove.restore.every": restore.every if restore else "",
        "timeout": found.timeout,
    }
    for key, value in texts.items():
        try:
            if value:
                duration(value)
        except Bad as error:
            raise _Wrong(key, error.message) from error
    try:
        percent(found.keep.max_remove)
    except Bad as error:
        raise _Wrong("keep.max_remove", error.message) from error
    if found.keep.within and not re.fullmatch(r"(\d+[ymdh])+", found.keep.within):
        raise _Wrong("keep.within", f"expected a span such as 7d or 2m, found {found.keep.within!r}")


def seconds_of(value: str) -> float:
    """A checked span in seconds; 0 when nothing was said."""
    return duration(value) if value else 0.0


def _at(inventory: Inventory, backup: Backup, key: str, said: str) -> BadInput:
    dotted = ".".join(part for part in ("backups", backup.name, key) if part)
    return BadInput(f"{dotted}: {said}", where=place_of(inventory, dotted))


def place_of(inventory: Inventory, dotted: str) -> str:
    """`FILE:LINE:COLUMN` of a key as the files are now; empty when they do not have it."""
    from ondeck.inventory import positions

    path: tuple[Any, ...] = tuple(re.sub(r"\[\d+\]|\[\.\.\.\]", "", dotted).split("."))
    for file in sorted(Path(inventory.revision.root).glob("*.yml")):
        try:
            found = positions.read(file.name, file.read_bytes())
        except OSError:
            continue
        if path[:2] in found.keys:
            line, column = found.place(path, at_key=True)
            return f"{file.name}:{line}:{column}"
    return ""
