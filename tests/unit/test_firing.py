from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ondeck.errors import Unreachable
from ondeck.inventory.model import Environment, HealthCheck, Host, Inventory, Revision, Service
from ondeck.observe import firing, health
from ondeck.reach.ports import Completed
from ondeck.settings import Settings

HTTP = HealthCheck(http="http://${address}:8080/healthz")


class FakeBench:
    """Hosts of which some do not answer; says over which transport each was asked, and how many at once."""

    def __init__(
        self, count: int, check: HealthCheck, *, silent: Sequence[str] = (), hang: bool = False
    ) -> None:
        self.settings = Settings(state=Path("/n"), cache=Path("/n"), config=Path("/n"), timescale=0.01)
        self.inventory = Inventory(
            revision=Revision(root="/x"),
            environments={"prod": Environment(name="prod")},
            hosts={
                f"web-{n}": Host(name=f"web-{n}", env="prod", address=f"10.0.0.{n}") for n in range(count)
            },
            services={
                f"s-{n}": Service(name=f"s-{n}", on={"prod": f"name=web-{n}"}, health=check)
                for n in range(count)
            },
        )
        self.silent = silent
        self.hang = hang
        self.asked: list[tuple[str, str]] = []
        self.now = self.most = 0

    def reach(self, transport: str) -> Any:
        return FakeReach(self, transport)


class FakeReach:
    def __init__(self, bench: FakeBench, transport: str) -> None:
        self.bench, self.transport = bench, transport

    async def connect(self, host: Host) -> Any:
        self.bench.asked.append((self.transport, host.name))
        if self.transport == "ssh" and host.name in self.bench.silent:
            raise Unreachable("connection refused", where=host.name)
        return FakeLink(self.bench, host)


class FakeLink:
    def __init__(self, bench: FakeBench, host: Host) -> None:
        self.bench, self.host = bench, host.name

    async def run(self, argv: Sequence[str], **_: Any) -> Completed:
        self.bench.now += 1
        self.bench.most = max(self.bench.most, self.bench.now)
        await (asyncio.Event().wait() if self.bench.hang else asyncio.sleep(0.001))
        self.bench.now -= 1
        if self.host in self.bench.silent:
            return Completed(7, b"", b"connection refused")
        return Completed(0, b"HTTP/1.1 200 OK\n\n", b"")

    async def aclose(self) -> None:
        return


async def standings(bench: FakeBench, **more: Any) -> list[firing.Standing]:
    def releases(service: Service) -> Any:
        raise AssertionError(service.name)

    return await firing.standings(bench, releases, **more)  # type: ignore[arg-type]


async def test_a_large_fleet_is_asked_whole_and_healthy_hosts_are_not_logged_in_to() -> None:
    bench = FakeBench(70, HTTP, silent=("web-7",))
    found = await standings(bench, first=lambda service, env: service.name == "s-69")
    assert bench.asked[0] == ("ssh", "web-69"), "what changed comes first"
    assert sorted(bench.asked)[-2:] == [("ssh", "web-69"), ("ssh", "web-7")]
    assert all(standing.asked for standing in found)
    assert [s.subject for s in found if s.unknown] == ["s-7@prod"]
    assert bench.most <= firing.HOSTS_AT_ONCE


async def test_what_time_was_up_for_is_not_asked_and_never_known() -> None:
    bench = FakeBench(70, HTTP, hang=True)
    found = await standings(bench, first=lambda service, env: False, within=1)
    begun = [s for s in found if s.asked]
    assert len(begun) <= firing.HOSTS_AT_ONCE
    assert {s.error for s in found} == {
        "no answer before time was up",
        "not asked: time was up before its turn",
    }
    assert all(s.unknown == s.hosts for s in found), "unknown, never ok"


@pytest.mark.parametrize(
    ("check", "host", "outside"),
    [
        (HTTP, Host(name="a", env="p", address="10.0.0.1"), True),
        (HTTP, Host(name="a", env="p", address="10.0.0.1", via="jump"), False),
        (HTTP, Host(name="a", env="p", address="127.0.0.3"), False),
        (HealthCheck(http="http://localhost/"), Host(name="a", env="p"), False),
        (HealthCheck(http="http://[::1]:80/"), Host(name="a", env="p"), False),
        (HealthCheck(tcp=80), Host(name="a", env="p", address="10.0.0.1"), True),
        (HealthCheck(tcp=80, run=("true",)), Host(name="a", env="p", address="10.0.0.1"), False),
    ],
)
def test_only_what_asks_the_same_from_elsewhere_is_asked_from_elsewhere(
    check: HealthCheck, host: Host, outside: bool
) -> None:
    assert health.from_outside(check, host) is outside
