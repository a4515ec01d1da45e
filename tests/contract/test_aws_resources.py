"""The contract of lists, for AWS: moto_server behind the lab's proxy."""

from __future__ import annotations

import asyncio
import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lab.aws import proxy, site
from lab.aws.site import REGIONS, SECRET, AwsSite
from ondeck.observe.resources import Listing, ResourceState
from ondeck.testing.resources_suite import ResourceCase, ResourceReaderSuite
from providers.aws.reader import AwsReader
from tests.aws_place import account, bench

HOSTILE = "web\u202e\u200b[bold]-9"


class TestAwsLists(ResourceReaderSuite):
    provider = "aws"

    @pytest.fixture
    def case(self, aws: AwsSite, tmp_path: Path) -> ResourceCase:
        site.seed(aws)
        ec2 = aws.client("ec2")
        image = ec2.describe_images(Owners=["self"])["Images"][0]
        ec2.create_launch_template(
            LaunchTemplateName="keyed",
            LaunchTemplateData={"ImageId": image["ImageId"], "UserData": "cGFzc3dvcmQ9aHVudGVyMg=="},
        )
        aws.instances([HOSTILE], str(image["ImageId"]))
        instance = ec2.describe_instances()["Reservations"][0]["Instances"][0]["InstanceId"]
        snapshot = ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"][0]["SnapshotId"]
        aws.costs({"AWS Lambda": "1.50", "Amazon EC2": "10.25"})
        place = account(aws.proxy.url)

        def breaks() -> None:
            shutil.rmtree(tmp_path / "cache", ignore_errors=True)
            aws.proxy.rules.append(proxy.refuses("ExpiredToken", "The security token has expired"))

        return ResourceCase(
            place=place,
            bench=bench(tmp_path, place),
            things={
                "instances": f"{REGIONS[0]}/{instance}",
                "amis": f"{REGIONS[0]}/{image['ImageId']}",
                "templates": f"{REGIONS[0]}/keyed",
                "cfn-stacks": f"{REGIONS[0]}/orders",
                "buckets": "",
                "objects": f"{REGIONS[0]}/acme-releases/README",
                "snapshots": f"{REGIONS[0]}/{snapshot}",
                "alarms": f"{REGIONS[0]}/orders-deep",
                "costs": "AWS Lambda",
            },
            breaks=breaks,
            hidden=(SECRET, "hunter2", "cGFzc3dvcmQ9aHVudGVyMg=="),
        )


def listed(aws: AwsSite, tmp: Path, kind: str, **more: Any) -> Listing:
    place = account(aws.proxy.url, **more)
    return asyncio.run(AwsReader().list(kind, place, bench(tmp, place)))


def test_a_region_that_could_not_be_asked_is_named_beside_what_the_others_say(
    aws: AwsSite, tmp_path: Path
) -> None:
    site.seed(aws)
    aws.proxy.rules.append(proxy.refuses("OptInRequired", "You are not subscribed", region=REGIONS[1]))
    found = listed(aws, tmp_path, "instances")
    assert found.partly
    assert found.error == f"{REGIONS[1]}: this region is not enabled for the account"
    assert {row.cells[0] for row in found.rows} == {"web-1", "web-2", "web-3"}


def test_every_region_of_the_account_is_asked(aws: AwsSite, tmp_path: Path) -> None:
    site.seed(aws)
    found = listed(aws, tmp_path, "instances")
    assert {row.name.partition("/")[0] for row in found.rows} == set(REGIONS)
    assert {row.cells[1] for row in found.rows} == {"running"}


def test_regions_are_asked_side_by_side(aws: AwsSite, tmp_path: Path) -> None:
    """All of them are there before the first is answered."""
    waiting: set[str] = set()
    regions = ["eu-west-1", "eu-central-1", "us-east-1", "ap-south-1"]

    def hold(call: proxy.Call) -> proxy.Answer | None:
        if call.action == "DescribeInstances":
            waiting.add(call.region)
            until = time.monotonic() + 5
            while len(waiting) < len(regions) and time.monotonic() < until:
                time.sleep(0.01)
        return None

    aws.proxy.rules.append(hold)
    assert listed(aws, tmp_path, "instances", regions=regions).error == ""
    assert waiting == set(regions)


def test_an_instance_whose_checks_cannot_be_asked_is_not_green(aws: AwsSite, tmp_path: Path) -> None:
    site.seed(aws)
    aws.proxy.rules.append(
        proxy.refuses("UnauthorizedOperation", "no", action="DescribeInstanceStatus", status=403)
    )
    found = listed(aws, tmp_path, "instances")
    assert found.error == ""
    assert {row.state for row in found.rows} == {ResourceState.UNKNOWN}
    assert {row.cells[1] for row in found.rows} == {"running, checks ?"}


