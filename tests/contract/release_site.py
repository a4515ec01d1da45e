"""A small real site: a Python service with releases, on hosts that are folders of this machine."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import signal
import socket
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from ondeck.errors import LinkLost, Unreachable
from ondeck.inventory.model import (
    Deploy,
    Environment,
    HealthCheck,
    Host,
    Inventory,
    Migration,
    Revision,
    Service,
    Signal,
)
from ondeck.job.finding import Attempt
from ondeck.job.plan import Draft, Plan, Request
from ondeck.reach.ports import Link, Reach
from ondeck.secret import Secret
from ondeck.settings import Settings
from ondeck.testing.operator_suite import CutReach, Cuts
from providers.local.reach import LocalReach
from providers.release.operator import ReleaseOperator
from providers.release.reader import ReleaseReader

_APP = """
import http.server, os, sys
mode = open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "mode")).read().strip()
if mode == "dies":
    sys.exit(3)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        code = 503 if mode == "bad" else 200
        self.send_response(code)
        self.end_headers()
        self.wfile.write(mode.encode())
    def log_message(self, *args):
        pass
http.server.ThreadingHTTPServer.allow_reuse_address = True
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""

# $1 start or alive, $2 the host's folder, $3 port.
_SVC = """#!/bin/sh
pid=$(cat "$2/pid" 2>/dev/null)
case $1 in
alive)
  [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null && ! grep -q '^State:.Z' "/proc/$pid/status" ;;
restart)
  echo "restart $2 $(readlink "$2/app/current")" >> "$2/../log"
  i=0; while [ -f "$2/slow" ] && [ $i -lt 150 ]; do sleep 0.2; i=$((i+1)); done
  [ -n "$pid" ] && kill "$pid" 2>/dev/null
  i=0
  while [ -n "$pid" ] && [ $i -lt 100 ] && kill -0 "$pid" 2>/dev/null && ! grep -q '^State:.Z' "/proc/$pid/status"
  do sleep 0.02; i=$((i+1)); done
  setsid python3 -S "$2/app/current/app.py" "$3" </dev/null >/dev/null 2>&1 &
  echo $! > "$2/pid" ;;
drain|undrain)
  echo "$1 $2" >> "$2/../log"
  i=0; while [ -f "$2/hold-$1" ] && [ $i -lt 1500 ]; do sleep 0.02; i=$((i+1)); done
  [ ! -f "$2/no-$1" ] ;;
version) cat "$2/version" 2>/dev/null || echo none ;;
deploy) echo "$3" > "$2/version"; exec "$0" restart "$2" "$4" ;;
migrate)
  echo "migrate $2 $3" >> "$2/../log"
  i=0; while [ -f "$2/hold-migrate" ] && [ $i -lt 1500 ]; do sleep 0.02; i=$((i+1)); done
  [ ! -f "$2/no-migrate" ] ;;
esac
"""


Make = Callable[..., "Site"]
"""Fixture `make`: builds a site, ended with the test."""


