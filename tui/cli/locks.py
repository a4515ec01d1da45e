"""`lock ls`, `lock break` and `with-lock`: who is at work on what."""

from __future__ import annotations

import os
import shlex
import subprocess
import time

import click

from ondeck import times
from ondeck.errors import BadInput, ExitCode, Refused
from ondeck.operate.allowed import allow
from ondeck.record.lock import Lock, Owner
from tui.cli.face import Face, form_option, pass_face
from tui.cli.out import At, Rows


@click.group()
def lock() -> None:
    """Who holds which lock; break one that nobody living holds."""


@lock.command("ls")
@form_option
@pass_face
def list_(face: Face, form: str) -> int:
    """Every lock that is not free: held by a living job, or kept because an outcome is unknown."""
    rows = tuple(
        (v.key, "held" if v.held else "in doubt", v.job, v.actor, At(v.since), v.reason)
        for v in face.deck.record.locks()
    )
    titles = ("lock", "state", "job", "by", "since", "reason")
    face.rows(Rows(titles, rows, spare=("reason",), drop=("since", "job")), form)
    return int(ExitCode.OK)


@lock.command("break")
@click.argument("key")
@click.option("--confirm", required=True, metavar="KEY", help="The key once more.")
@click.option("--reason", required=True, help="Why; goes into the audit.")
@pass_face
def break_(face: Face, key: str, confirm: str, reason: str) -> int:
    """Free the lock of a job that is over, against its doubt; a living job keeps its lock."""
    allow(face.deck, "lock-break", key.rpartition("@")[2], subject=key, reason=reason)
    face.deck.record.break_lock(key, typed=confirm, reason=reason)
    face.say(f"{key} is free")
    return int(ExitCode.OK)


def _take(held: Lock, owner: Owner, face: Face, wait: float) -> None:
    deadline = time.monotonic() + wait
    while (other := held.take(owner, face.deck.record.in_doubt)) is not None:
        if time.monotonic() >= deadline:
            who = f"{other.actor} ({other.job}): {other.reason}"
            raise Refused(
                f"{owner.key} is held by {who}, since {times.iso(other.since)}", hint="--lock-wait 15m waits"
            )
        time.sleep(face.settings.seconds(0.5))


@click.command("with-lock", context_settings={"ignore_unknown_options": True})
@click.argument("key", metavar="SERVICE@ENV")
@click.option("--reason", required=True, help="Why, e.g. ci#4411; others see it.")
@click.option("--lock-wait", default="", metavar="SPAN", help="Wait so long for the lock.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@pass_face
def with_lock(face: Face, key: str, reason: str, lock_wait: str, command: tuple[str, ...]) -> int:
    """Run a local command while holding a service's lock, for deploys that are not ondeck's own.

    Ends with the command's exit status. The command holds the lock too: killing ondeck does not free it.
    """
    name, at, env = key.partition("@")
    service = face.deck.inventory.services.get(name)
    if not at or service is None or env not in service.on:
        raise BadInput(f"{key!r} is no service in an environment", hint="ondeck get services")
    allow(face.deck, "with-lock", env, subject=key, reason=reason)
    pid, who = os.getpid(), face.settings.actor
    owner = Owner(key=key, job=f"pid {pid}", actor=who, reason=reason, since=time.time_ns(), pid=pid)
    held = Lock(face.deck.record.locks_root, key)
    _take(held, owner, face, times.span(lock_wait, what="--lock-wait") if lock_wait else 0.0)
    try:
        _note(face, owner, env, f"begins: {shlex.join(command)}")
        status = subprocess.run(list(command), check=False, pass_fds=(held.fileno(),)).returncode
        _note(face, owner, env, f"ended with status {status}")
    except OSError as error:
        raise BadInput(f"{command[0]}: {error.strerror}") from error
    finally:
        held.release(clear=True)
    # As a shell says it: 143 for a command that SIGTERM ended.
    return status if status >= 0 else 128 - status


def _note(face: Face, owner: Owner, env: str, text: str) -> None:
    face.deck.record.audit.append(
        "with-lock",
        actor=owner.actor,
        job=owner.job,
        subject=owner.key,
        env=env,
        reason=owner.reason,
        text=text,
    )