def test_an_impaired_instance_is_bad_though_it_runs(aws: AwsSite, tmp_path: Path) -> None:
    site.seed(aws)
    aws.proxy.edits.append(
        lambda call, body: (
            body.replace(b"<status>ok</status>", b"<status>impaired</status>")
            if call.action == "DescribeInstanceStatus"
            else body
        )
    )
    found = listed(aws, tmp_path, "instances")
    assert {row.state for row in found.rows} == {ResourceState.BAD}
    assert {row.cells[1] for row in found.rows} == {"running, impaired"}


def test_an_image_names_who_runs_it_and_who_runs_an_older_one(aws: AwsSite, tmp_path: Path) -> None:
    site.seed(aws)
    ec2 = aws.client("ec2")
    ids = {image["Name"]: image["ImageId"] for image in ec2.describe_images(Owners=["self"])["Images"]}
    older = ids["acme-web-2026.10.01"].encode()

    def aged(call: proxy.Call, body: bytes) -> bytes:
        # moto makes both in the same second; they differ by weeks here.
        if call.action != "DescribeImages" or older not in body:
            return body
        at = body.index(b"<creationDate>", body.index(older))
        return body[: at + 14] + b"2026-10-01T00:00:00.000Z" + body[body.index(b"<", at + 14) :]

    aws.proxy.edits.append(aged)
    place = account(aws.proxy.url)
    name = f"{REGIONS[0]}/{ids['acme-web-2026.11.20']}"
    found = asyncio.run(AwsReader().describe("amis", place, name, bench(tmp_path, place)))
    assert [who.partition(" ")[0] for who in found["used by"]] == ["web-3"]
    assert found["launch templates"] == ["web"]
    (old,) = found["older kin"]
    assert sorted(who.partition(" ")[0] for who in old["used by"]) == ["web-1", "web-2"]
    (row,) = [row for row in listed(aws, tmp_path, "amis").rows if row.name == name]
    assert row.cells[3:5] == ("1", "2")


def test_a_folder_of_objects_is_browsed_by_describing_it(aws: AwsSite, tmp_path: Path) -> None:
    site.seed(aws)
    place = account(aws.proxy.url)
    rows = {row.cells[0]: row.name for row in listed(aws, tmp_path, "objects").rows}
    assert set(rows) == {"acme-releases/checkout/", "acme-releases/README"}
    found = asyncio.run(
        AwsReader().describe("objects", place, rows["acme-releases/checkout/"], bench(tmp_path, place))
    )
    assert [line.split()[0] for line in found["below"]] == [
        "acme-releases/checkout/2.14.0.tar",
        "acme-releases/checkout/2.15.0.tar",
    ]


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (proxy.refuses("ExpiredToken", "expired"), "the credentials have expired; log in again: aws sso login"),
        (proxy.refuses("InvalidClientTokenId", "no"), "AWS does not accept these keys"),
        (proxy.clock_wrong(2), "the clock of this machine is wrong by 2.0 h, it is behind"),
        (proxy.clock_wrong(-0.5), "the clock of this machine is wrong by 30 min, it is ahead"),
        (proxy.throttles(1000), "AWS throttles this account (RequestLimitExceeded)"),
        (proxy.refuses("UnauthorizedOperation", "no. Encoded authorization failure message: AbCd", status=403),
         "not allowed: DescribeInstances: no."),
        (proxy.cuts("DescribeInstances", late=False, times=1000), "the connection ended before AWS answered"),
    ],
)  # fmt: skip
def test_each_bad_day_is_said_plainly(aws: AwsSite, tmp_path: Path, rule: proxy.Rule, said: str) -> None:
    aws.proxy.rules.append(rule)
    found = listed(aws, tmp_path, "instances")
    assert said in found.error
    assert "AbCd" not in found.error
    assert found.rows == ()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"profile": "with-mfa"}, "wants an MFA code, which ondeck never asks for"),
        ({"profile": "with-sso"}, "run: aws sso login --profile with-sso"),
        ({"profile": "nobody"}, "no profile 'nobody' in ~/.aws/config"),
        ({"endpoint": "http://127.0.0.1:9"}, "nothing answers at http://127.0.0.1:9"),
        ({"endpoint": "http://nowhere.invalid"}, "has no address"),
        ({"regions": ["Europe"]}, "regions"),
        ({"speed": "high"}, "speed"),
    ],
)
def test_a_login_or_an_option_that_is_wrong_is_said_plainly(
    aws: AwsSite, tmp_path: Path, options: dict[str, Any], said: str
) -> None:
    found = listed(aws, tmp_path, "instances", **options)
    assert said in found.error
    assert not found.partly


