"""The promises of `releases`, in both kinds, over this machine and over a real OpenSSH server."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ondeck.errors import BadInput, Missing, RemoteFailed
from ondeck.inventory.model import Deploy, HealthCheck, Host, Service
from ondeck.job.finding import Attempt
from ondeck.job.outcome import Outcome
from ondeck.job.plan import Plan, Request
from ondeck.observe.records import ReleaseFacts
from ondeck.testing.changes_suite import HOSTILE
from ondeck.testing.operator_suite import Quiet
from ondeck.testing.releases_suite import ReleaseReaderSuite, ReleasesCase
from providers.release.operator import ReleaseOperator
from providers.release.reader import ReleaseReader
from tests.contract.programs import program
from tests.contract.twin_hosts import TRANSPORTS, Twins, twins

RUNS = {"web-1": "1.0", "web-2": "1.1"}


@pytest.fixture(params=TRANSPORTS)
async def hosts(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Twins]:
    async with twins(request.param, tmp_path, monkeypatch) as found:
        yield found


def service(hosts: Twins, kind: str, options: dict[str, Any]) -> Service:
    """A service that is healthy where a file lies."""
    for name in RUNS:
        (hosts.folder / name).mkdir(exist_ok=True)
        (hosts.folder / name / "healthy").touch()
    made = Service(
        name="shop",
        on={"prod": "group=web"},
        deploy=Deploy(kind=kind, options=options),
        health=HealthCheck(run=("test", "-f", f"{hosts.folder}/${{host}}/healthy"), times=1, settle=0),
    )
    hosts.serve({"shop": made})
    return made


def archive(folder: Path, version: str, age: int) -> None:
    """Write one with its sum, so many seconds old."""
    path = folder / f"shop-{version}.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        info = tarfile.TarInfo("app")
        info.size = len(version)
        tar.addfile(info, io.BytesIO(version.encode()))
    path.with_name(path.name + ".sha256").write_text(
        f"{sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
    )
    os.utime(path, (path.stat().st_mtime - age,) * 2)


async def deploy(hosts: Twins, made: Service, target: str, version: str) -> None:
    """Deploy as a worker does."""
    operator = ReleaseOperator()
    request = Request(
        operation="service.deploy",
        subject=f"{made.name}@prod",
        targets=(target,),
        env="prod",
        params={"version": version},
        actor="anna",
    )
    plan = Plan(
        id="p",
        request=request,
        title="t",
        provider="release",
        draft=await operator.plan(request, hosts.bench),
        inventory="",
        policy="",
        made=1,
    )
    async with operator.open(plan, hosts.bench) as applying:
        assert await applying.ready() == {}
        done = await applying.apply(Attempt(id=f"p-{target}-1", job="p", target=target), Quiet())
        assert done.outcome is Outcome.SUCCEEDED, done.evidence


def case(
    hosts: Twins, made: Service, vanish: Callable[[], None], spoil: Callable[[Host], None]
) -> ReleasesCase:
    async def lose_during(asking: Awaitable[Sequence[ReleaseFacts]]) -> Sequence[ReleaseFacts]:
        return await hosts.lose_during(asking, programs=2)

    return ReleasesCase(
        service=made,
        env="prod",
        hosts=hosts.hosts,
        runs=RUNS,
        nobody=hosts.nobody,
        bench=hosts.bench,
        versions=("1.1", "1.0"),
        vanish=vanish,
        spoil=spoil,
        lose_during=lose_during,
    )


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the hosts' folders are kept after the first test has deployed."""
    return tmp_path_factory.mktemp("deployed") / "hosts"


