"""A private checkout of the pinned commit. The repository it comes from is only read.

The index lies with us (`GIT_INDEX_FILE`), so git writes nothing into somebody's repository. What is checked out
is the whole commit, because what is worked on may use what lies beside it. `TREES/COMMIT/` keeps what tools make in it
from one time to the next, and a folder beside it is made for each commit: a plan of one is not disturbed by another.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TextIO

import msgspec

from ondeck.counting import counted
from ondeck.errors import BadInput, Missing, RemoteFailed
from ondeck.reach.ports import Completed, Link
from ondeck.settings import Settings
from ondeck.text import decode, safe_line
from ondeck.times import ago

_SECONDS = 120.0
_DONE = ".ondeck-tree"
_KEPT = 4
ALONE = 600.0
"""Seconds that somebody waits for another's checkout or set-up: providers of a stack are hundreds of MB."""
_AGAIN = 0.05
_MOST = 64 << 20  # bytes of a folder outside git that are copied


class Pinned(msgspec.Struct, frozen=True, kw_only=True):
    """What the work is done with.

    Attributes:
        commit: Full commit; `tree-` and a digest for a folder that is in no repository.
        subject: First line of the commit's message.
        ref: What was asked for; empty when nothing is pinned.
        top: The repository's own folder; empty outside of one.
        module: Where the folder that is worked in lies in the checkout.
        warnings: What makes this less than a pinned commit.
        fetched: When the repository was last fetched, ns; 0 when it never was.
    """

    commit: str
    ref: str
    module: str
    subject: str = ""
    top: str = ""
    warnings: tuple[str, ...] = ()
    fetched: int = 0

    def label(self) -> str:
        """`origin/main at 1a2b3c4 (Widen the subnet)`."""
        said = f"{self.ref or 'HEAD'} at {self.commit[:7]}" if self.top else f"{self.commit[:12]}, not in git"
        return f"{said} ({self.subject})" if self.subject else said


async def _git(link: Link, top: Path, *words: str, env: dict[str, str] | None = None) -> Completed:
    done = await link.run(["git", "-C", str(top), *words], env=env, timeout=_SECONDS, limit=4 << 20)
    if done.status == 127:
        raise Missing("git is not installed here", hint="install the package git")
    return done


def _said(done: Completed) -> str:
    lines = decode(done.stderr).strip().splitlines()
    return safe_line(lines[-1]) if lines else f"git ended with {done.status}"


async def pin(link: Link, source: Path, ref: str) -> Pinned:
    """Find the commit that a ref names now; reads only.

    Args:
        link: To this machine.
        source: The folder to work in, without symbolic links in its name.
        ref: Commit, tag or branch; empty means what is checked out.

    Raises:
        BadInput: There is no such folder or ref.
        Missing: git is not installed.
    """
    inside = await _git(link, source, "rev-parse", "--show-toplevel")
    if not inside.ok:
        if b"cannot change to" in inside.stderr:
            raise BadInput(
                f"there is no folder {source}", hint="`path` is relative to the inventory's folder"
            )
        if ref:
            raise BadInput(f"{source} pins {ref!r} and git says: {_said(inside)}")
        return await asyncio.to_thread(_outside, source)
    top = Path(os.fsdecode(inside.stdout.rstrip(b"\n")))
    name = ref or "HEAD"
    found = await _git(
        link, top, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"
    )
    if not found.ok:
        raise BadInput(f"{top} has no commit {name!r}", hint="fetch it, or say another ref")
    commit = found.stdout.decode().strip()
    module = source.relative_to(top)
    there = await _git(link, top, "cat-file", "-e", f"{commit}:{'' if module == Path() else module}")
    if not there.ok:
        raise BadInput(f"commit {commit[:7]} ({name}) has no folder {module}")
    subject = await _git(link, top, "log", "-1", "--format=%s", commit)
    return Pinned(
        commit=commit,
        ref=ref,
        module=str(module),
        subject=safe_line(decode(subject.stdout).strip())[:80],
        top=str(top),
        warnings=await _unpinned(link, top, module, ref),
        fetched=await _fetched(link, top),
    )


