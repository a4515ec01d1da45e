"""A small real site on real engines: one service from a real registry, hosts that are engines of this machine."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker
import msgspec

from lab.docker import engine as engines
from lab.docker import registry as registries
from lab.docker.engine import Engine
from lab.docker.registry import Registry
from ondeck.errors import Missing, Unreachable
from ondeck.inventory.model import (
    Deploy,
    Environment,
    HealthCheck,
    Host,
    Inventory,
    Migration,
    Protection,
    Revision,
    Service,
)
from ondeck.job.finding import Attempt
from ondeck.job.plan import Plan, Request
from ondeck.reach.ports import Link, Reach
from ondeck.secret import Secret
from ondeck.settings import Settings
from ondeck.testing.operator_suite import CutReach, Cuts
from providers.docker.operator import DockerOperator
from providers.local.reach import LocalReach
from tests.contract.release_site import Log
from tests.required import cannot

_sites = itertools.count(1)

COMPOSE = """services:
  web:
    image: not/used
    ports: ["${address}:8080:8080"]
    environment: {COLOUR: blue}
    stop_grace_period: 2s
    restart: unless-stopped
    labels: {team: shop}
"""


class Lab(msgspec.Struct):
    """Engines by the name of their host, and a registry, for the tests of a module."""

    engines: dict[str, Engine]
    registry: Registry

    def api(self, host: str = "web-1") -> docker.APIClient:
        return docker.APIClient(base_url=f"unix://{self.engines[host].socket}", version="auto")


@contextmanager
def docker_lab(hosts: int = 1, *, user: str = "", password: str = "") -> Iterator[Lab]:
    """A registry and engines; skips where they cannot be had."""
    if why := engines.lacking() or registries.lacking():
        cannot(why)
    names = [f"web-{n + 1}" for n in range(hosts)]
    with registries.registry(user=user, password=password) as registry, engines.engines(names) as started:
        yield Lab(dict(zip(names, started, strict=True)), registry)


class DockerBench:
    """A bench over the site: hosts are this machine."""

    def __init__(self, inventory: Inventory, settings: Settings) -> None:
        self.inventory = inventory
        self.settings = settings
        self.facts: dict[str, str] = {}
        self.secrets: dict[str, Secret] = {}
        self.unreachable: set[str] = set()
        self.local: Any = LocalReach(settings)

    def reach(self, transport: str) -> Reach:
        return self

    async def connect(self, host: Host) -> Link:
        if host.name in self.unreachable:
            raise Unreachable("connection refused", where=host.name)
        link: Link = await self.local.connect(host)
        return link

    async def link(self, host: str) -> Link:
        return await self.connect(self.inventory.hosts[host])

    async def here(self) -> Link:
        return await self.connect(Host(name="here", env="", transport="local"))

    async def aclose(self) -> None:
        await self.local.aclose()

    async def secret(self, reference: str) -> Secret:
        if reference not in self.secrets:
            raise Missing(reference)
        return self.secrets[reference]

    def work_folder(self, *parts: str) -> Path:
        raise AssertionError(parts)

    def remembered(self, key: str) -> str:
        return self.facts.get(key, "")


class DockerSite:
    """Hosts `web-1`... with one service of its own name in `prod`."""

    def __init__(self, lab: Lab, root: Path, **deploy: Any) -> None:
        self.lab = lab
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        number = next(_sites)
        self.name = f"shop{number}"
        self.subject = f"{self.name}@prod"
        self.names = tuple(lab.engines)
        # Addresses of loopback that no other site of any process has.
        self.addresses = {
            name: f"127.{90 + os.getpid() % 100}.{number % 250}.{n + 1}" for n, name in enumerate(self.names)
        }
        (root / "compose.yml").write_text(deploy.pop("compose", COMPOSE))
        self.settings = Settings(
            state=root / "state", cache=root / "cache", config=root / "config", timescale=0.05, actor="anna"
        )
        self.bench = DockerBench(self._inventory(**deploy), self.settings)
        self.operator = DockerOperator()
        self._jobs = 0

    @property
    def image(self) -> str:
        return f"{self.lab.registry.name}/{self.repository}"

    @property
    def repository(self) -> str:
        return f"lab/{self.name}"

    @property
    def service(self) -> Service:
        return self.bench.inventory.services[self.name]

    @property
    def hosts(self) -> list[Host]:
        return list(self.bench.inventory.hosts.values())

    def _inventory(self, **more: Any) -> Inventory:
        sockets = {name: str(engine.socket) for name, engine in self.lab.engines.items()}
        (self.root / "sockets").mkdir()
        for name, path in sockets.items():
            (self.root / "sockets" / name).symlink_to(path)
        # A short name, because a socket's path is: the folder of a test is long.
        self.sockets = Path("/tmp", f"ondeck-sk-{os.getpid()}-{self.name}")
        self.sockets.symlink_to(self.root / "sockets")
        options = {
            "image": f"{self.lab.registry.name}/lab/{self.name}",
            "compose": {"file": "compose.yml", "service": "web"},
            "socket": f"{self.sockets}/${{host}}",
            "lives": "10s",
        } | more.pop("options", {})
        drains: dict[str, Any] = {}
        if more.pop("drains", False):
            drains = {verb: self._door(verb) for verb in ("drain", "undrain")}
        if more.pop("migrates", False):
            run = ("sh", "-c", 'echo "migrate $1 $2" >>"$0"', str(self.root / "log"), "${host}", "${image}")
            drains["before"] = (Migration(name="migrate", run=run, undo=("irreversible",)),)
        slow = "test ! -e $0/slow-$1 && wget -q -O - http://$2:8080/healthz"
        health = more.pop(
            "health",
            HealthCheck(
                run=("sh", "-c", slow, str(self.root), "${host}", "${address}"),
                times=2, every=1, timeout=40, within=120,
            ),
        )  # fmt: skip
        protection = more.pop("protection", {"*": Protection.CONFIRM})
        deploy = Deploy(**({"kind": "docker", "options": options, "batches": ("1", "100%")} | drains | more))
        return Inventory(
            revision=Revision(root=str(self.root)),
            environments={"prod": Environment(name="prod", protection=protection)},
            hosts={
                name: Host(name=name, env="prod", groups=("web",), address=address, transport="local")
                for name, address in self.addresses.items()
            },
            services={
                self.name: Service(name=self.name, on={"prod": "group=web"}, deploy=deploy, health=health)
            },
        )

    def _door(self, verb: str) -> tuple[str, ...]:
        script = 'echo "$1 $2" >>"$0/log"; test ! -e "$0/no-$1"'
        return ("sh", "-c", script, str(self.root), verb, "${host}")

    def put(self, version: str, **more: Any) -> str:
        """Put an image into the registry; answers the digits of its digest."""
        return self.lab.registry.put(version, self.repository, **more).removeprefix("sha256:")

    def pulled(self, version: str, host: str = "web-1") -> None:
        """Have an image on a host already, by its digest."""
        api = self.lab.api(host)
        digest = api.inspect_distribution(f"{self.image}:{version}")["Descriptor"]["digest"]
        api.pull(f"{self.image}@{digest}")
        api.close()

    def log(self) -> list[str]:
        path = self.root / "log"
        return path.read_text().splitlines() if path.exists() else []

    def containers(self, host: str = "web-1") -> list[dict[str, Any]]:
        """Every container of the service, as the engine tells it beside ondeck."""
        api = self.lab.api(host)
        try:
            found = api.containers(all=True, filters={"label": f"ondeck.service={self.name}"})
            return [api.inspect_container(one["Id"]) for one in found]
        finally:
            api.close()

    def running(self, host: str = "web-1") -> list[str]:
        """Versions that run."""
        return [
            one["Config"]["Labels"]["ondeck.version"]
            for one in self.containers(host)
            if one["State"]["Running"]
        ]

    def request(self, operation: str, targets: tuple[str, ...] = (), **params: Any) -> Request:
        return Request(
            operation=f"service.{operation}", subject=self.subject, targets=targets or self.names,
            env="prod", params=params, actor="anna",
        )  # fmt: skip

    async def plan(self, operation: str, targets: tuple[str, ...] = (), **params: Any) -> Plan:
        request = self.request(operation, targets, **params)
        draft = await self.operator.plan(request, self.bench)
        plan = Plan(
            id="p",
            request=request,
            title="t",
            provider="docker",
            draft=draft,
            inventory="",
            policy="",
            made=1,
        )
        return msgspec.json.decode(msgspec.json.encode(plan), type=Plan)

    def attempt(self, target: str) -> Attempt:
        self._jobs += 1
        job = f"{self.name}-{self._jobs}"
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

    def close(self) -> None:
        """Remove the site's containers, so that their addresses are free."""
        self.sockets.unlink(missing_ok=True)
        for host in self.names:
            try:
                api = self.lab.api(host)
                for one in api.containers(all=True, filters={"label": f"ondeck.service={self.name}"}):
                    api.remove_container(one["Id"], force=True)
                api.close()
            except (docker.errors.DockerException, OSError):
                continue  # an engine that a test has stopped


