"""`ondeck doctor`: what this machine has for ondeck, what is missing, and what to do about it."""

from __future__ import annotations

import importlib.util
import locale
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import msgspec

from ondeck.counting import counted
from ondeck.errors import ExitCode, OndeckError, Refused
from ondeck.operate import policy
from ondeck.record.lock import REACH
from ondeck.registry import Manifest
from tui.cli.face import Face, form_option, pass_face
from tui.cli.out import Rows


class Finding(msgspec.Struct, frozen=True):
    """One thing looked at: `ok`, `warn` (works, but) or `bad` (something will not work)."""

    what: str
    state: str
    detail: str
    hint: str = ""


def _python(face: Face) -> Iterator[Finding]:
    yield Finding("python", "ok", sys.version.split()[0])


def _terminal(face: Face) -> Iterator[Finding]:
    term = os.environ.get("TERM", "")
    if term in ("", "dumb"):
        yield Finding(
            "terminal", "warn", f"TERM={term or 'unset'}", "the verbs work; the full screen needs a terminal"
        )
    else:
        size = shutil.get_terminal_size()
        yield Finding("terminal", "ok", f"TERM={term}, {size.columns}x{size.lines}")
    encoding = locale.getpreferredencoding(False)
    if encoding.lower().replace("-", "") == "utf8":
        yield Finding("locale", "ok", encoding)
    else:
        yield Finding("locale", "warn", encoding, "set LANG=C.UTF-8; until then everything is drawn in ASCII")


def _state(face: Face) -> Iterator[Finding]:
    folder = face.settings.state
    if not folder.exists():
        yield Finding("state folder", "ok", f"{folder} (made at first use)")
        return
    mode = folder.stat().st_mode & 0o777
    if not os.access(folder, os.W_OK):
        yield Finding(
            "state folder", "bad", f"{folder} cannot be written", "changes are refused until it can be"
        )
    elif mode & 0o077 and not folder.stat().st_mode & 0o2000:
        yield Finding("state folder", "bad", f"{folder} is open to others ({mode:o})", f"chmod 700 {folder}")
    else:
        yield Finding("state folder", "ok", str(folder))


def _locks(face: Face) -> Iterator[Finding]:
    yield Finding(
        "locks",
        "warn",
        f"a lock holds {REACH}",
        "another login, state folder or bastion is not kept out: agree by word",
    )


def _rules(face: Face) -> Iterator[Finding]:
    settings = face.settings
    for path, whose in ((settings.policy_floor, ""), (settings.policy_more, " (ONDECK_POLICY)")):
        if path is None:
            continue
        try:
            policy.load_floor(path)
        except Refused as error:
            yield Finding("policy", "bad", f"{error.message}{whose}", error.hint)
            continue
        if path.exists():
            yield Finding("policy", "ok", f"{path}{whose} tightens the inventory's rules")
        elif whose:
            yield Finding(
                "policy", "warn", f"{path}{whose} is not there", "it adds nothing; nothing is taken away"
            )
        else:
            yield Finding("policy", "ok", f"no {path}: the inventory's rules alone")


def _inventory(face: Face) -> Iterator[Finding]:
    try:
        inventory = face.deck.inventory
    except OndeckError as error:
        yield Finding("inventory", "bad", error.message, error.hint)
        return
    yield Finding("inventory", "ok", f"{inventory.revision.root}, {counted(len(inventory.hosts), 'host')}")


def _secrets(face: Face) -> Iterator[Finding]:
    from ondeck.operate import creds

    try:
        looks = creds.references(face.deck)
    except OndeckError:
        return
    lost = [look.reference for look in looks if look.resolves is creds.Resolves.NO]
    if lost:
        yield Finding("secrets", "warn", f"not to be had: {', '.join(dict.fromkeys(lost))}", "ondeck creds")
    elif looks:
        yield Finding(
            "secrets", "ok", f"{counted(len(looks), 'reference')}; to ask for each: ondeck creds --check"
        )


def _agent(face: Face) -> Iterator[Finding]:
    socket = os.environ.get("SSH_AUTH_SOCK", "")
    if not socket:
        yield Finding(
            "ssh agent",
            "warn",
            "SSH_AUTH_SOCK is not set",
            "log in with ssh -A, or name IdentityFile in ssh_config",
        )
        return
    if not Path(socket).exists():
        yield Finding("ssh agent", "bad", f"{socket} is gone", "in tmux: export the socket of the new login")
        return
    try:
        done = subprocess.run(
            ["ssh-add", "-l"], capture_output=True, timeout=5, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        yield Finding("ssh agent", "warn", f"ssh-add: {error}")
        return
    if done.returncode == 0:
        yield Finding("ssh agent", "ok", counted(len(done.stdout.splitlines()), "key"))
    else:
        yield Finding("ssh agent", "warn", "no key in the agent", "ssh-add")


def _providers(face: Face) -> Iterator[Finding]:
    for name in face.registry.names():
        try:
            manifest = face.registry.manifest(name)
        except OndeckError as error:
            yield Finding(f"provider {name}", "bad", error.message, error.hint)
            continue
        yield _needs(manifest)


def _needs(manifest: Manifest) -> Finding:
    absent = [need for need in manifest.needs if not _present(need)]
    if absent:
        return Finding(
            f"provider {manifest.name}",
            "warn",
            f"not found: {', '.join(absent)}",
            "it works without where it can",
        )
    return Finding(f"provider {manifest.name}", "ok", manifest.title)


def _present(need: str) -> bool:
    """A program on PATH, or `python:NAME` for a library."""
    if need.startswith("python:"):
        return importlib.util.find_spec(need.removeprefix("python:")) is not None
    return shutil.which(need) is not None


_LOOKS: tuple[Callable[[Face], Iterator[Finding]], ...] = (
    _python,
    _terminal,
    _state,
    _locks,
    _rules,
    _inventory,
    _secrets,
    _agent,
    _providers,
)


@click.command()
@form_option
@pass_face
def doctor(face: Face, form: str) -> int:
    """Look at this machine and say what works, what does not, and what to do."""
    findings = [finding for look in _LOOKS for finding in look(face)]
    face.rows(
        Rows(
            ("state", "what", "detail", "hint"),
            tuple((f.state, f.what, f.detail, f.hint) for f in findings),
            below=("hint",),
        ),
        form,
    )
    return int(ExitCode.FAILED if any(f.state == "bad" for f in findings) else ExitCode.OK)