class Log:
    """An `Emit` that keeps what it was told."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.bytes = b""

    def output(self, data: bytes, *, err: bool = False) -> None:
        self.bytes += data

    def step(self, text: str) -> None:
        self.steps.append(text)

    def moved(self, done: float, total: float, unit: str = "") -> None:
        self.steps.append(f"{done:g} of {total:g} {unit}")


class FaultyLink:
    """A link that is lost while its host is in `unreachable`."""

    def __init__(self, link: Link, unreachable: set[str]) -> None:
        self._link = link
        self._unreachable = unreachable

    def __getattr__(self, name: str) -> Any:
        if self._link.host in self._unreachable and name in ("run", "stream"):
            raise LinkLost("the connection ended", where=self._link.host)
        return getattr(self._link, name)


class SiteBench:
    """A bench over the site."""

    def __init__(self, inventory: Inventory, settings: Settings) -> None:
        self.inventory = inventory
        self.settings = settings
        self.facts: dict[str, str] = {}
        self.unreachable: set[str] = set()
        self.cuts = Cuts()
        self.local: Any = LocalReach(settings)

    def reach(self, transport: str) -> Reach:
        return self

    async def connect(self, host: Host) -> Link:
        if host.name in self.unreachable:
            raise Unreachable("connection refused", where=host.name)
        return FaultyLink(await self.local.connect(host), self.unreachable)

    async def aclose(self) -> None:
        await self.local.aclose()

    def secret(self, reference: str) -> Secret:
        raise AssertionError(reference)

    def remembered(self, key: str) -> str:
        return self.facts.get(key, "")


class Site:
    """Hosts `web-1`... with one service `shop@prod`."""

    def __init__(self, root: Path, hosts: int = 1, **deploy: Any) -> None:
        self.root = root
        self.names = tuple(f"web-{n + 1}" for n in range(hosts))
        self.ports = {name: _free_port() for name in self.names}
        (root / "archives").mkdir(parents=True)
        for name in self.names:
            (root / name).mkdir()
        svc = root / "svc"
        svc.write_text(_SVC)
        svc.chmod(0o755)
        self.svc = str(svc)
        self.settings = Settings(
            state=root / "state", cache=root / "cache", config=root / "config", timescale=0.05, actor="anna"
        )
        self.bench = SiteBench(self._inventory(**deploy), self.settings)
        self.operator = ReleaseOperator()
        self._jobs = 0
        self._mounts: list[Path] = []

    @property
    def unreachable(self) -> set[str]:
        return self.bench.unreachable

    @property
    def service(self) -> Service:
        return self.bench.inventory.services["shop"]

    @property
    def hosts(self) -> list[Host]:
        return list(self.bench.inventory.hosts.values())

    def reader(self) -> ReleaseReader:
        return ReleaseReader()

    def leftovers(self, host: str = "web-1") -> list[str]:
        """What an upload or unpacking left behind."""
        return [e.name for e in (self.root / host / "app" / ".ondeck").glob("incoming-*")]

    def small_disk(self, host: str, size: str) -> bool:
        """Put the host's app folder on a small file system; False when that is not allowed."""
        folder = self.root / host / "app"
        shutil.rmtree(folder)
        folder.mkdir()
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "ondeck-test", str(folder)],
            capture_output=True,
            check=False,
        )
        if done.returncode == 0:
            self._mounts.append(folder)
        return done.returncode == 0

    def declare(self, *signals: Signal) -> None:
        """Let the service declare signals."""
        services = self.bench.inventory.services
        services["shop"] = msgspec.structs.replace(services["shop"], signals=signals)

    def stop(self, host: str) -> None:
        """End the service of a host."""
        os.kill(int((self.root / host / "pid").read_text()), signal.SIGKILL)

    def _inventory(self, **more: Any) -> Inventory:
        folder = f"{self.root}/${{host}}"
        options = {
            "path": f"{folder}/app",
            "archives": "archives/shop-${version}.tar.gz",
            "restart": [self.svc, "restart", folder, "${address}"],
            "alive": [self.svc, "alive", folder],
        } | (more.pop("options", {}) or {})
        if more.get("kind") == "command":
            options = {
                "version": [self.svc, "version", folder],
                "deploy": [self.svc, "deploy", folder, "${version}", "${address}"],
                "restart": [self.svc, "restart", folder, "${address}"],
            }
            for name in self.names:
                self._unpack_by_hand(name)
        drains: dict[str, Any] = {}
        if more.pop("drains", False):
            drains = {"drain": (self.svc, "drain", folder), "undrain": (self.svc, "undrain", folder)}
        if more.pop("migrates", False):
            run = (self.svc, "migrate", folder, "${version}")
            drains["before"] = (Migration(name="migrate", run=run, undo=("irreversible",)),)
        health = more.pop(
            "health",
            HealthCheck(
                http="http://127.0.0.1:${address}/healthz", times=2, every=1, timeout=40, within=60, settle=1
            ),
        )
        deploy = Deploy(
            **({"kind": "release-dir", "options": options, "batches": ("1", "100%")} | drains | more)
        )
        return Inventory(
            revision=Revision(root=str(self.root)),
            environments={"prod": Environment(name="prod")},
            hosts={
                name: Host(name=name, env="prod", groups=("web",), address=str(port), transport="local")
                for name, port in self.ports.items()
            },
            services={"shop": Service(name="shop", on={"prod": "group=web"}, deploy=deploy, health=health)},
        )

    def _unpack_by_hand(self, name: str) -> None:
        folder = self.root / name / "app" / "current"
        folder.mkdir(parents=True)
        (folder / "app.py").write_text(_APP)
        (folder / "mode").write_text("good")

    def build(self, version: str, mode: str = "good", **extra: bytes) -> Path:
        """Write an archive with its checksum beside it."""
        path = self.root / "archives" / f"shop-{version}.tar.gz"
        with tarfile.open(path, "w:gz") as tar:
            for name, data in {"app.py": _APP.encode(), "mode": mode.encode(), **extra}.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
        self.sum(path)
        return path

    def sum(self, path: Path) -> None:
        """Write `ARCHIVE.sha256`."""
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        path.with_name(path.name + ".sha256").write_text(f"{digest}  {path.name}\n")

    async def draft(self, operation: str, targets: tuple[str, ...] = (), **params: Any) -> Draft:
        return await self.operator.plan(self.request(operation, targets, **params), self.bench)

    def request(self, operation: str, targets: tuple[str, ...] = (), **params: Any) -> Request:
        return Request(
            operation=f"service.{operation}",
            subject="shop@prod",
            targets=targets or self.names,
            env="prod",
            params=params,
            actor="anna",
        )

    async def plan(self, operation: str, targets: tuple[str, ...] = (), **params: Any) -> Plan:
        request = self.request(operation, targets, **params)
        draft = await self.operator.plan(request, self.bench)
        plan = Plan(
            id="p",
            request=request,
            title="t",
            provider="release",
            draft=draft,
            inventory="",
            policy="",
            made=1,
        )
        return msgspec.json.decode(msgspec.json.encode(plan), type=Plan)

    def attempt(self, target: str) -> Attempt:
        self._jobs += 1
        job = f"{self.root.name}-{self._jobs}"
        return Attempt(id=f"{job}-{target}-1", job=job, target=target)

    async def do(self, operation: str, **params: Any) -> tuple[dict[str, Any], Log]:
        """Plan, apply every target in order until one does not succeed, finish and remember."""
        log = Log()
        plan = await self.plan(operation, **params)
        found: dict[str, Any] = {}
        async with self.operator.open(plan, self.bench) as applying:
            assert await applying.ready() == {}
            for target in plan.targets:
                found[target] = await applying.apply(self.attempt(target), log)
                if found[target].outcome != "succeeded":
                    return found, log
            self.bench.facts |= await applying.finish(tuple(found), log.step)
        return found, log

    def log(self) -> list[str]:
        """What the service's own commands were called with, in order."""
        path = self.root / "log"
        return path.read_text().replace(str(self.root) + "/", "").splitlines() if path.exists() else []

    def forget_log(self) -> None:
        """What was called so far counts no more."""
        (self.root / "log").unlink(missing_ok=True)

    def current(self, host: str = "web-1") -> str:
        link = self.root / host / "app" / "current"
        return str(link.readlink()).removeprefix("releases/") if link.is_symlink() else ""

    def kept(self, host: str = "web-1") -> set[str]:
        return {entry.name for entry in (self.root / host / "app" / "releases").iterdir()}

    def close(self) -> None:
        """End the services that were started."""
        for name in self.names:
            try:
                os.kill(int((self.root / name / "pid").read_text()), signal.SIGKILL)
            except (OSError, ValueError):
                continue
        for folder in self._mounts:
            subprocess.run(["umount", "-l", str(folder)], check=True)


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class ContractSite:
    """The site as `ondeck.testing.operator_suite` asks for it: a deploy of 1.1 over 1.0, or what is given."""

    verb = "restart"
    hold = "slow"

    def __init__(
        self, site: Site, operation: str = "deploy", effect: str = "releases/1.1", **params: Any
    ) -> None:
        """Take a site as it stands now.

        Args:
            site: With what the operation begins from.
            operation: Verb of the service.
            effect: What the service's command logs behind the host when the change is begun.
            params: Of the operation; a deploy goes to 1.1.
        """
        self._site = site
        self._effect = effect
        self.cuts = Cuts()
        site.bench.local = CutReach(site.bench.local, self.cuts)
        site.bench.cuts = self.cuts
        self.bench = site.bench
        self.operator = site.operator
        if operation == "deploy":
            params = {"version": "1.1"}
        self.request = site.request(operation, **params)
        self._before = len(site.log())

    def world(self) -> str:
        app = self._site.root / "web-1" / "app"
        files = sorted(f"{p.relative_to(app)} {p.lstat().st_mtime_ns}" for p in app.rglob("*"))
        return "\n".join([*files, *self._site.log()])

    def disturb(self, target: str) -> None:
        app = self._site.root / target / "app"
        (app / "current").unlink()
        (app / "current").symlink_to("releases/other")

    def slow(self, target: str) -> None:
        (self._site.root / target / self.hold).touch()

    def hurry(self, target: str) -> None:
        (self._site.root / target / self.hold).unlink()

    def effects(self, target: str) -> int:
        wanted = f"{self.verb} {target} {self._effect}".strip()
        return [line.strip() for line in self._site.log()[self._before :]].count(wanted)

    def in_place(self, target: str) -> bool:
        wanted = self._effect.removeprefix("releases/")
        return self._site.current(target) == wanted and self._site.log()[-1] == f"undrain {target}"

    def busy(self, target: str) -> bool:
        return bool(self.pids(target))

    def pids(self, target: str) -> list[int]:
        """Processes of the change of a host."""
        wanted = f"\0{self.verb}\0".encode() + str(self._site.root / target).encode()
        found = []
        for entry in Path("/proc").iterdir():
            try:
                line = (entry / "cmdline").read_bytes() if entry.name.isdecimal() else b""
            except OSError:
                continue
            if wanted in line and not line.startswith(b"sh\0-c"):
                found.append(int(entry.name))
        return found


