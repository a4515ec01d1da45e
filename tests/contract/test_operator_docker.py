"""The promises of an operator for containers on plain hosts, and what a deploy of them does, on a real engine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ondeck.testing.operator_suite import OperatorSite, OperatorSuite
from providers.docker.deploys.work import container_name
from tests.contract.docker_site import ContractSite, DockerSite, Lab, deployed, docker_lab

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

Make = Callable[..., DockerSite]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with docker_lab() as started:
        yield started


@pytest.fixture
def make_site(lab: Lab, tmp_path: Path) -> Iterator[Make]:
    made: list[DockerSite] = []

    def make(**deploy: Any) -> DockerSite:
        made.append(DockerSite(lab, tmp_path / str(len(made)), **deploy))
        return made[-1]

    yield make
    for site in made:
        site.close()


class TestDeploy(OperatorSuite):
    provider = "docker"

    @pytest.fixture
    def make(self, make_site: Make) -> Callable[[], Awaitable[OperatorSite]]:
        async def make() -> OperatorSite:
            site = await deployed(make_site(drains=True), "1.0")
            site.put("1.1")
            return ContractSite(site)

        return make


async def test_a_good_image_is_pulled_by_digest_started_and_waited_for(make_site: Make) -> None:
    site = make_site()
    digest = site.put("1.0")
    found, log = await site.do("deploy", version="1.0")
    assert found["web-1"].outcome == "succeeded", found
    assert "lives for 10 s" in found["web-1"].evidence
    (one,) = site.containers()
    assert one["Config"]["Image"] == f"{site.image}@sha256:{digest}"
    labels = one["Config"]["Labels"]
    assert (labels["ondeck.env"], labels["ondeck.digest"], labels["team"]) == (
        "prod",
        f"sha256:{digest}",
        "shop",
    )
    assert one["Name"] == f"/{container_name(site.name, labels['ondeck.attempt'])}"
    assert f"pulled {digest[:12]}" in log.steps
    assert site.bench.facts[f"running {site.subject}"] == f"1.0 sha256:{digest}"