class TestReleaseDir(ReleaseReaderSuite):
    provider = "release"

    @pytest.fixture
    async def releases(self, hosts: Twins, once: Path) -> ReleasesCase:
        archives = hosts.folder / "archives"
        archives.mkdir()
        for age, version in enumerate(("1.1", "1.0")):
            archive(archives, version, age * 60)
        for name in ("shop-no version!.tar.gz", "shop-1.2.tar.gz.part", "other-1.3.tar.gz"):
            (archives / name).touch()
        options = {
            "path": f"{hosts.folder}/${{host}}/app",
            "archives": "archives/shop-${version}.tar.gz",
            "restart": ["true"],
        }
        made = service(hosts, "release-dir", options)
        for name, version in RUNS.items():
            if (once / name).exists():
                shutil.copytree(once / name, hosts.folder / name / "app", symlinks=True)
                continue
            await deploy(hosts, made, name, version)
            shutil.copytree(hosts.folder / name / "app", once / name, symlinks=True)
        hosts.hold_program("df")

        def spoil(host: Host) -> None:
            current = hosts.folder / host.name / "app" / "current"
            current.unlink()
            current.symlink_to(os.fsdecode(b"releases/" + HOSTILE + b"\ndrained\tyes"))

        return case(hosts, made, lambda: shutil.rmtree(archives), spoil)

    async def test_archives_whose_folder_is_gone_are_missing_and_name_it(
        self, provided: ReleaseReader, releases: ReleasesCase
    ) -> None:
        releases.vanish()
        with pytest.raises(Missing, match=r"archives is not there: .*/archives"):
            await provided.available(releases.service, releases.env, releases.bench)

    async def test_a_name_with_a_line_s_end_tells_no_other_fact(
        self, provided: ReleaseReader, hosts: Twins, releases: ReleasesCase
    ) -> None:
        spoilt = releases.hosts[0]
        releases.spoil(spoilt)
        (hosts.folder / spoilt.name / "app" / "releases" / "1.0").rename(
            hosts.folder / spoilt.name / "app" / "releases" / "9\nlink\treleases"
        )
        (facts,) = await provided.running(releases.service, [spoilt], releases.bench)
        assert facts.version.endswith(" drained yes")
        assert facts.drained is False
        assert facts.kept == ()


class TestByCommand(ReleaseReaderSuite):
    provider = "release"

    @pytest.fixture
    def releases(self, hosts: Twins) -> ReleasesCase:
        versions = hosts.folder / "versions"
        versions.write_bytes(b"1.1\n1.0\nno version!\n" + HOSTILE + b"\n")
        program(hosts.folder, "version", hosts.held('exec cat "$1"'))
        folder = f"{hosts.folder}/${{host}}"
        options = {
            "version": [f"{hosts.folder}/version", f"{folder}/version"],
            "deploy": ["true", "${version}"],
            "available": ["cat", str(versions)],
        }
        made = service(hosts, "command", options)
        for name, version in RUNS.items():
            (hosts.folder / name / "version").write_text(f"{version}\n")

        def spoil(host: Host) -> None:
            (hosts.folder / host.name / "version").write_bytes(HOSTILE + b"\n")

        return case(hosts, made, versions.unlink, spoil)

    async def test_a_command_that_is_not_there_is_missing_and_one_that_fails_says_why(
        self, provided: ReleaseReader, hosts: Twins, releases: ReleasesCase
    ) -> None:
        releases.vanish()
        with pytest.raises(RemoteFailed, match="No such file"):
            await provided.available(releases.service, releases.env, releases.bench)
        for gone in ((), ("/nonexistent/versions",)):
            options = {"version": ["true"], "deploy": ["true", "${version}"], "available": gone}
            with pytest.raises(Missing, match=r"deploy\.available"):
                await provided.available(service(hosts, "command", options), "prod", hosts.bench)

    async def test_a_health_section_that_is_wrong_is_no_host_s_error(
        self, provided: ReleaseReader, hosts: Twins, releases: ReleasesCase
    ) -> None:
        made = msgspec.structs.replace(releases.service, health=HealthCheck(run=("test", "${nothing}")))
        with pytest.raises(BadInput, match="nothing"):
            await provided.running(made, hosts.hosts, hosts.bench)

    async def test_steps_from_the_bastion_do_not_need_the_host_and_its_health_does(
        self, provided: ReleaseReader, hosts: Twins, releases: ReleasesCase
    ) -> None:
        options = {
            "version": ["printf", "1.0 on ${host}"],
            "deploy": ["true", "${version}"],
            "on": "bastion",
        }
        made = service(hosts, "command", options)
        strange = msgspec.structs.replace(hosts.nobody, name="web-4", transport="pigeon")
        found = await provided.running(made, [hosts.nobody, strange, hosts.hosts[0]], hosts.bench)
        assert [(facts.version, facts.healthy) for facts in found] == [
            ("1.0 on web-3", None),
            ("1.0 on web-4", None),
            ("1.0 on web-1", True),
        ]