class RestartSite(ContractSite):
    """A restart of what runs: the release stays, the process is another."""

    def __init__(self, site: Site) -> None:
        super().__init__(site, "restart", "releases/1.0")
        self._pid = self._running("web-1")

    def _running(self, target: str) -> str:
        return (self._site.root / target / "pid").read_text()

    def in_place(self, target: str) -> bool:
        return self._running(target) != self._pid and self._site.log()[-1] == f"undrain {target}"


class DrainSite(ContractSite):
    """Taking a host out of its balancer, or back into it."""

    def __init__(self, site: Site, verb: str) -> None:
        self.verb, self.hold = verb, f"hold-{verb}"
        super().__init__(site, verb, "")

    def in_place(self, target: str) -> bool:
        marks = list((self._site.root / target / "app").rglob("drained"))
        return bool(marks) is (self.verb == "drain") and self._site.log()[-1] == f"{self.verb} {target}"


class CommandSite(ContractSite):
    """A deploy by a command of the service's own."""

    def __init__(self, site: Site) -> None:
        super().__init__(site, "deploy", "")

    def world(self) -> str:
        version = self._site.root / "web-1" / "version"
        return "\n".join([version.read_text() if version.exists() else "none", *self._site.log()])

    def disturb(self, target: str) -> None:
        (self._site.root / target / "version").write_text("0.9\n")

    def in_place(self, target: str) -> bool:
        return (self._site.root / target / "version").read_text() == "1.1\n" and self.effects(target) > 0