async def _unpinned(link: Link, top: Path, module: Path, ref: str) -> tuple[str, ...]:
    if ref:
        return ()
    branch = (await _git(link, top, "rev-parse", "--abbrev-ref", "HEAD")).stdout.decode().strip()
    found = [f"it pins no ref: this is what {top} has checked out ({safe_line(branch)})"]
    # Without `--no-optional-locks` git would refresh the index of somebody's repository.
    words = ("--no-optional-locks", "status", "--porcelain", "-z", "--", str(module))
    changed = await _git(link, top, *words)
    if number := len([part for part in changed.stdout.split(b"\0") if part]):
        found.append(f"{counted(number, 'change')} there not committed: not part of this")
    return tuple(found)


async def _fetched(link: Link, top: Path) -> int:
    common = await _git(link, top, "rev-parse", "--path-format=absolute", "--git-common-dir")
    try:
        return os.stat(os.path.join(common.stdout.rstrip(b"\n"), b"FETCH_HEAD")).st_mtime_ns  # noqa: PTH116, PTH118
    except OSError:
        return 0


def freshness(pinned: Pinned) -> str:
    """How old what the repository knows of its remote is; empty where that does not matter."""
    if "/" not in pinned.ref:
        return ""
    if not pinned.fetched:
        return f"{pinned.ref} as its repository knows it; it was never fetched there"
    return f"{pinned.ref} as of the last fetch, {ago(pinned.fetched, time.time_ns())} ago"


async def behind(link: Link, pinned: Pinned, commit: str) -> int:
    """How many commits the ref is ahead of a commit; -1 when that cannot be said."""
    if not pinned.top or not commit:
        return -1
    counted_ = await _git(link, Path(pinned.top), "rev-list", "--count", f"{commit}..{pinned.commit}")
    return int(counted_.stdout) if counted_.ok else -1


def _files(source: Path) -> Iterator[Path]:
    """Files of a module outside git: not its state, not what `init` made."""
    for folder, folders, files in os.walk(source):
        folders[:] = sorted(name for name in folders if name not in (".terraform", ".git"))
        for name in sorted(files):
            if ".tfstate" not in name:
                yield Path(folder) / name


def _outside(source: Path) -> Pinned:
    digest, size = hashlib.sha256(), 0
    for path in _files(source):
        size += path.stat().st_size
        if size > _MOST:
            raise BadInput(
                f"{source} holds more than {_MOST >> 20} MiB outside git: put it into a repository"
            )
        digest.update(f"{path.relative_to(source)}\0".encode() + path.read_bytes() + b"\0")
    said = f"{source} is in no git repository: nothing pins what is planned"
    return Pinned(commit=f"tree-{digest.hexdigest()[:20]}", ref="", module=".", warnings=(said,))


@contextlib.asynccontextmanager
async def alone(folder: Path, settings: Settings, what: str) -> AsyncIterator[None]:
    """What is done in one folder is done by one at a time, whichever process does it.

    Args:
        folder: Such as one of checkouts; the lock is a file beside it.
        settings: For how long to wait.
        what: What will be done, for whoever waits meanwhile.

    Raises:
        RemoteFailed: Somebody did not let go of it in time.
    """
    file = folder.with_suffix(".lock")
    with file.open("a+") as lock:
        until = time.monotonic() + settings.seconds(ALONE)
        while not _taken(lock, fcntl.LOCK_EX):
            if time.monotonic() > until:
                lock.seek(0)
                said = safe_line(lock.read(300)) or "somebody"
                raise RemoteFailed(
                    f"cannot begin with {what}: {folder} was held for {settings.seconds(ALONE):.0f} s by {said}",
                    hint="wait for it, or end that process when it hangs",
                )
            await asyncio.sleep(_AGAIN)
        lock.truncate(0)
        lock.write(f"pid {os.getpid()}, which does {what}")
        lock.flush()
        yield


