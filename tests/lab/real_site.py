"""An inventory of the real hosts with a small service under systemd, and the `ondeck` that works on it."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import shlex
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.real.systemd_host import RealHost

ONDECK = str(Path(sys.executable).parent / "ondeck")
PORT = 8099
UNIT = """[Unit]
Description=greeter of the lab
[Service]
User=shop
ExecStart=/usr/bin/python3 /srv/greeter/current/serve.py
Restart=on-failure
RestartSec=200ms
[Install]
WantedBy=multi-user.target
"""
# python3-minimal has no http.server: sockets are enough for a health check.
SERVE = """import socket, sys, threading, os
version = open("/srv/greeter/current/VERSION").read().strip()
print("greeter", version, "serves", flush=True)
if version == "3.0":
    threading.Timer(2.0, lambda: (print("out of luck", flush=True), os._exit(7))).start()
server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind((sys.argv[1] if len(sys.argv) > 1 else open("/etc/greeter").read().strip(), PORT))
server.listen(16)
while True:
    client, _ = server.accept()
    client.recv(4096)
    body = version.encode()
    client.sendall(b"HTTP/1.0 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(body) + body)
    client.close()
""".replace("PORT", str(PORT))


@dataclass(frozen=True, slots=True)
class Said:
    """One command that ended."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class Site:
    """A folder with inventory and state of its own, over hosts that are up."""

    folder: Path
    hosts: tuple[RealHost, ...]

    @property
    def environment(self) -> dict[str, str]:
        home = str(self.folder / "home")
        return {
            **os.environ,
            "HOME": home,
            "XDG_STATE_HOME": f"{home}/state",
            "XDG_CACHE_HOME": f"{home}/cache",
            "XDG_CONFIG_HOME": f"{home}/config",
            "ONDECK_INVENTORY": str(self.folder / "inventory"),
            "ONDECK_TIMESCALE": "1",
            "TERM": "dumb",
        }

    def run(self, *argv: str, code: int | None = 0, timeout: float = 90.0) -> Said:
        """Run `ondeck`; with `code` its exit code must be that one."""
        done = subprocess.run(
            [ONDECK, *argv],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
        said = Said(done.returncode, done.stdout, done.stderr)
        assert code is None or said.code == code, f"ondeck {shlex.join(argv)}: wanted {code}\n{said}"
        return said

    def start(self, *argv: str) -> subprocess.Popen[str]:
        """An `ondeck` that goes on; the caller ends it."""
        return subprocess.Popen(
            [ONDECK, *argv],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def newest(self) -> str:
        return str(self.run("jobs", "-o", "json").data[0]["job"])

    def job(self, name: str = "") -> dict[str, Any]:
        found: dict[str, Any] = self.run("jobs", name or self.newest(), "-o", "json").data
        return found


def _archive(folder: Path, version: str) -> None:
    packed = io.BytesIO()
    # One version is one build: without a time in it, every site over the same hosts makes the same bytes.
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as tar,
    ):
        for name, text in (("VERSION", f"{version}\n"), ("serve.py", SERVE)):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(text), 0o644
            tar.addfile(entry, io.BytesIO(text.encode()))
    path = folder / f"greeter-{version}.tar.gz"
    path.write_bytes(packed.getvalue())
    digest = hashlib.sha256(packed.getvalue()).hexdigest()
    path.with_name(path.name + ".sha256").write_text(f"{digest}  {path.name}\n")


def _inventory(folder: Path, hosts: tuple[RealHost, ...]) -> None:
    folder.mkdir(parents=True)
    (folder / "releases").mkdir()
    for version in ("1.0", "2.0", "3.0"):
        _archive(folder / "releases", version)
    blocks = "".join(
        f"Host {host.address}\n  IdentityFile {host.identity}\n  IdentitiesOnly yes\n" for host in hosts
    )
    (folder / "ssh_config").write_text(blocks)
    rows = "".join(
        f"  {host.name}: {{env: prod, group: [web], address: {host.address}, port: {host.port}, "
        f"user: {host.user}, become: sudo}}\n"
        for host in hosts
    )
    (folder / "ondeck.yml").write_text(
        f"""ondeck: 1
ssh: {{known_hosts: ./known_hosts, config: {folder / "ssh_config"}}}
environments:
  prod: {{protection: confirm, read_commands: [id *, hostname, systemctl status *, cat *]}}
hosts:
{rows}services:
  greeter:
    on: {{prod: group=web}}
    units: [greeter.service]
    deploy:
      kind: release-dir
      path: /srv/greeter
      archives: ./releases/greeter-${{version}}.tar.gz
      unit: greeter.service
      become: true
      user: shop
      batches: [1, 100%]
      drain: [touch, /tmp/drained]
      undrain: [rm, /tmp/drained]
    health: {{http: "http://${{address}}:{PORT}/", times: 3, every: 1s, timeout: 2s, within: 15s, settle: 3s}}
    logs:
      app: {{unit: greeter.service, become: true}}
      file: {{file: /var/log/greeter.log}}
"""
    )


def site(folder: Path, hosts: tuple[RealHost, ...]) -> Site:
    """Prepare the hosts (user, unit, address) and write the inventory; no host key is known yet."""
    (folder / "home").mkdir(mode=0o700)
    for host in hosts:
        host.run("useradd", "--create-home", "--shell", "/bin/bash", "shop", check=False)
        host.run("useradd", "--create-home", "vault", check=False)
        host.write("/etc/sudoers.d/lab", "ops ALL=(ALL, !vault) NOPASSWD: ALL\n", 0o440)
        host.write("/etc/systemd/system/greeter.service", UNIT)
        host.write("/etc/greeter", f"{host.address}\n")
        host.run("systemctl", "daemon-reload")
    _inventory(folder / "inventory", hosts)
    return Site(folder, hosts)
