"""How a worker comes to life: its own session, no terminal, one message on its standard input."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import msgspec

from ondeck.errors import Refused
from ondeck.job.events import Mode
from ondeck.operate.notify import Route
from ondeck.record.folder import broken, open_private
from ondeck.record.jobfolder import JobFolder
from ondeck.secret import Secret
from ondeck.settings import Settings

_LENT = ("SSH_AUTH_SOCK",)
_KEPT = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "XDG_RUNTIME_DIR")


class Handshake(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker is told, once. It never stands in a file, in argv or in the environment.

    Attributes:
        secrets: Reference -> value.
        ends: Reference -> when the value ends, ns; only of those that do.
        route: How people are told when it needs one.
        lent: Environment that a person lends for this job.
        manifests: Dotted paths of further manifests; only tests and demos give any.
        fault: `N` or `N-`: die right after or right before record N; only tests give it.
    """

    mode: Mode
    state: str
    cache: str
    config: str
    inventory: str
    policy_floor: str
    policy_more: str = ""
    timescale: float
    actor: str
    read_only: bool
    secrets: dict[str, str] = {}
    ends: dict[str, int] = {}
    route: Route | None = None
    lent: dict[str, str] = {}
    manifests: tuple[str, ...] = ()
    fault: str = ""

    def settings(self) -> Settings:
        """The settings of who started it."""
        return Settings(
            state=Path(self.state),
            cache=Path(self.cache),
            config=Path(self.config),
            inventory=Path(self.inventory) if self.inventory else None,
            policy_floor=Path(self.policy_floor),
            policy_more=Path(self.policy_more) if self.policy_more else None,
            timescale=self.timescale,
            actor=self.actor,
            read_only=self.read_only,
        )


def spawn(
    at: JobFolder,
    settings: Settings,
    mode: Mode,
    secrets: Mapping[str, Secret],
    manifests: tuple[str, ...] = (),
    route: Route | None = None,
) -> None:
    """Start the worker of a job; it lives on when this process ends.

    Raises:
        Refused: A worker holds this job already.
        StateBroken: Its files cannot be opened.
    """
    hand = Handshake(
        mode=mode,
        state=str(settings.state.absolute()),
        cache=str(settings.cache),
        config=str(settings.config),
        inventory=str(settings.inventory or ""),
        policy_floor=str(settings.policy_floor),
        policy_more=str(settings.policy_more or ""),
        timescale=settings.timescale,
        actor=settings.actor,
        read_only=settings.read_only,
        secrets={reference: secret.reveal() for reference, secret in secrets.items()},
        ends={reference: secret.ends for reference, secret in secrets.items() if secret.ends},
        route=route,
        lent={name: os.environ[name] for name in _LENT if name in os.environ},
        manifests=manifests,
        # Only a deck that was given manifests, so a test: a stray variable must not kill a real job.
        fault=os.environ.get("ONDECK_FAULT_AT", "") if manifests else "",
    )
    alive = at.hold()
    if alive is None:
        raise Refused(f"a worker holds job {at.id} already", hint=f"ondeck attach {at.id}")
    try:
        log = open_private(at.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            _start(at, alive, log, msgspec.json.encode(hand))
        finally:
            os.close(log)
    finally:
        os.close(alive)


def _start(at: JobFolder, alive: int, log: int, message: bytes) -> None:
    environ = {name: os.environ[name] for name in _KEPT if name in os.environ}
    try:
        process = subprocess.Popen(
            [sys.executable, "-I", "-m", "ondeck.operate.worker", str(at.path.absolute()), str(alive)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            cwd=at.path,
            env=environ,
            start_new_session=True,
            pass_fds=(alive,),
        )
    except OSError as error:
        raise broken(at.path, error) from error
    # Reaped when it ends before us; when we end first, init does it.
    threading.Thread(target=process.wait, daemon=True, name=f"reap-{at.id}").start()
    assert process.stdin is not None
    try:
        process.stdin.write(message)
        process.stdin.close()
    except BrokenPipeError:
        # It died before it read its orders; its folder tells so to whoever looks.
        return
