"""kill -9 of the worker at each record of a change in AWS: never done twice, and always a true state or a way out."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.aws import site
from lab.aws.site import REGIONS, AwsSite
from providers.aws.rows import CLAIM
from tests.aws_place import aws, moto_session
from tests.lab.aws_home import AwsHome, aws_home

__all__ = ["aws", "moto_session"]

IN_DOUBT = ("4", "5-", "5", "6-", "6", "7-")
"""Records between the intent and the outcome: what happened is not known then, and has to be found out."""
RECORDS = ("2", "4-", *IN_DOUBT, "7", "9")


@pytest.fixture
def acme(aws: AwsSite, tmp_path: Path) -> AwsHome:
    site.seed(aws)
    return aws_home(tmp_path, aws)


def found_out(acme: AwsHome) -> str:
    """The outcome of the newest job's one target, after it was looked for."""
    job = acme.newest()
    if acme.job(job)["outcome"] in ("unknown", None):
        acme.run("reconcile", job, code=None)
    view = acme.job(job)
    assert view["state"] == "ended", view
    (row,) = view["targets"].values()
    assert row["outcome"], row
    return str(row["outcome"])


@pytest.mark.slow
@pytest.mark.parametrize("at", RECORDS)
def test_an_instance_is_launched_at_most_once(acme: AwsHome, aws: AwsSite, at: str) -> None:
    said = acme.mortal(at, "instance", "launch", f"acme/{REGIONS[0]}/web", "--name", "web-9", "-y")
    assert said.code in (0, 1, 3, 5), said
    assert (said.code == 5) is (at in IN_DOUBT), said
    outcome = found_out(acme)
    found = aws.client("ec2").describe_instances(Filters=[{"Name": "tag-key", "Values": [CLAIM]}])
    made = sum(len(one["Instances"]) for one in found["Reservations"])
    assert made == (1 if outcome == "succeeded" else 0), outcome
    assert outcome in ("succeeded", "not_started"), outcome
    assert acme.run("audit", "verify").code == 0


@pytest.mark.slow
@pytest.mark.parametrize("at", ["4-", "4", "5-", "6", "7"])
def test_a_stop_is_found_out(acme: AwsHome, aws: AwsSite, at: str) -> None:
    instance = aws.client("ec2").describe_instances()["Reservations"][0]["Instances"][0]["InstanceId"]
    said = acme.mortal(at, "instance", "stop", f"acme/{REGIONS[0]}/{instance}", "-y")
    assert said.code in (0, 1, 3, 5), said
    outcome = found_out(acme)
    state = aws.state(instance)
    assert (outcome, state) in {("succeeded", "stopped"), ("not_started", "running"), ("failed", "running")}
