"""Lists, single things and shells of engines, on the manager of a real swarm, which has all of them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from lab.docker import engine as engines
from lab.docker import registry as registries
from lab.docker.engine import Engine
from lab.docker.registry import Registry
from ondeck.errors import BadInput, LinkLost, NoMatch, Refused
from ondeck.inventory.model import Cluster, Environment, Host, Inventory, Revision, Service
from ondeck.job.finding import Attempt
from ondeck.job.plan import Draft, Plan, Request
from ondeck.observe.resources import ResourceState
from ondeck.registry import Registry as Providers
from ondeck.settings import Settings
from ondeck.testing.inside_suite import InsideCase, InsideSuite, on_a_terminal
from ondeck.testing.resources_suite import ResourceCase, ResourceReaderSuite
from providers.docker import client
from providers.docker.client import Address, Client
from providers.docker.lists.reader import DockerResources
from providers.docker.operator import DockerOperator
from tests.contract.docker_site import DockerBench
from tests.contract.release_site import Log
from tests.required import cannot

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]
PASSWORD = "correct horse battery"


class Manager:
    """A manager with something of everything on it."""

    def __init__(self, engine: Engine, registry: Registry) -> None:
        self.engine, self.registry = engine, registry
        self.api = docker.APIClient(base_url=f"unix://{engine.socket}", version="auto")
        self.digest = registry.put("1.0", "lab/web")
        registry.put("1.1", "lab/web")
        for version in ("1.0", "1.1"):
            self.api.pull(f"{registry.name}/lab/web", tag=version)
        self.image = f"{registry.name}/lab/web:1.0"
        self.api.create_volume("data", labels={"team": "shop"})
        self.api.create_network("backend")
        self.run(
            "plain", env={"DB_PASSWORD": PASSWORD, "URL": f"https://anna:{PASSWORD}@db/x", "MODE": "fast"}
        )
        self.run("failed", command=["sh", "-c", "exit 3"])
        self.api.create_service(
            docker.types.TaskTemplate(docker.types.ContainerSpec(self.image, env=[f"TOKEN={PASSWORD}"])),
            name="swarmed", mode=docker.types.ServiceMode("replicated", 2),
        )  # fmt: skip
        for _ in range(200):
            if [t for t in self.api.tasks() if t["Status"]["State"] == "running"]:
                break
            time.sleep(0.1)

    def run(self, name: str, command: list[str] | None = None, env: dict[str, str] | None = None) -> str:
        host = self.api.create_host_config(binds=["data:/data"])
        made = self.api.create_container(
            self.image, command, name=name, environment=env, host_config=host,
            labels={"com.docker.compose.project": "shop", "com.docker.compose.service": name},
        )  # fmt: skip
        self.api.start(made["Id"])
        return str(made["Id"])

    def cluster(self, kind: str = "swarm") -> Cluster:
        return Cluster(name="eng-1", kind=kind, env="prod", options={"url": f"unix://{self.engine.socket}"})

    def bench(self, folder: Path) -> DockerBench:
        inventory = Inventory(
            revision=Revision(root=str(folder)),
            environments={"prod": Environment(name="prod")},
            hosts={"web-1": Host(name="web-1", env="prod", transport="local")},
            clusters={
                "eng-1": self.cluster(),
                "eng-2": Cluster(
                    name="eng-2", kind="docker", env="prod",
                    options={"host": "web-1", "socket": str(self.engine.socket)},
                ),
            },
        )  # fmt: skip
        settings = Settings(
            state=folder / "state", cache=folder / "cache", config=folder / "config", timescale=0.05
        )
        bench = DockerBench(inventory, settings)
        bench.work_folder = lambda *parts: _made(folder.joinpath("work", *parts))  # type: ignore[method-assign]
        return bench


def _made(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path


@pytest.fixture(scope="module")
def manager() -> Iterator[Manager]:
    if why := engines.lacking() or registries.lacking():
        cannot(why)
    with registries.registry() as registry, engines.swarm_engine() as engine:
        found = Manager(engine, registry)
        yield found
        found.api.close()


class TestDockerResources(ResourceReaderSuite):
    provider = "docker"

    @pytest.fixture
    def case(self, manager: Manager, tmp_path: Path) -> ResourceCase:
        bench = manager.bench(tmp_path)
        image = next(i["Id"] for i in manager.api.images() if manager.image in i["RepoTags"])

        place = manager.cluster()

        def breaks() -> None:
            place.options["url"] = f"unix://{tmp_path}/none"

        running = [t for t in manager.api.tasks() if t["Status"]["State"] == "running"]
        return ResourceCase(
            place=place, bench=bench, breaks=breaks, hidden=(PASSWORD,),
            things={
                "containers": "plain", "images": image.removeprefix("sha256:")[:12], "networks": "backend",
                "volumes": "data", "swarm-nodes": manager.api.nodes()[0]["ID"][:12],
                "swarm-services": "swarmed", "swarm-tasks": running[0]["ID"][:12],
            },
        )  # fmt: skip


class TestDockerInside(InsideSuite):
    provider = "docker"

    @pytest.fixture
    def inside(self, manager: Manager, tmp_path: Path) -> InsideCase:
        if shutil.which("docker") is None:
            cannot("there is no docker program (Debian: docker.io, or docker-cli)")
        inventory = manager.bench(tmp_path).inventory

        def command(script: str) -> dict[str, Any]:
            return {"command": f'sh -c "{script}"' if "'" in script else f"sh -c '{script}'"}

        return InsideCase(  # noqa: S604 - a name, no shell
            inventory=inventory, place=inventory.clusters["eng-1"], thing="plain", command=command,
            shell=lambda host: Providers().load("local", "shell"), wrong={"command": "sh '"},
            beyond=inventory.clusters["eng-2"],
        )  # fmt: skip

    def test_words_arrive_as_they_are(self, provided: Any, inside: InsideCase) -> None:
        script = {"command": """printf '[%s]' '$HOME' 'a  b' ';id'"""}
        argv = provided.inside_argv(inside.inventory, inside.place, inside.thing, script, inside.shell)
        # busybox of the image has no printf of its own: a shell's built-in says it.
        argv = [
            *argv[: argv.index("printf")],
            "sh",
            "-c",
            'for w; do echo "[$w]"; done',
            "sh",
            "$HOME",
            "a  b",
            ";id",
        ]
        assert on_a_terminal(list(argv))[1].split("\r\n")[:3] == ["[$HOME]", "[a  b]", "[;id]"]


async def test_containers_say_state_load_and_what_started_them(manager: Manager, tmp_path: Path) -> None:
    reader, bench = DockerResources(), manager.bench(tmp_path)
    found = {row.name: row for row in (await reader.list("containers", manager.cluster(), bench)).rows}
    assert found["plain"].state is ResourceState.GOOD
    assert (found["failed"].state, found["failed"].cells[3]) == (ResourceState.BAD, "exited 3")
    assert found["plain"].cells[1] == "shop"
    assert found["plain"].cells[4].endswith("%")
    assert found["plain"].cells[5].endswith("iB")
    assert found["failed"].cells[4:6] == ("-", "-")
    assert [row.detail["project"] for row in found.values()][-1] != "-" or len(found) > 2


async def test_a_service_of_a_swarm_that_is_not_all_there_is_not_good(
    manager: Manager, tmp_path: Path
) -> None:
    api, bench = manager.api, manager.bench(tmp_path)
    api.create_service(
        docker.types.TaskTemplate(
            docker.types.ContainerSpec(manager.image, command=["sh", "-c", "exit 9"]),
            restart_policy=docker.types.RestartPolicy(condition="none"),
        ),
        name="broken",
    )
    try:
        for _ in range(200):
            if any(t["Status"]["State"] == "failed" for t in api.tasks(filters={"service": "broken"})):
                break
            await asyncio.sleep(0.1)
        rows = {
            r.name: r for r in (await DockerResources().list("swarm-services", manager.cluster(), bench)).rows
        }
        assert (rows["broken"].cells[1], rows["broken"].state) == ("0/1", ResourceState.BAD)
        assert rows["swarmed"].cells[1] == "2/2"
        tasks = (await DockerResources().list("swarm-tasks", manager.cluster(), bench)).rows
        failed = [row for row in tasks if row.state is ResourceState.BAD]
        assert [row.cells[4] for row in failed][:1] == ["exit 9"]
        assert tasks[0].state is ResourceState.BAD
    finally:
        api.remove_service("broken")


Do = Callable[..., Any]


@pytest.fixture
def bench(manager: Manager, tmp_path: Path) -> DockerBench:
    return manager.bench(tmp_path)


def asked(operation: str, *things: str, **params: Any) -> Request:
    targets = tuple(f"eng-2/{thing}" for thing in things) or ("eng-2",)
    return Request(
        operation=operation, subject="eng-2", targets=targets, env="prod", params=params, actor="anna"
    )


def planned(request: Request, draft: Draft) -> Plan:
    return Plan(
        id="p", request=request, title="t", provider="docker", draft=draft, inventory="", policy="", made=1
    )


async def done(bench: DockerBench, request: Request, attempt: str = "7") -> tuple[Any, Any]:
    """Plan and apply it; the findings of apply and of reconcile for its first target."""
    operator = DockerOperator()
    draft = await operator.plan(request, bench)
    async with operator.open(planned(request, draft), bench) as applying:
        assert await applying.ready() == {}
        one = Attempt(id=f"{attempt}-x-1", job=attempt, target=request.targets[0])
        assert await applying.check(one.target) == draft.preconditions[:1]
        return await applying.apply(one, Log()), await applying.reconcile(one)


async def test_a_container_is_stopped_started_restarted_and_removed(
    manager: Manager, bench: DockerBench
) -> None:
    one = manager.run("worker")
    for operation in ("container.stop", "container.start", "container.restart", "container.stop"):
        grace = {} if operation == "container.start" else {"grace": 1}
        applied, found = await done(bench, asked(operation, "worker", **grace))
        assert (applied.outcome, found.outcome) == ("succeeded", "succeeded"), (operation, applied, found)
    applied, found = await done(bench, asked("container.remove", "worker"))
    assert (applied.outcome, found.outcome) == ("succeeded", "succeeded")
    with pytest.raises(docker.errors.NotFound):
        manager.api.inspect_container(one)


async def test_a_container_that_runs_or_is_kept_for_a_way_back_is_not_removed(
    manager: Manager, bench: DockerBench
) -> None:
    with pytest.raises(Refused, match="plain runs"):
        await DockerOperator().plan(asked("container.remove", "plain"), bench)
    labels = {"ondeck.service": "shop", "ondeck.env": "prod"}
    manager.api.create_container(manager.image, ["true"], name="kept", labels=labels)
    with pytest.raises(Refused, match="kept for the way back of shop@prod"):
        await DockerOperator().plan(asked("container.remove", "kept"), bench)
    applied, _ = await done(bench, asked("container.remove", "kept", force=True))
    assert applied.outcome == "succeeded"


async def test_a_container_that_is_another_by_now_is_left_alone(manager: Manager, bench: DockerBench) -> None:
    manager.run("swapped")
    request = asked("container.stop", "swapped", grace=0)
    draft = await DockerOperator().plan(request, bench)
    manager.api.restart("swapped", timeout=0)
    async with DockerOperator().open(planned(request, draft), bench) as applying:
        with pytest.raises(Refused, match="another than when the plan was made"):
            await applying.apply(Attempt(id="a-1", job="a", target="eng-2/swapped"), Log())
    assert manager.api.inspect_container("swapped")["State"]["Running"]
    manager.api.remove_container("swapped", force=True)


async def test_a_thing_that_is_not_there_names_where_to_look(bench: DockerBench) -> None:
    with pytest.raises(NoMatch, match="no container 'nobody'"):
        await DockerOperator().plan(asked("container.start", "nobody"), bench)


async def test_a_pull_is_of_the_digest_that_the_plan_shows(manager: Manager, bench: DockerBench) -> None:
    digest = manager.registry.put("2.0", "lab/pulled")
    request = asked("image.pull", image=f"{manager.registry.name}/lab/pulled:2.0")
    draft = await DockerOperator().plan(request, bench)
    assert digest in draft.commands[0].argv[-1]
    applied, found = await done(bench, request)
    assert (applied.outcome, found.outcome) == ("succeeded", "succeeded")
    assert manager.api.inspect_image(f"{manager.registry.name}/lab/pulled:2.0")["RepoDigests"]
    with pytest.raises(BadInput, match="there is no image"):
        await DockerOperator().plan(asked("image.pull", image=f"{manager.registry.name}/lab/pulled:9"), bench)


async def test_a_prune_names_exactly_what_goes_and_spares_what_a_service_may_go_back_to(
    manager: Manager, bench: DockerBench
) -> None:
    name = f"{manager.registry.name}/lab/pruned"
    digests = {v: manager.registry.put(v, "lab/pruned", files={"v": v.encode()}) for v in ("1", "2", "3")}
    for version in digests:
        manager.api.pull(name, tag=version)
    bench.inventory.services["pruned"] = Service(name="pruned", on={"prod": "group=web"})
    bench.facts["good pruned@prod"] = f"1 {digests['1']}"
    used = manager.api.create_container(f"{name}:2", ["true"])["Id"]
    request = asked("image.prune", tagged=True, older="0s")
    draft = await DockerOperator().plan(request, bench)
    gone = {change.before for change in draft.changes}
    assert f"{name}:3" in gone
    assert not gone & {f"{name}:1", f"{name}:2", manager.image}
    applied, found = await done(bench, request)
    assert (applied.outcome, found.outcome) == ("succeeded", "succeeded"), applied
    left = {tag for one in manager.api.images() for tag in one["RepoTags"] or ()}
    assert {f"{name}:1", f"{name}:2"} <= left
    assert f"{name}:3" not in left
    manager.api.remove_container(used)
    with pytest.raises(BadInput, match="nothing on eng-2 can be removed"):
        await DockerOperator().plan(asked("image.prune", older="9999d"), bench)


def committed(repository: Path, dockerfile: str) -> Path:
    """A repository with a context in `app`, tagged `v1`."""
    (repository / "app").mkdir(parents=True)
    (repository / "app" / "Dockerfile").write_text(dockerfile)
    (repository / "app" / "hello").write_text("from the commit\n")
    who = {f"GIT_{role}_{part}": "a@b" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
    for words in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "one"), ("tag", "v1")):
        subprocess.run(["git", *words], cwd=repository, check=True, env={**os.environ, **who})
    return repository


async def test_an_image_is_built_from_a_commit_pushed_and_never_replaced(
    manager: Manager, bench: DockerBench, tmp_path: Path
) -> None:
    repository = committed(tmp_path / "code", f"FROM {manager.image}\nCOPY hello /hello\nRUN cat /hello\n")
    (repository / "app" / "hello").write_text("from the work tree\n")
    tag = f"{manager.registry.name}/lab/built:1"
    request = asked("image.build", repository=str(repository), ref="v1", tag=tag, context="app", push=True)
    draft = await DockerOperator().plan(request, bench)
    log = Log()
    async with DockerOperator().open(planned(request, draft), bench) as applying:
        attempt = Attempt(id="b-1", job="b", target="eng-2")
        applied = await applying.apply(attempt, log)
        assert applied.outcome == "succeeded", applied
        assert "in the registry as sha256:" in applied.evidence
        assert b"from the commit" in log.bytes
        with pytest.raises(Refused, match="was built before"):
            await applying.apply(attempt, log)
        assert (await applying.reconcile(attempt)).outcome == "succeeded"
    with pytest.raises(Refused, match="in the registry already"):
        await DockerOperator().plan(request, bench)
    with pytest.raises(BadInput, match="rev-parse"):
        await DockerOperator().plan(
            asked("image.build", repository=str(repository), ref="no", tag=tag), bench
        )


@pytest.mark.parametrize("begun", [True, False], ids=["while it is followed", "before it answers"])
async def test_an_engine_that_hangs_ends_what_waits_for_it(
    manager: Manager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, begun: bool
) -> None:
    """Also what no cancel reaches: the one request that changes a service of a swarm."""
    monkeypatch.setattr(client, "_AT_LEAST", 1.0)
    settings = Settings(state=tmp_path, cache=tmp_path, config=tmp_path, timescale=0.01)
    engine = Client("eng-1", Address(f"unix://{manager.engine.socket}"), settings)
    await engine.open()
    hangs = contextlib.ExitStack()

    def hang() -> None:
        manager.engine.tell("hang")
        hangs.callback(manager.engine.tell, "wake")

    async def followed() -> None:
        async with engine.stream("events", method="GET" if begun else "POST") as answer:
            hang()
            async for _ in engine.chunks(answer):
                pass

    try:
        if not begun:
            hang()
        with pytest.raises(LinkLost, match="went silent"):
            await followed()
    finally:
        hangs.close()
        await engine.aclose()


async def test_a_stream_that_has_nothing_to_say_goes_on_while_its_engine_answers(
    manager: Manager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A build may be silent for as long as it takes."""
    monkeypatch.setattr(client, "_AT_LEAST", 1.0)
    settings = Settings(state=tmp_path, cache=tmp_path, config=tmp_path, timescale=0.001)
    engine = Client("eng-1", Address(f"unix://{manager.engine.socket}"), settings)
    await engine.open()
    pings: list[float] = []
    real = engine._ping

    async def counted() -> None:
        await real()
        pings.append(time.monotonic())
        if len(pings) == 3:
            await asyncio.to_thread(manager.run, "late")

    monkeypatch.setattr(engine, "_ping", counted)
    try:
        async with engine.stream("events", params={"filters": '{"container":["late"]}'}) as answer:
            said = await anext(engine.lines(answer))
        assert said["Type"] == "container"
        assert len(pings) >= 3
    finally:
        await engine.aclose()