def test_a_few_throttled_calls_are_tried_again(aws: AwsSite, tmp_path: Path) -> None:
    site.seed(aws)
    aws.proxy.rules.append(proxy.throttles(1, "DescribeInstances"))
    assert listed(aws, tmp_path, "instances").error == ""


def test_what_stands_in_the_environment_is_not_what_we_log_in_with(
    aws: AwsSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job has another environment than who plans it: only the inventory says who we are."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "SOMEBODYELSE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "other")
    listed(aws, tmp_path, "instances")
    assert {call.key for call in aws.proxy.calls} == {site.KEY}
    assert "has no usable keys" in listed(aws, tmp_path, "instances", profile="").error


def test_a_role_is_assumed_from_the_profile(aws: AwsSite, tmp_path: Path) -> None:
    listed(aws, tmp_path, "instances", role="arn:aws:iam::123456789012:role/ops")
    assert aws.proxy.count("AssumeRole") == 1
    assert site.KEY not in {c.key for c in aws.proxy.calls if c.action == "DescribeInstances"}


def test_costs_are_asked_once_a_day_for_every_ask_is_billed(aws: AwsSite, tmp_path: Path) -> None:
    aws.costs({"AWS Lambda": "1.50", "Amazon EC2": "10.25"})
    found = listed(aws, tmp_path, "costs")
    assert [row.cells[:3] for row in found.rows] == [
        ("total", "11.75 USD", "100 %"), ("Amazon EC2", "10.25 USD", "87 %"), ("AWS Lambda", "1.50 USD", "13 %")
    ]  # fmt: skip
    assert listed(aws, tmp_path, "costs").rows == found.rows
    assert aws.proxy.count("GetCostAndUsage") == 1


def test_a_busy_instance_shows_its_processor_and_one_without_data_says_so(
    aws: AwsSite, tmp_path: Path
) -> None:
    (busy, silent) = aws.instances(["busy", "silent"], aws.image("acme-web-1"))
    now = datetime.now(UTC)
    aws.client("cloudwatch").put_metric_data(
        Namespace="AWS/EC2",
        MetricData=[
            {
                "MetricName": "CPUUtilization",
                "Dimensions": [{"Name": "InstanceId", "Value": busy}],
                "Timestamp": now - timedelta(minutes=5 * age + 1),
                "Value": value,
            }
            for age, value in ((2, 10.0), (1, 55.0), (0, 99.0))
        ],
    )
    place = account(aws.proxy.url)

    def processor(name: str) -> str:
        found = asyncio.run(
            AwsReader().describe("instances", place, f"{REGIONS[0]}/{name}", bench(tmp_path, place))
        )
        return str(found["processor"])

    assert processor(busy) == "▁▅█ 99 % at last, 10 to 99 % in 3 h"
    assert processor(silent) == "no data in the last 3 h"


def test_keys_that_are_renewed_in_the_file_are_used_at_the_next_ask(aws: AwsSite, tmp_path: Path) -> None:
    """A face stands for days: it must not go on with the keys of yesterday."""
    site.seed(aws)
    aws.proxy.rules.append(
        lambda call: proxy.refusal(call, "ExpiredToken", "expired") if call.key == site.KEY else None
    )
    assert "have expired" in listed(aws, tmp_path, "instances").error
    credentials = Path.home() / ".aws/credentials"
    credentials.write_text(credentials.read_text().replace(site.KEY, "RENEWEDKEY"))
    assert listed(aws, tmp_path, "instances").error == ""


def test_drift_is_shown_as_it_was_last_detected(aws: AwsSite, tmp_path: Path) -> None:
    """moto detects none: the answer is given the words of CloudFormation's own."""
    site.seed(aws)
    said = b"<DriftInformation><StackDriftStatus>DRIFTED</StackDriftStatus></DriftInformation>"
    aws.proxy.edits.append(
        lambda call, body: (
            body.replace(b"<StackName>orders</StackName>", b"<StackName>orders</StackName>" + said)
            if call.action == "DescribeStacks"
            else body
        )
    )
    (row,) = listed(aws, tmp_path, "cfn-stacks").rows
    assert row.cells[3] == "drifted"
