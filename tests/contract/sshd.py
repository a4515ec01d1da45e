"""A real OpenSSH server on an address of 127.0.0.0/8 with its own keys, for tests that mean it."""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from ondeck.inventory.model import Environment, Host, Inventory, Revision, SshDefaults
from ondeck.settings import Settings

_SSHD = "/usr/sbin/sshd"
_numbers = itertools.count(2)


class Sshd(msgspec.Struct, frozen=True):
    """A running server: where it is, and what to know to log in."""

    folder: Path
    address: str
    port: int
    user: str
    process: subprocess.Popen[bytes]

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def key(self, name: str = "host_ed25519") -> str:
        """A host key's public line, algorithm and data."""
        return " ".join((self.folder / f"{name}.pub").read_text().split()[:2])

    def host(self, name: str = "web-1", **more: object) -> Host:
        given: dict[str, object] = {"address": self.address, "port": self.port, "user": self.user}
        return Host(name=name, env="test", **{**given, **more})  # type: ignore[arg-type]

    def inventory(self, *hosts: Host, known_hosts: Path | None = None, fallback: bool = False) -> Inventory:
        return Inventory(
            revision=Revision(root=str(self.folder)),
            ssh=SshDefaults(
                known_hosts=str(known_hosts or self.known_hosts),
                config=str(self.folder / "ssh_config"),
                fallback=fallback,
            ),
            environments={"test": Environment(name="test")},
            hosts={host.name: host for host in hosts or (self.host(),)},
        )

    def sessions(self) -> list[int]:
        """Process ids of the server's connections."""
        return children(self.process.pid)

    def kill_sessions(self, sign: signal.Signals = signal.SIGKILL) -> None:
        """Kill what serves the open connections, as a crash would."""
        for pid in self.sessions():
            for child in (*children(pid), pid):
                with contextlib.suppress(ProcessLookupError, FileNotFoundError):
                    if b"sshd" in Path(f"/proc/{child}/cmdline").read_bytes():
                        os.kill(child, sign)


def children(pid: int) -> list[int]:
    """Processes whose parent is a process."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[1]) == pid:
                found.append(int(stat.parent.name))
    return found


def _keygen(path: Path, kind: str = "ed25519") -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", str(path)], check=True)


def _free_port(address: str) -> int:
    with socket.socket() as sock:
        sock.bind((address, 0))
        return int(sock.getsockname()[1])


def _wait(address: str, port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(400):
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError), socket.create_connection((address, port), 0.5):
            return
        time.sleep(0.025)
    raise RuntimeError(f"sshd did not come up: {log.read_text(errors='replace')}")


@contextlib.contextmanager
def serving(
    folder: Path, *options: str, keys: tuple[str, ...] = ("ed25519",), path: str = ""
) -> Iterator[Sshd]:
    """A server in a fresh folder; `options` are lines of its configuration, `path` is PATH of its sessions.

    Skips the test when there is no OpenSSH server here.
    """
    if not Path(_SSHD).exists():
        pytest.skip("no /usr/sbin/sshd: install openssh-server")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    address = f"127.0.{os.getpid() % 200 + 20}.{next(_numbers) % 250 + 2}"
    home = folder / "home"
    home.mkdir(exist_ok=True)
    (folder / "ssh_config").write_text(
        f"IdentityFile {folder / 'id'}\nIdentitiesOnly yes\nIdentityAgent none\n"
    )
    if not (folder / "id").exists():
        _keygen(folder / "id")
        shutil.copy(folder / "id.pub", folder / "authorized_keys")
    for kind in keys:
        if not (folder / f"host_{kind}").exists():
            _keygen(folder / f"host_{kind}", kind)
    port = _free_port(address)
    lines = [
        *options,
        f"ListenAddress {address}",
        f"Port {port}",
        *(f"HostKey {folder / f'host_{kind}'}" for kind in keys),
        f"PidFile {folder / 'pid'}",
        f"AuthorizedKeysFile {folder / 'authorized_keys'}",
        "StrictModes no",
        "UsePAM no",
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
        "PermitRootLogin prohibit-password",
        f"SetEnv HOME={home}" + (f" PATH={path}" if path else ""),
    ]
    (folder / "sshd_config").write_text("\n".join(lines) + "\n")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    log = folder / "log"
    process = subprocess.Popen(
        [_SSHD, "-D", "-E", str(log), "-f", str(folder / "sshd_config")],
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    server = Sshd(folder, address, port, pwd.getpwuid(os.geteuid()).pw_name, process)
    try:
        _wait(address, port, process, log)
        name = f"[{address}]:{port}"
        server.known_hosts.write_text("".join(f"{name} {server.key(f'host_{kind}')}\n" for kind in keys))
        yield server
    finally:
        for pid in server.sessions():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.kill()
        process.wait()


def settings(folder: Path, timescale: float = 1.0) -> Settings:
    """Settings whose folders are all inside one."""
    return Settings(
        state=folder / "state", cache=folder / "cache", config=folder / "config", timescale=timescale
    )
