"""Which git commit an inventory is, read without running anything that the repository could name."""

from __future__ import annotations

import os
import re
from pathlib import Path

import msgspec

from ondeck.inventory.model import Revision

_HASH = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_REF = re.compile(r"refs/[A-Za-z0-9._/@+-]{1,250}")
SHORT = 7


def commit(root: Path) -> str:
    """Short commit that the folder's repository is at; empty outside one. Starts no process."""
    folder = _git_folder(root)
    if folder is None:
        return ""
    head = _first_line(folder / "HEAD")
    if _HASH.fullmatch(head):
        return head[:SHORT]
    ref = head.removeprefix("ref: ")
    if ref == head or not _REF.fullmatch(ref) or ".." in ref:
        return ""
    shared = _first_line(folder / "commondir")
    common = (folder / shared).resolve() if shared else folder
    for place in (folder, common):
        loose = _first_line(place / ref)
        if _HASH.fullmatch(loose):
            return loose[:SHORT]
    return _packed(common, ref)


def read(root: Path, *, digest: str = "", timeout: float = 5.0) -> Revision:
    """The full revision with `dirty` and `behind`, by asking git; nothing is fetched.

    Hooks, fsmonitor and the user's and system's configuration are switched off, so that looking at a
    foreign repository runs nothing of it. A repository of somebody else than this user or root is not
    asked at all: its own configuration may name filters that git would run. Without git, or on timeout,
    only the commit is filled.

    Args:
        root: Folder of the inventory.
        digest: Passed through.
        timeout: Seconds for each of the two questions.
    """
    plain = Revision(root=str(root), commit=commit(root), digest=digest)
    if not plain.commit or not _trusted(root):
        return plain
    status = _git(root, ["status", "--porcelain=v1", "--untracked-files=normal", "--", "."], timeout)
    behind = _git(root, ["rev-list", "--count", "HEAD..@{upstream}"], timeout)
    return msgspec.structs.replace(
        plain,
        dirty=bool(status and status.strip()),
        behind=int(behind) if behind is not None and behind.strip().isdigit() else -1,
    )


def _git(root: Path, arguments: list[str], timeout: float) -> str | None:
    import subprocess  # only who asks git pays for it

    safe = {
        "core.fsmonitor": "false",
        "core.hooksPath": os.devnull,
        "core.untrackedCache": "false",
        "core.pager": "cat",
        "safe.directory": "*",
        "diff.external": "",
    }
    options = [part for key, value in safe.items() for part in ("-c", f"{key}={value}")]
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "LC_ALL": "C",
        "HOME": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
    }
    try:
        done = subprocess.run(
            ["git", *options, "-C", str(root), *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=timeout,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode("utf-8", errors="replace") if done.returncode == 0 else None


def _trusted(root: Path) -> bool:
    folder = _git_folder(root)
    try:
        return folder is not None and folder.stat().st_uid in (os.getuid(), 0)
    except OSError:
        return False


def _git_folder(root: Path) -> Path | None:
    for folder in (root, *root.parents):
        found = folder / ".git"
        if found.is_dir():
            return found
        if found.is_file():
            named = _first_line(found).removeprefix("gitdir: ")
            return (folder / named).resolve() if named else None
    return None


def _packed(common: Path, ref: str) -> str:
    try:
        with (common / "packed-refs").open(encoding="ascii", errors="replace") as file:
            for line in file:
                found, _, name = line.rstrip("\n").partition(" ")
                if name == ref and _HASH.fullmatch(found):
                    return found[:SHORT]
    except OSError:
        return ""
    return ""


def _first_line(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.readline(512).strip()
    except OSError:
        return ""
