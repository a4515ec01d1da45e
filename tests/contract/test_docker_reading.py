"""What is read of engines: logs, releases and changes, each held to the promises of its port on real engines."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Iterator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import docker
import pytest

from ondeck.inventory.model import Host, LogSource, Service
from ondeck.observe.ports import ChangeReader
from ondeck.observe.records import Asked, Health, ReleaseFacts
from ondeck.testing.changes_suite import HOSTILE, SECOND, ChangeReaderSuite, ChangesCase, names, now
from ondeck.testing.reading_suite import LogCase, LogReaderSuite, Reader
from ondeck.testing.releases_suite import ReleaseReaderSuite, ReleasesCase
from providers.docker.changes import DockerChanges
from providers.docker.logs import DockerLogs
from tests.contract.docker_site import DockerSite, Lab, docker_lab
from tests.contract.relay import Relays

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with docker_lab(2) as started:
        yield started


@pytest.fixture
def site(lab: Lab, tmp_path: Path) -> Iterator[DockerSite]:
    made = DockerSite(lab, tmp_path / "site")
    made.bench.local = Relays(made.bench.local)
    yield made
    made.close()


@pytest.fixture
def api(lab: Lab) -> Iterator[docker.APIClient]:
    client = lab.api()
    yield client
    client.close()


def speaker(site: DockerSite, api: docker.APIClient, *, tty: bool = False, **more: Any) -> tuple[str, Path]:
    """A container that says whatever is written into a pipe; its name and the pipe."""
    site.put("1.0")
    site.pulled("1.0")
    folder = site.root / "pipe"
    folder.mkdir()
    os.mkfifo(folder / "in")
    name = f"{site.name}.speaker"
    host = api.create_host_config(binds=[f"{folder}:/pipe"], **more)
    image = api.images(name=site.image)[0]["Id"]
    api.create_container(
        image, ["sh", "-c", "while :; do cat /pipe/in; done"], name=name, tty=tty, host_config=host,
        labels={"ondeck.service": site.name, "ondeck.env": "prod", "ondeck.version": "1.0"}, stop_signal="KILL",
    )  # fmt: skip
    api.start(name)
    return name, folder / "in"


def a_case(site: DockerSite, api: docker.APIClient, *, tty: bool = False) -> LogCase:
    name, pipe = speaker(site, api, tty=tty)
    service = site.service
    source = LogSource(name="app", docker=name)
    known = site.bench.inventory.services
    known[site.name] = Service(
        name=service.name, on=service.on, deploy=service.deploy, health=service.health, logs=(source,)
    )

    async def write(data: bytes) -> None:
        await asyncio.to_thread(pipe.write_bytes, data)
        # What a pipe holds is said a moment later: the engine has it when its log shows it.
        for _ in range(200):
            # The engine keeps text: a byte that is none is another one in its log.
            # On a terminal lines end otherwise: the last one stands for all of them.
            if data.strip(b"\n").rpartition(b"\n")[2].partition(b" ")[0] in api.logs(name):
                return
            await asyncio.sleep(0.02)
        raise AssertionError(f"the container never said {data!r}")

    return LogCase(
        host=site.hosts[0], source=source, missing=LogSource(name="none", docker="nobody"), bench=site.bench,
        write=write, lose=site.bench.local.lose,
    )  # fmt: skip


class TestDockerLogs(LogReaderSuite):
    provider = "docker"

    @pytest.fixture
    def log(self, site: DockerSite, api: docker.APIClient) -> LogCase:
        case = a_case(site, api)
        # The missing one has to be asked of the same engine.
        services = site.bench.inventory.services
        mine = services[site.name]
        services[site.name] = Service(
            name=mine.name, on=mine.on, deploy=mine.deploy, logs=(case.source, case.missing)
        )
        return case


class TestDockerLogsOfATerminal(TestDockerLogs):
    """The same of a container with a terminal, whose log has no frames."""

    @pytest.fixture
    def log(self, site: DockerSite, api: docker.APIClient) -> LogCase:
        case = a_case(site, api, tty=True)
        services = site.bench.inventory.services
        mine = services[site.name]
        services[site.name] = Service(
            name=mine.name, on=mine.on, deploy=mine.deploy, logs=(case.source, case.missing)
        )
        return case


async def test_a_name_of_a_service_goes_on_with_the_container_that_a_deploy_brings(
    site: DockerSite, api: docker.APIClient
) -> None:
    case = a_case(site, api)
    source = LogSource(name="app", docker=site.name)
    services = site.bench.inventory.services
    mine = services[site.name]
    services[site.name] = Service(name=mine.name, on=mine.on, deploy=mine.deploy, logs=(source,))
    await case.write(b"of the first\n")
    async with aclosing(DockerLogs().follow(case.host, source, site.bench)) as batches:
        reader = Reader(batches)
        await reader.until(lambda r: "of the first" in r.texts)
        api.remove_container(f"{site.name}.speaker", force=True)
        await reader.until(lambda r: r.health is Health.LOST)
        api.create_container(
            api.images(name=site.image)[0]["Id"], ["sh", "-c", "echo of the second; sleep 60"],
            name=f"{site.name}.second", stop_signal="KILL",
            labels={"ondeck.service": site.name, "ondeck.env": "prod", "ondeck.version": "1.1"},
        )  # fmt: skip
        api.start(f"{site.name}.second")
        await reader.until(lambda r: "of the second" in r.texts)


LOUD = """echo first; while [ ! -e /go/on ]; do sleep 0.05; done
i=0; while [ $i -lt 300 ]; do echo "line $i"; i=$((i+1)); done; sleep 60"""


async def test_lines_that_were_rotated_away_while_the_connection_was_lost_are_told(
    site: DockerSite, api: docker.APIClient
) -> None:
    site.put("1.0")
    site.pulled("1.0")
    log = docker.types.LogConfig(type="json-file", config={"max-size": "4k", "max-file": "1"})
    name = f"{site.name}.loud"
    api.create_container(
        api.images(name=site.image)[0]["Id"],
        ["sh", "-c", LOUD],
        name=name, stop_signal="KILL", labels={"ondeck.service": site.name, "ondeck.env": "prod"},
        host_config=api.create_host_config(log_config=log, binds=[f"{site.root}:/go"]),
    )  # fmt: skip
    api.start(name)
    source = LogSource(name="app", docker=name)
    services = site.bench.inventory.services
    mine = services[site.name]
    services[site.name] = Service(name=mine.name, on=mine.on, deploy=mine.deploy, logs=(source,))
    async with aclosing(DockerLogs().follow(site.hosts[0], source, site.bench)) as batches:
        reader = Reader(batches)
        await reader.until(lambda r: "first" in r.texts)
        site.bench.local.down = True

        async def losing() -> None:
            while True:
                site.bench.local.lose()
                await asyncio.sleep(0.02)

        cutting = asyncio.create_task(losing())
        await reader.until(lambda r: r.health is Health.LOST)
        cutting.cancel()
        (site.root / "on").touch()
        for _ in range(200):
            if b"line 299" in api.logs(name):
                break
            await asyncio.sleep(0.05)
        site.bench.local.down = False
        await reader.until(lambda r: "line 299" in r.texts)
    cuts = [state.cut for state in reader.states if state.cut is not None]
    assert any("rotated away" in cut.why for cut in cuts)
    assert "line 0" not in reader.texts


async def test_a_driver_that_cannot_be_read_is_lost_with_its_reason(
    site: DockerSite, api: docker.APIClient
) -> None:
    site.put("1.0")
    site.pulled("1.0")
    name = f"{site.name}.mute"
    log = docker.types.LogConfig(type="none")
    api.create_container(
        api.images(name=site.image)[0]["Id"], ["sleep", "60"], name=name, stop_signal="KILL",
        labels={"ondeck.service": site.name, "ondeck.env": "prod"},
        host_config=api.create_host_config(log_config=log),
    )  # fmt: skip
    api.start(name)
    source = LogSource(name="app", docker=name)
    services = site.bench.inventory.services
    mine = services[site.name]
    services[site.name] = Service(name=mine.name, on=mine.on, deploy=mine.deploy, logs=(source,))
    batches = [b async for b in DockerLogs().follow(site.hosts[0], source, site.bench, follow=False)]
    state = [b.state for b in batches if b.state is not None][-1]
    assert state.health is Health.LOST
    assert "logging driver" in state.error


class TestDockerReleases(ReleaseReaderSuite):
    provider = "docker"

    @pytest.fixture
    async def releases(self, site: DockerSite, lab: Lab) -> ReleasesCase:
        versions = ("1.9", "1.10", "1.11")
        for version in versions:
            site.put(version)
        for host, version in zip(site.names, versions, strict=False):
            site.pulled(version, host)
            self._run(site, lab, host, version)
        relays = site.bench.local

        async def lose_during(asking: Awaitable[Sequence[ReleaseFacts]]) -> Sequence[ReleaseFacts]:
            task = asyncio.ensure_future(asking)
            while not relays._writers:  # noqa: ASYNC110 - until the engines are being asked
                await asyncio.sleep(0.001)
            while not task.done():
                relays.lose()
                await asyncio.sleep(0.001)
            return await task

        hosts = tuple(site.hosts)
        nobody = Host(name="nobody", env="prod", groups=("web",), transport="local")
        return ReleasesCase(
            service=site.service, env="prod", hosts=hosts,
            runs=dict(zip(site.names, versions, strict=False)), nobody=nobody, bench=site.bench,
            versions=tuple(reversed(versions)),
            vanish=lambda: shutil.rmtree(
                lab.registry.folder / "data/docker/registry/v2/repositories" / site.repository
            ),
            spoil=lambda host: self._run(site, lab, host.name, HOSTILE.decode("latin-1"), bare=True),
            lose_during=lose_during,
        )  # fmt: skip

    @staticmethod
    def _run(site: DockerSite, lab: Lab, host: str, version: str, *, bare: bool = False) -> None:
        api = lab.api(host)
        image = next(i for i in api.images(name=site.image))["RepoDigests"][0]
        binding = None if bare else {8080: (site.addresses[host], 8080)}
        made = api.create_container(
            image, name=f"{site.name}.{host}.{int(bare)}", ports=[8080], stop_signal="KILL",
            host_config=api.create_host_config(port_bindings=binding),
            labels={"ondeck.service": site.name, "ondeck.env": "prod", "ondeck.version": version},
        )  # fmt: skip
        if bare:
            # Two cannot have the port: the first goes, as after a deploy.
            for one in api.containers(filters={"label": f"ondeck.service={site.name}"}):
                api.stop(one["Id"], timeout=0)
        api.start(made["Id"])
        api.close()


class TestDockerChanges(ChangeReaderSuite):
    """Events have the engine's own time, so what happened is made to happen now."""

    provider = "docker"

    @pytest.fixture
    async def changes(self, site: DockerSite, lab: Lab) -> AsyncIterator[ChangesCase]:
        for host in site.names:
            site.put("1.0")
            site.pulled("1.0", host)
        relays = site.bench.local

        def happen(when: int, what: bytes) -> None:
            for host in site.names:
                api = lab.api(host)
                image = api.images(name=site.image)[0]["Id"]
                label = what.decode("latin-1")
                made = api.create_container(
                    image, ["sleep", "0"], name=f"{site.name}.{time.monotonic_ns()}",
                    labels={"ondeck.env": "prod", "ondeck.service": label},
                )  # fmt: skip
                api.start(made["Id"])
                api.wait(made["Id"])
                api.close()

        async def lose_during(asking: Awaitable[Asked]) -> Asked:
            task = asyncio.ensure_future(asking)
            while not task.done():
                relays.lose()
                await asyncio.sleep(0.001)
            return await task

        yield ChangesCase(
            host=site.hosts[0], twin=site.hosts[1],
            nobody=Host(name="nobody", env="prod", groups=("web",), transport="local"),
            bench=site.bench, happen=happen, lose_during=lose_during,
        )  # fmt: skip
        for host in site.names:
            api = lab.api(host)
            for one in api.containers(all=True, filters={"name": f"{site.name}."}):
                api.remove_container(one["Id"], force=True)
            api.close()

    async def test_a_host_that_answers_tells_all_since_a_time_oldest_first(
        self, provided: ChangeReader, changes: ChangesCase
    ) -> None:
        changes.happen(0, b"before")
        await asyncio.sleep(0.01)
        since = time.time_ns()
        for name in (b"first", b"second"):
            changes.happen(0, name)
        asked = await provided.changes(changes.host, changes.bench, since=since)
        assert asked.error == ""
        mine = [change for change in asked.changes if change.subject in ("first@prod", "second@prod")]
        assert [(c.subject, c.text.split(" (")[0].split(",")[0]) for c in mine] == [
            (f"{name}@prod", f"container {what}")
            for name in ("first", "second")
            for what in ("made", "started", "died")
        ]
        assert "before@prod" not in names(asked)
        times = [change.time for change in asked.changes]
        assert times == sorted(times)
        assert {(change.host, change.env) for change in asked.changes} == {(changes.host.name, "prod")}

    async def test_questions_at_the_same_time_do_not_mix(
        self, provided: ChangeReader, changes: ChangesCase
    ) -> None:
        marks = []
        for number in range(4):
            marks.append(time.time_ns())
            changes.happen(0, b"app-%d" % number)
        hosts = (changes.host, changes.twin)
        answers = await asyncio.gather(
            *(provided.changes(hosts[n % 2], changes.bench, since=mark) for n, mark in enumerate(marks))
        )
        for number, asked in enumerate(answers):
            assert {change.host for change in asked.changes} == {hosts[number % 2].name}
            wanted = {f"app-{n}@prod" for n in range(number, 4)}
            assert {name for name in names(asked) if name.startswith("app-")} == wanted

    async def test_before_the_first_event_of_an_engine_nothing_is_claimed(
        self, provided: ChangeReader, changes: ChangesCase
    ) -> None:
        changes.happen(0, b"app")
        asked = await provided.changes(changes.host, changes.bench, since=now() - 3600 * SECOND)
        assert asked.partly
        assert "is not known" in asked.error
        assert "app@prod" in names(asked)


async def test_a_host_without_an_engine_of_ours_has_no_such_changes_and_is_not_asked(
    site: DockerSite,
) -> None:
    asked = await DockerChanges().changes(Host(name="db-1", env="prod", groups=("db",)), site.bench, since=0)
    assert (asked.error, asked.changes) == ("", ())
