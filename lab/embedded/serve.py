"""`python -m lab.embedded.serve BASE INVENTORY`: the demo's hosts, for as long as standard input is open.

Prints one line of JSON when every host serves. Ends, with all that it started and with BASE, when
standard input ends (also when the other side was killed) or on SIGTERM, SIGINT and SIGHUP.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import sys
import time
from pathlib import Path

import asyncssh

from lab.embedded import releases
from lab.embedded.host import Start, best_way, launch
from lab.embedded.names import HOSTS, LOGIN, NETWORK, SSH_PORT, WEB_PORT, Way

_NETWORKS = 64
_START = 20.0  # seconds until every host must serve


def listen() -> tuple[str, list[socket.socket]]:
    """Sockets of all hosts in the first network of 127.77.N.0 where all of their ports are free.

    Raises:
        OSError: None of the networks is free.
    """
    for number in range(_NETWORKS):
        network = f"127.77.{number}."
        taken: list[socket.socket] = []
        try:
            for host in HOSTS:
                address = host.address(network)
                with socket.socket() as web:
                    web.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    web.bind((address, WEB_PORT))
                taken.append(socket.create_server((address, SSH_PORT), backlog=128))
        except OSError:
            for each in taken:
                each.close()
            continue
        return network, taken
    raise OSError("no free addresses in 127.77.0.0/18 for the demo's hosts")


def write_inventory(
    source: Path, base: Path, network: str, host_keys: dict[str, str], now: float
) -> dict[str, str]:
    """The demo's copy of the inventory, with its own known_hosts, ssh_config and releases.

    Gives the sha256 of the releases by version.
    """
    inventory = base / "inventory"
    shutil.copytree(source, inventory, ignore=shutil.ignore_patterns("releases", ".git"))
    config = base / "ssh_config"
    for path in inventory.glob("*.yml"):
        text = path.read_text().replace(NETWORK, network)
        text = text.replace("  # config: ~/.ssh/config ", f"  config: {config} #")
        path.write_text(text)
    known = "".join(
        f"[{host.address(network)}]:{SSH_PORT},[{host.name}]:{SSH_PORT} {host_keys[host.name]}"
        for host in HOSTS
    )
    (inventory / "known_hosts").write_text(known)
    blocks = [f"Host {host.name}\n  HostName {host.address(network)}\n" for host in HOSTS]
    everything = (
        f"Host {' '.join(host.name for host in HOSTS)} {network}*\n"
        f"  Port {SSH_PORT}\n  User {LOGIN}\n  IdentityFile {base / 'id_ed25519'}\n  IdentitiesOnly yes\n"
        f"  IdentityAgent none\n  UserKnownHostsFile {inventory / 'known_hosts'}\n"
        "  StrictHostKeyChecking yes\n"
    )
    config.write_text("".join(blocks) + everything)
    return releases.build(inventory / "releases", now)


def _keys(base: Path) -> tuple[str, dict[str, asyncssh.SSHKey]]:
    login = asyncssh.generate_private_key("ssh-ed25519", comment="ondeck demo")
    path = base / "id_ed25519"
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(login.export_private_key())
    public = login.export_public_key().decode()
    path.with_suffix(".pub").write_text(public)
    return public, {host.name: asyncssh.generate_private_key("ssh-ed25519") for host in HOSTS}


def _stop(keepers: list[int], base: Path) -> None:
    for keeper in keepers:
        with contextlib.suppress(ProcessLookupError):
            os.kill(keeper, signal.SIGTERM)
    for keeper in keepers:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(keeper, 0)
    shutil.rmtree(base, ignore_errors=True)


def _await_ready(pipe: int) -> None:
    until = time.monotonic() + _START
    got = 0
    while got < len(HOSTS):
        readable, _, _ = select.select([pipe], [], [], max(0.0, until - time.monotonic()))
        data = os.read(pipe, len(HOSTS)) if readable else b""
        if not data:
            raise OSError(f"{len(HOSTS) - got} of {len(HOSTS)} demo hosts did not start")
        got += len(data)


def _wait_for_end(wake: int) -> None:
    """Until standard input ends or a signal comes."""
    while True:
        readable, _, _ = select.select([0, wake], [], [])
        if wake in readable or not os.read(0, 4096):
            return


def main(base: Path, source: Path, wanted: str = "") -> int:
    """Start, say so, and stay until the other side goes."""
    wake, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.set_wakeup_fd(waker)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    keepers: list[int] = []
    try:
        way = Way(wanted) if wanted else best_way()
        network, sockets = listen()
        authorized, keys = _keys(base)
        now = time.time()
        public = {name: key.export_public_key().decode() for name, key in keys.items()}
        sums = write_inventory(source, base, network, public, now)
        ready, told = os.pipe()
        for host, listening in zip(HOSTS, sockets, strict=True):
            start = Start(host, way, base, network, listening, keys[host.name], authorized, sums, now, told)
            others = [each.fileno() for each in sockets if each is not listening]
            keepers.append(launch(start, [*others, ready, wake, waker]))
        os.close(told)
        _await_ready(ready)
        hosts = {host.name: host.address(network) for host in HOSTS}
        pids = {host.name: keeper for host, keeper in zip(HOSTS, keepers, strict=True)}
        said = {"way": way.value, "hosts": hosts, "keepers": pids, "began": now}
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()
        _wait_for_end(wake)
    except OSError as error:
        sys.stderr.write(f"the demo's hosts cannot start: {error}\n")
        return 1
    finally:
        _stop(keepers, base)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:4]))
