"""A real gnome-keyring, unlocked, on a session bus and in folders of its own; nothing of the user's is touched."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ondeck.errors import Missing

PASSWORD = b"password of the lab"

_IS_LOCKED = (
    "--dest=org.freedesktop.secrets",
    "/org/freedesktop/secrets/aliases/default",
    "org.freedesktop.DBus.Properties.Get",
    "string:org.freedesktop.Secret.Collection",
    "string:Locked",
)


@dataclass(frozen=True, slots=True)
class Keyring:
    """A running keyring.

    Attributes:
        environ: What a program of its session has: the bus, and the folders.
        daemon: To stop it, or to let it hang.
        bus: The message bus of the session.
    """

    environ: dict[str, str]
    daemon: subprocess.Popen[bytes]
    bus: subprocess.Popen[bytes]


@contextlib.contextmanager
def gnome_keyring(folder: Path) -> Iterator[Keyring]:
    """A keyring whose default collection is open, until the context is left.

    Raises:
        Missing: A program is not there, or did not come up.
    """
    for name in ("dbus-daemon", "gnome-keyring-daemon"):
        if shutil.which(name) is None:
            raise Missing(f"there is no {name}", hint="apt-get install gnome-keyring dbus-daemon")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    environ = {"PATH": os.environ.get("PATH", ""), "HOME": str(folder), "LC_ALL": "C.UTF-8"}
    for name in ("XDG_RUNTIME_DIR", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        place = folder / name.lower()
        place.mkdir(mode=0o700, exist_ok=True)
        environ[name] = str(place)
    bus = _bus(folder, environ)
    daemon: subprocess.Popen[bytes] | None = None
    try:
        environ["DBUS_SESSION_BUS_ADDRESS"] = _line(bus, "dbus-daemon")
        daemon = _daemon(environ)
        yield Keyring(environ, daemon, bus)
    finally:
        for process in filter(None, (daemon, bus)):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            for pipe in filter(None, (process.stdin, process.stdout)):
                pipe.close()


# Without folders of services: who asks too early must not start a second keyring, which would be locked.
_CONFIG = """<busconfig>
<type>session</type>
<listen>unix:path={folder}/bus</listen>
<auth>EXTERNAL</auth>
<policy context="default">
<allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/>
</policy>
</busconfig>
"""


def _bus(folder: Path, environ: dict[str, str]) -> subprocess.Popen[bytes]:
    config = folder / "bus.conf"
    config.write_text(_CONFIG.format(folder=folder))
    return subprocess.Popen(
        [
            "dbus-daemon",
            f"--config-file={config}",
            "--nofork",
            "--print-address=1",
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environ,
        start_new_session=True,
    )


def _daemon(environ: dict[str, str]) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        ["gnome-keyring-daemon", "--foreground", "--unlock", "--components=secrets"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environ,
        start_new_session=True,
    )
    assert process.stdin is not None
    process.stdin.write(PASSWORD)
    process.stdin.close()
    for _ in range(200):
        asked = subprocess.run(
            ["dbus-send", "--session", "--print-reply", *_IS_LOCKED],
            env=environ,
            capture_output=True,
            check=False,
        )
        if b"boolean false" in asked.stdout:
            return process
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise Missing("gnome-keyring-daemon did not come up")


def _line(process: subprocess.Popen[bytes], name: str) -> str:
    assert process.stdout is not None
    said = process.stdout.readline().decode().strip()
    if not said:
        raise Missing(f"{name} did not come up")
    return said
