"""The contract of live sources: EC2 of the lab, an Ansible inventory, a kubeconfig."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lab.aws import proxy, site
from lab.aws.site import REGIONS, AwsSite
from ondeck.inventory.discovering import Entry
from ondeck.inventory.model import Environment, Inventory, Revision
from ondeck.testing.discovery_suite import DiscoveryCase, DiscoverySuite
from providers.aws.discovery import AwsDiscovery
from tests.aws_place import account, bench
from tests.contract.host_bench import TestBench

KUBECONFIG = """apiVersion: v1
kind: Config
contexts:
- {name: acme-eu, context: {cluster: eu, user: anna}}
- {name: acme-us, context: {cluster: us, user: anna}}
users:
- {name: anna, user: {token: hunter2}}
"""


def of_aws(**options: Any) -> Entry:
    return Entry(
        kind="aws", env="lab", where="discover.1", options={"account": "acme", "group": "tag:Role", **options}
    )


class TestAws(DiscoverySuite):
    provider = "aws"

    @pytest.fixture
    def case(self, aws: AwsSite, tmp_path: Path) -> DiscoveryCase:
        site.seed(aws)
        ec2 = aws.client("ec2")
        image = ec2.describe_images(Owners=["self"])["Images"][0]["ImageId"]
        (gone,) = aws.instances(["web-4"], image)
        ec2.stop_instances(InstanceIds=[gone])

        def breaks() -> None:
            aws.proxy.rules.append(proxy.refuses("ExpiredToken", "expired"))

        return DiscoveryCase(
            entry=of_aws(),
            bench=bench(tmp_path, account(aws.proxy.url)),
            hosts=("web-1", "web-2", "web-3", "db-1"),
            breaks=breaks,
        )


class TestAnsible(DiscoverySuite):
    provider = "files"

    @pytest.fixture
    def case(self, tmp_path: Path) -> DiscoveryCase:
        file = tmp_path / "hosts.ini"
        file.write_text("[web]\nweb-[1:2] ansible_host=10.0.0.1\n[db]\ndb-1 ansible_port=2222\n")
        entry = Entry(kind="ansible", env="lab", where="discover.1", options={"path": "hosts.ini"})
        return DiscoveryCase(
            entry=entry, bench=files_bench(tmp_path), hosts=("web-1", "web-2", "db-1"), breaks=file.unlink
        )


class TestKubeconfig(DiscoverySuite):
    provider = "files"

    @pytest.fixture
    def case(self, tmp_path: Path) -> DiscoveryCase:
        file = tmp_path / "kubeconfig"
        file.write_text(KUBECONFIG)
        entry = Entry(kind="kubeconfig", env="lab", where="discover.1", options={"path": str(file)})
        return DiscoveryCase(
            entry=entry, bench=files_bench(tmp_path), clusters=("acme-eu", "acme-us"), breaks=file.unlink
        )

    def test_no_token_of_it_is_kept(self, provided: Any, case: DiscoveryCase) -> None:
        assert "hunter2" not in repr(self._asked(provided, case))


def files_bench(folder: Path) -> TestBench:
    found = bench(folder, account("http://127.0.0.1:9"))
    inventory = Inventory(revision=Revision(root=str(folder)), environments={"lab": Environment(name="lab")})
    nowhere: Any = None
    return TestBench(inventory, found.settings, nowhere)


def test_instances_of_one_name_are_told_apart_by_their_ids(aws: AwsSite, tmp_path: Path) -> None:
    made = aws.instances(["worker", "worker", "api"], aws.image("acme-worker-1"))
    found = asyncio.run(AwsDiscovery().discover(of_aws(), bench(tmp_path, account(aws.proxy.url))))
    assert sorted(host.name for host in found.hosts) == sorted(
        [f"worker-{made[0][-6:]}", f"worker-{made[1][-6:]}", "api"]
    )


def test_a_region_that_is_lost_is_named_and_the_others_are_there(aws: AwsSite, tmp_path: Path) -> None:
    site.seed(aws)
    aws.proxy.rules.append(proxy.refuses("OptInRequired", "no", region=REGIONS[1]))
    found = asyncio.run(AwsDiscovery().discover(of_aws(), bench(tmp_path, account(aws.proxy.url))))
    assert found.partly
    assert REGIONS[1] in found.error
    assert found.parts == {region: 0 if region == REGIONS[1] else found.asked for region in REGIONS}
    assert {host.part for host in found.hosts} == {REGIONS[0]}
    assert {host.name for host in found.hosts} == {"web-1", "web-2", "web-3"}


def test_only_instances_with_the_named_tags_are_hosts(aws: AwsSite, tmp_path: Path) -> None:
    site.seed(aws)
    place = bench(tmp_path, account(aws.proxy.url))
    found = asyncio.run(
        AwsDiscovery().discover(of_aws(where={"Role": "db"}, address="public", via="jump-1"), place)
    )
    (host,) = found.hosts
    assert (host.name, host.groups, host.via) == ("db-1", ("db",), "jump-1")
    assert host.address != ""
    assert host.labels["region"] == REGIONS[1]
    again = msgspec.structs.replace(of_aws(), options={"profile": site.PROFILE, "endpoint": aws.proxy.url})
    assert len(asyncio.run(AwsDiscovery().discover(again, place)).hosts) == 3  # the profile's own region
