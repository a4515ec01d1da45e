"""Start and stop real hosts: systemd, journald and sshd on an address of 127.78.0.0/16."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lab.real.rootfs import LOGIN, tree
from ondeck.errors import Missing

_BOOT = 60.0  # seconds until systemd says that it is up
_PORT = 2222


@dataclass(slots=True)
class RealHost:
    """A running host.

    Attributes:
        name: Its hostname.
        address: Where its sshd listens.
        port: Of its sshd.
        user: A login with sudo and without a password.
        identity: Private key of the login.
        known_hosts: File with its host key.
        folder: Its own files here; it goes with the host.
        pid: Process id of its systemd, in this machine's counting.
    """

    name: str
    address: str
    port: int
    user: str
    identity: Path
    known_hosts: Path
    folder: Path
    pid: int
    _keeper: subprocess.Popen[str] = field(repr=False)

    def run(self, *argv: str, check: bool = True, timeout: float = 30.0) -> subprocess.CompletedProcess[str]:
        """Run something on the host as root, beside SSH: to prepare and to look.

        Raises:
            CalledProcessError: `check` is true and it ended with another status than 0.
        """
        enter = ["nsenter", f"--target={self.pid}", "--mount", "--pid", "--uts", "--ipc", "--cgroup"]
        return subprocess.run(
            [*enter, "--root", "--wd", "--", *argv],
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=check,
        )

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file on the host as root."""
        target = Path(f"/proc/{self.pid}/root", path.lstrip("/"))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(mode)

    def stop(self) -> None:
        """Pull the plug: every process of the host ends, its changes are gone."""
        if self._keeper.stdin is not None:
            self._keeper.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._keeper.wait(10)
        if self._keeper.poll() is None:
            self._keeper.kill()
            self._keeper.wait()
        if self._keeper.stdout is not None:
            self._keeper.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def _keygen(path: Path) -> str:
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", str(path)],
        stdin=subprocess.DEVNULL,
        check=True,
    )
    return path.with_suffix(".pub").read_text()


def _files(folder: Path, name: str, address: str) -> None:
    """What is laid over the tree: keys, sshd's address, names."""
    ssh = folder / "files/etc/ssh"
    own = folder / "files/home" / LOGIN / ".ssh"
    for each in (ssh / "sshd_config.d", own):
        each.mkdir(parents=True)
    public = _keygen(ssh / "ssh_host_ed25519_key")
    (folder / "known_hosts").write_text(f"[{address}]:{_PORT} {public}")
    keys = ssh / "authorized_keys"
    keys.write_text(_keygen(folder / "id_ed25519"))
    own.rmdir()
    shutil.rmtree(folder / "files/home")
    (ssh / "sshd_config.d/lab.conf").write_text(
        f"ListenAddress {address}\nPort {_PORT}\nAuthorizedKeysFile /etc/ssh/authorized_keys\n"
        "HostKey /etc/ssh/ssh_host_ed25519_key\nPasswordAuthentication no\n"
    )
    (folder / "files/etc/hosts").write_text(f"127.0.0.1 localhost\n{address} {name}\n")


def _free_address() -> str:
    """An address of 127.78.0.0/16 whose port nobody has; tests beside each other take their own."""
    start = os.getpid() % 200
    for number in range(250 * 250):
        address = f"127.78.{(start + number // 250) % 250}.{number % 250 + 2}"
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((address, _PORT))
            return address
    raise Missing("no free address in 127.78.0.0/16")


def boot(name: str, address: str = "") -> RealHost:
    """Start a host; it is not up yet, see `await_up`.

    Raises:
        Missing: There is no tree to start it from, or it did not start.
    """
    shared = tree()
    address = address or _free_address()
    folder = Path(tempfile.mkdtemp(prefix=f"ondeck-lab-{name}-"))
    _files(folder, name, address)
    keeper = subprocess.Popen(
        [sys.executable, "-m", "lab.real.boot", str(shared), str(folder), name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert keeper.stdout is not None  # opened as a pipe
    line = keeper.stdout.readline()
    if not line.strip().isdecimal():
        keeper.wait()
        shutil.rmtree(folder, ignore_errors=True)
        raise Missing(f"{name} did not start; what it said stands above")
    identity = folder / "id_ed25519"
    return RealHost(name, address, _PORT, LOGIN, identity, folder / "known_hosts", folder, int(line), keeper)


def await_up(host: RealHost) -> str:
    """Wait until systemd says `running` or `degraded` and sshd listens; gives that word.

    Raises:
        Missing: It did not come up; the message has its state.
    """
    until = time.monotonic() + _BOOT
    said = ""
    while time.monotonic() < until:
        said = host.run("systemctl", "is-system-running", check=False).stdout.strip()
        if said in ("running", "degraded"):
            with contextlib.suppress(OSError), socket.create_connection((host.address, host.port), 1):
                return said
        time.sleep(0.2)
    raise Missing(f"{host.name} is {said or 'silent'} after {_BOOT:.0f} s")


@contextmanager
def real_hosts(names: Sequence[str]) -> Iterator[tuple[RealHost, ...]]:
    """Hosts that are up, for the time of a `with`.

    Raises:
        Missing: One of them did not come up.
    """
    hosts: list[RealHost] = []
    try:
        for name in names:
            taken = {host.address for host in hosts}
            address = _free_address()
            while address in taken:
                address = _beside(address)
            hosts.append(boot(name, address))
        for host in hosts:
            await_up(host)
        yield tuple(hosts)
    finally:
        for host in hosts:
            host.stop()


def _beside(address: str) -> str:
    front, _, last = address.rpartition(".")
    return f"{front}.{int(last) + 1}"