class ContractSite:
    """The site as `ondeck.testing.operator_suite` asks for it: a deploy of 1.1 over 1.0, or what is given."""

    def __init__(self, site: DockerSite, operation: str = "deploy", **params: Any) -> None:
        self._site = site
        self.cuts = Cuts()
        site.bench.local = CutReach(site.bench.local, self.cuts)
        self.bench = site.bench
        self.operator = site.operator
        if operation == "deploy":
            params = {"version": "1.1"}
        self._operation = operation
        self.request = site.request(operation, ("web-1",), **params)
        self._started = self._starts("web-1")

    def _starts(self, target: str) -> dict[str, str]:
        return {one["Id"]: one["State"]["StartedAt"] for one in self._site.containers(target)}

    def world(self) -> str:
        rows = sorted(
            f"{one['Name']} {one['State']['Status']} {one['State']['StartedAt']}"
            for one in self._site.containers()
        )
        api = self._site.lab.api()
        images = sorted(str(one["Id"]) for one in api.images(name=self._site.image))
        api.close()
        return "\n".join([*rows, *images, *self._site.log()])

    def disturb(self, target: str) -> None:
        api = self._site.lab.api(target)
        for one in self._site.containers(target):
            if one["State"]["Running"]:
                api.stop(one["Id"], timeout=0)
        api.close()

    def slow(self, target: str) -> None:
        (self._site.root / f"slow-{target}").touch()

    def hurry(self, target: str) -> None:
        (self._site.root / f"slow-{target}").unlink(missing_ok=True)

    def effects(self, target: str) -> int:
        """Containers of the wanted version that were started, or restarted, since the site was taken."""
        now = self._starts(target)
        if self._operation == "restart":
            return sum(1 for one, at in now.items() if self._started.get(one, at) != at)
        return sum(
            1
            for one in self._site.containers(target)
            if one["Id"] not in self._started and not one["State"]["StartedAt"].startswith("0001")
        )

    def in_place(self, target: str) -> bool:
        wanted = ["1.0"] if self._operation == "restart" else ["1.1"]
        return self._site.running(target) == wanted and self._site.log()[-1:] == [f"undrain {target}"]

    def busy(self, target: str) -> bool:
        return False


async def deployed(site: DockerSite, *versions: str) -> DockerSite:
    """The site with these versions deployed one after the other."""
    for version in versions:
        site.put(version)
        found, _ = await site.do("deploy", version=version)
        assert all(one.outcome == "succeeded" for one in found.values()), found
    await asyncio.sleep(0)
    return site