def _taken(file: TextIO | int, how: int) -> bool:
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def in_use(tree: Path) -> Iterator[None]:
    """While somebody works in a checkout it is not removed by who needs room.

    This holds as long as this process lives. What it started and left behind is found by the folder it works in.

    Raises:
        RemoteFailed: It was removed just now.
    """
    try:
        held = os.open(tree, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        raise RemoteFailed(f"the checkout {tree} was removed just now", hint="do it again") from None
    try:
        if not _taken(held, fcntl.LOCK_SH) or not _is_made(tree):
            raise RemoteFailed(f"the checkout {tree} is being removed just now", hint="do it again")
        yield
    finally:
        os.close(held)


def tree_of(folder: Path, pinned: Pinned) -> Path:
    """The checkout that the folder which is worked in lies in."""
    return folder if pinned.module == "." else folder.parents[len(Path(pinned.module).parts) - 1]


def _nothing(tree: Path) -> bool:
    del tree
    return False


async def check_out(
    link: Link,
    source: Path,
    pinned: Pinned,
    trees: Path,
    settings: Settings,
    *,
    holds: Callable[[Path], bool] = _nothing,
) -> Path:
    """The folder of a pinned commit in a tree of our own; made when it is not there.

    Args:
        link: To this machine.
        source: The folder as somebody keeps it.
        pinned: What `pin` found.
        trees: A folder of ours for checkouts.
        settings: For waiting times.
        holds: Whether a checkout holds something that somebody waits for, so that it must stay.

    Raises:
        RemoteFailed: It cannot be made.
    """
    tree = trees / pinned.commit
    if not _is_made(tree):
        async with alone(trees, settings, f"the checkout of {pinned.label()}"):
            if not _is_made(tree):
                await _make(link, source, pinned, tree, holds)
    os.utime(tree)
    return tree / pinned.module


def _is_made(tree: Path) -> bool:
    return (tree / _DONE).exists()


async def _make(link: Link, source: Path, pinned: Pinned, tree: Path, holds: Callable[[Path], bool]) -> None:
    await asyncio.to_thread(_begin, tree, holds)
    if pinned.top:
        await _from_git(link, Path(pinned.top), pinned.commit, tree)
    else:
        await asyncio.to_thread(_copy, source, tree)
    await asyncio.to_thread((tree / _DONE).touch)


def _begin(tree: Path, holds: Callable[[Path], bool]) -> None:
    """Room for a new one: older ones that hold nothing and that nobody works in go."""
    busy = _worked_in(tree.parent)
    others = [
        path
        for path in tree.parent.iterdir()
        if path.is_dir() and path != tree and path.name not in busy and not holds(path)
    ]
    others.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    for spare in others[_KEPT - 1 :]:
        _remove(spare)
    tree.mkdir(mode=0o700, exist_ok=True)


def _remove(tree: Path) -> None:
    held = os.open(tree, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if _taken(held, fcntl.LOCK_EX):
            (tree / _DONE).unlink(missing_ok=True)
            shutil.rmtree(tree, ignore_errors=True)
    finally:
        os.close(held)


def _worked_in(trees: Path) -> set[str]:
    """Names of the checkouts that a process works in: a detached one goes on when who started it is gone."""
    trees = trees.resolve()
    found = set()
    for entry in os.listdir("/proc"):  # noqa: PTH208 - one scan of many
        try:
            at = Path(f"/proc/{entry}/cwd").readlink() if entry.isdecimal() else None
        except OSError:
            continue
        if at is not None and at != trees and at.is_relative_to(trees):
            found.add(at.relative_to(trees).parts[0])
    return found


def _copy(source: Path, tree: Path) -> None:
    for path in _files(source):
        copy = tree / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, copy)


async def _from_git(link: Link, top: Path, commit: str, tree: Path) -> None:
    index = tree.with_suffix(".index")
    env = {"GIT_INDEX_FILE": str(index), "GIT_WORK_TREE": str(tree)}
    try:
        for words in (("read-tree", commit), ("checkout-index", "--all", "--force", f"--prefix={tree}/")):
            done = await _git(link, top, *words, env=env)
            if not done.ok:
                raise RemoteFailed(f"cannot check out {commit[:7]} of {top}: {_said(done)}")
    finally:
        index.unlink(missing_ok=True)
