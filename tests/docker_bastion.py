"""An `ondeck` over real engines: hosts are sshd on loopback, whose engines are reached over that very connection."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker

from lab.docker import engine as engines
from lab.docker import registry as registries
from lab.docker.engine import Engine
from lab.docker.registry import Registry
from tests.contract.sshd import Sshd, serving
from tests.required import cannot

ONDECK = str(Path(sys.executable).parent / "ondeck")

COMPOSE = """services:
  web:
    ports: ["${address}:8080:8080"]
    stop_grace_period: 3s
    restart: unless-stopped
    environment: {HOST: "${host}"}
"""


@dataclass(frozen=True, slots=True)
class Said:
    """One command that ended."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        return json.loads(self.out)


@dataclass(slots=True)
class Bastion:
    """A folder with inventory and state of its own; the registry has the service's images."""

    folder: Path
    engines: dict[str, Engine]
    registry: Registry
    sshds: dict[str, Sshd]
    digests: dict[str, str] = field(default_factory=dict)
    timescale: float = 0.3

    @property
    def environment(self) -> dict[str, str]:
        home = str(self.folder / "home")
        path = f"{Path(ONDECK).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        return {
            **os.environ,
            "HOME": home,
            "XDG_STATE_HOME": f"{home}/state",
            "XDG_CACHE_HOME": f"{home}/cache",
            "XDG_CONFIG_HOME": f"{home}/config",
            "ONDECK_INVENTORY": str(self.folder / "inventory"),
            "ONDECK_TIMESCALE": str(self.timescale),
            "TERM": "dumb",
            "PATH": path,
        }

    def run(self, *argv: str, code: int | None = 0, timeout: float = 120.0) -> Said:
        """Run `ondeck`; with `code` its exit code must be that one."""
        done = subprocess.run(
            [ONDECK, *argv], env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            errors="replace", timeout=timeout, check=False,
        )  # fmt: skip
        said = Said(done.returncode, done.stdout, done.stderr)
        assert code is None or said.code == code, f"ondeck {shlex.join(argv)}: wanted {code}\n{said}"
        return said

    def start(self, *argv: str) -> subprocess.Popen[str]:
        """An `ondeck` that goes on; the caller waits for it."""
        return subprocess.Popen(
            [ONDECK, *argv], env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def deploy(self, version: str, *more: str, code: int | None = 0) -> Said:
        return self.run("deploy", "checkout@prod", version, "--yes", "--reason", "a test", *more, code=code)

    def job(self, name: str = "") -> dict[str, Any]:
        """The newest job, or one by name."""
        name = name or str(self.run("jobs", "-o", "json").data[0]["job"])
        found: dict[str, Any] = self.run("jobs", name, "-o", "json").data
        return found

    def api(self, host: str) -> docker.APIClient:
        return docker.APIClient(base_url=f"unix://{self.engines[host].socket}", version="auto", timeout=30)

    def containers(self, host: str) -> list[dict[str, Any]]:
        """Every container of the service, as the engine tells it beside ondeck."""
        api = self.api(host)
        try:
            listed = api.containers(all=True, filters={"label": "ondeck.service=checkout"})
            return [api.inspect_container(one["Id"]) for one in listed]
        finally:
            api.close()

    def running(self, host: str) -> list[str]:
        """Versions that run on a host."""
        return [
            one["Config"]["Labels"]["ondeck.version"]
            for one in self.containers(host)
            if one["State"]["Running"]
        ]

    def serves(self, host: str) -> str:
        """What the host's address itself answers; empty when nothing does."""
        import http.client

        line = http.client.HTTPConnection(self.sshds[host].address, 8080, timeout=3)
        try:
            line.request("GET", "/version")
            return line.getresponse().read().decode()
        except OSError:
            return ""
        finally:
            line.close()


def _inventory(bastion: Bastion, **deploy: Any) -> None:
    folder = bastion.folder / "inventory"
    folder.mkdir()
    (bastion.folder / "home").mkdir(mode=0o700)
    first = next(iter(bastion.sshds.values()))
    (folder / "known_hosts").write_text("".join(s.known_hosts.read_text() for s in bastion.sshds.values()))
    (folder / "ssh_config").write_text(
        f"IdentityFile {first.folder / 'id'}\nIdentitiesOnly yes\nIdentityAgent none\n"
    )
    for sshd in bastion.sshds.values():
        # One key opens all of them.
        (sshd.folder / "authorized_keys").write_text((first.folder / "id.pub").read_text())
    sockets = bastion.folder / "sockets"
    sockets.mkdir()
    for host, engine in bastion.engines.items():
        (sockets / host).symlink_to(engine.socket)
    short = bastion.engines[next(iter(bastion.engines))].folder / "sockets"
    short.symlink_to(sockets)
    # Beside, not among, the files of the inventory: all that lie in its folder are read as one.
    (folder / "compose").mkdir()
    (folder / "compose" / "checkout.yml").write_text(COMPOSE)
    files = {
        "ondeck": 1,
        "ssh": {"known_hosts": "./known_hosts", "config": str(folder / "ssh_config")},
        "environments": {"prod": {"colour": "red", "protection": "confirm"}},
        "hosts": {
            host: {
                "env": "prod", "group": ["web"], "address": s.address, "port": str(s.port), "user": s.user,
            }
            for host, s in bastion.sshds.items()
        },
        "clusters": {
            f"eng-{n}": {"kind": "docker", "env": "prod", "host": host, "socket": str(engine.socket)}
            for n, (host, engine) in enumerate(bastion.engines.items(), 1)
        },
        "services": {
            "checkout": {
                "on": {"prod": "group=web"},
                "deploy": {
                    "kind": "docker",
                    "image": f"{bastion.registry.name}/shop/checkout",
                    "compose": {"file": "compose/checkout.yml", "service": "web"},
                    "socket": f"{short}/${{host}}",
                    "batches": ["1", "100%"],
                    "lives": "15s",
                    **deploy,
                },
                "health": {
                    "http": "http://${address}:8080/healthz", "times": "3", "every": "1s", "within": "30s",
                },
                "logs": {"app": {"docker": "checkout"}},
            }
        },
    }  # fmt: skip
    (folder / "ondeck.yml").write_text(json.dumps(files))


@contextlib.contextmanager
def docker_bastion(folder: Path, hosts: int = 2, **deploy: Any) -> Iterator[Bastion]:
    """Engines, a registry, an sshd for each host and an inventory over them; skips where they cannot be had."""
    if why := engines.lacking() or registries.lacking():
        cannot(why)
    names = [f"web-{n + 1}" for n in range(hosts)]
    with contextlib.ExitStack() as stack:
        registry = stack.enter_context(registries.registry())
        started = stack.enter_context(engines.engines(names))
        sshds = {name: stack.enter_context(serving(folder / f"sshd-{name}")) for name in names}
        bastion = Bastion(folder, dict(zip(names, started, strict=True)), registry, sshds)
        _inventory(bastion, **deploy)
        for version in ("2.13.2", "2.14.0", "2.15.0"):
            bastion.digests[version] = registry.put(version).removeprefix("sha256:")
        yield bastion
