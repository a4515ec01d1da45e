"""Instances, images and objects from the command line and on the screen, with real workers, on the lab's AWS."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.aws import proxy, server, site
from lab.aws.site import REGIONS, AwsSite
from ondeck.errors import Missing
from providers.aws.rows import CLAIM
from tests.lab.aws_home import AwsHome, aws_home
from tests.lab.real_site import ONDECK
from tests.required import cannot
from tests.terminal import Terminal

REGION = REGIONS[0]


@pytest.fixture
def acme(aws: AwsSite, tmp_path: Path) -> AwsHome:
    site.seed(aws)
    return aws_home(tmp_path, aws)


def ids(aws: AwsSite) -> dict[str, str]:
    found = aws.client("ec2").describe_instances()["Reservations"]
    return {
        next(t["Value"] for t in i["Tags"] if t["Key"] == "Name"): f"acme/{REGION}/{i['InstanceId']}"
        for r in found
        for i in r["Instances"]
    }


def state(aws: AwsSite, target: str) -> str:
    return aws.state(target.rpartition("/")[2])


def test_instances_of_every_region_are_listed_and_a_lost_region_is_named(acme: AwsHome, aws: AwsSite) -> None:
    said = acme.run("get", "instances")
    assert {line.split()[1] for line in said.out.splitlines()[1:]} == {"web-1", "web-2", "web-3", "db-1"}
    aws.proxy.rules.append(proxy.refuses("OptInRequired", "no", region=REGIONS[1]))
    said = acme.run("get", "instances", "-o", "json", code=3)
    assert {thing["tags"]["Name"] for thing in said.data["things"]} == {"web-1", "web-2", "web-3"}
    assert said.data["asked"][0]["error"] == f"{REGIONS[1]}: this region is not enabled for the account"
    assert "not enabled" in said.err


def test_an_instance_is_described_with_its_console(acme: AwsHome, aws: AwsSite) -> None:
    found = acme.run("get", "instances", ids(aws)["web-1"], "-o", "json").data
    assert found["state"] == "running"
    assert any("Linux version" in line for line in found["console"])


def test_stopped_and_started_and_nothing_of_it_stays_behind(acme: AwsHome, aws: AwsSite) -> None:
    one = ids(aws)["web-1"]
    acme.run("instance", "stop", one, "-y", "--reason", "to look")
    assert state(aws, one) == "stopped"
    assert set(acme.outcomes().values()) == {"succeeded"}
    tags = aws.client("ec2").describe_tags(Filters=[{"Name": "key", "Values": [CLAIM]}])["Tags"]
    assert tags == []
    again = acme.run("instance", "stop", one, "-y")
    assert "no-op" in again.err or "nothing" in again.err or "already" in again.err
    acme.run("instance", "start", one, "-y")
    assert state(aws, one) == "running"


def test_to_terminate_the_count_and_the_names_are_typed_and_the_protected_one_stays(
    acme: AwsHome, aws: AwsSite
) -> None:
    names = ids(aws)
    aws.client("ec2").modify_instance_attribute(
        InstanceId=names["web-3"].rpartition("/")[2], DisableApiTermination={"Value": True}
    )
    subject = names["web-1"] + "".join(f",{names[n].partition('/')[2]}" for n in ("web-2", "web-3"))
    refused = acme.run("instance", "terminate", subject, "-y", code=4)
    assert "2 web-1 web-2" in refused.err
    assert "web-3: termination protection is on" in refused.err
    assert state(aws, names["web-1"]) == "running"
    acme.run("instance", "terminate", subject, "--confirm", "2 web-1 web-2")
    assert [state(aws, names[n]) for n in ("web-1", "web-2", "web-3")] == [
        "terminated",
        "terminated",
        "running",
    ]


def test_a_connection_that_ends_mid_call_is_unknown_and_what_became_of_it_is_found(
    acme: AwsHome, aws: AwsSite
) -> None:
    one = ids(aws)["web-1"]
    dry = {"left": True}

    def lose(call: proxy.Call) -> proxy.Answer | None:
        if call.action == "StopInstances" and "DryRun" not in call.fields and dry.pop("left", False):
            raise proxy.Cut(late=True)
        return None

    aws.proxy.rules.append(lose)
    acme.run("instance", "stop", one, "-y", code=5)
    assert acme.outcomes() == {one: "unknown"}
    acme.run("reconcile", acme.newest())
    assert acme.outcomes() == {one: "succeeded"}
    assert "EC2 says stopped" in acme.job()["targets"][one]["evidence"]


def test_an_instance_is_launched_once_though_the_answer_was_lost(acme: AwsHome, aws: AwsSite) -> None:
    dry = {"left": True}

    def lose(call: proxy.Call) -> proxy.Answer | None:
        if call.action == "RunInstances" and "DryRun" not in call.fields and dry.pop("left", False):
            raise proxy.Cut(late=True)
        return None

    aws.proxy.rules.append(lose)
    acme.run("instance", "launch", f"acme/{REGION}/web", "--name", "web-9", "-y", code=5)
    acme.run("reconcile", acme.newest())
    assert set(acme.outcomes().values()) == {"succeeded"}
    assert list(ids(aws)).count("web-9") == 1
    runs = [c for c in aws.proxy.served if c.action == "RunInstances" and "DryRun" not in c.fields]
    assert len(runs) == 1
    assert len(runs[0].fields["ClientToken"]) <= 64


def test_credentials_that_end_in_a_job_pause_it_and_count_against_nothing(
    acme: AwsHome, aws: AwsSite
) -> None:
    """Two instances, one after the other; the token ends when the second is looked at."""
    names = ids(aws)
    second = names["web-2"].rpartition("/")[2]
    token = {"good": True}

    def expire(call: proxy.Call) -> proxy.Answer | None:
        begun = any(c.action == "StopInstances" and "DryRun" not in c.fields for c in aws.proxy.served)
        if token["good"] or not begun or call.fields.get("InstanceId.1") != second:
            return None
        return proxy.refusal(
            call, "ExpiredToken", "The security token included in the request is expired", 403
        )

    aws.proxy.rules.append(expire)
    token["good"] = False
    subject = f"{names['web-1']},{names['web-2'].partition('/')[2]}"
    said = acme.run("instance", "stop", subject, "--batch", "1", "-y", code=4)
    assert "the credentials have expired; log in again: aws sso login --profile acme-lab" in said.err
    job = acme.newest()
    assert acme.job(job)["state"] == "waiting"
    assert (state(aws, names["web-1"]), state(aws, names["web-2"])) == ("stopped", "running")
    token["good"] = True
    acme.run("continue", job, "-y")
    acme.run("attach", job)
    assert set(acme.outcomes(job).values()) == {"succeeded"}
    assert state(aws, names["web-2"]) == "stopped"


def test_an_image_is_made_copied_and_not_deregistered_while_it_is_used(acme: AwsHome, aws: AwsSite) -> None:
    one = ids(aws)["web-1"]
    said = acme.run("ami", "create", one, "--name", "acme-web-2026.11.28", "-y")
    assert "is stopped for the image" in said.err
    ec2 = aws.client("ec2")
    images = {image["Name"]: image["ImageId"] for image in ec2.describe_images(Owners=["self"])["Images"]}
    made = f"acme/{REGION}/{images['acme-web-2026.11.28']}"
    acme.run("ami", "copy", made, "--to", REGIONS[1], "-y")
    there = aws.client("ec2", REGIONS[1]).describe_images(Owners=["self"])["Images"]
    assert "acme-web-2026.11.28" in {image["Name"] for image in there}
    used = f"acme/{REGION}/{images['acme-web-2026.10.01']}"
    refused = acme.run("ami", "deregister", used, code=2)
    assert "used by web-1, web-2" in refused.err
    acme.run("ami", "deregister", made, "--confirm", "1 acme-web-2026.11.28")
    left = {image["Name"] for image in ec2.describe_images(Owners=["self"])["Images"]}
    assert "acme-web-2026.11.28" not in left


def test_tags_are_set_and_removed(acme: AwsHome, aws: AwsSite) -> None:
    one = ids(aws)["web-1"]
    acme.run("instance", "tag", one, "--put", "Owner=shop", "--remove", "Role", "-y")
    found = acme.run("get", "instances", one, "-o", "json").data["tags"]
    assert found["Owner"] == "shop"
    assert "Role" not in found


def test_instances_are_on_the_screen_and_can_be_stopped_from_there(acme: AwsHome, aws: AwsSite) -> None:
    environment = {**acme.environment, "TERM": "xterm-256color"}
    with Terminal([ONDECK], columns=80, rows=24, env=environment) as terminal:
        terminal.wait_for("prod", 30)
        terminal.type(":", "instances", "enter")
        screen = terminal.wait_for(re.compile(r"web-1\s+running"), 30)
        assert "db-1" in screen
        terminal.type("a")
        terminal.wait_for("Stop instances", 20)
        terminal.type("q", "q", "q", delay=0.3)


# --- S3 for real: rclone checks every signature


@pytest.fixture
def store(aws: AwsSite, tmp_path: Path) -> Iterator[AwsHome]:
    """The same account, its S3 a server that checks signatures."""
    (tmp_path / "disk" / "acme-releases").mkdir(parents=True)
    context = server.s3(tmp_path / "disk", site.KEY, site.SECRET)
    try:
        url = context.__enter__()
    except Missing as error:
        cannot(error.message)
    try:
        yield aws_home(tmp_path, aws, endpoints={"s3": url})
    finally:
        context.__exit__(None, None, None)


def test_a_file_is_put_and_fetched_through_a_server_that_checks_signatures(store: AwsHome) -> None:
    source = store.folder / "2.16.0.tar"
    source.write_bytes(os.urandom(9 << 20))
    there = f"acme/{REGION}/acme-releases/checkout/2.16.0.tar"
    store.run("s3", "copy", there, "--upload", str(source), "-y")
    assert (store.folder / "disk/acme-releases/checkout/2.16.0.tar").read_bytes() == source.read_bytes()
    back = store.folder / "back.tar"
    store.run("s3", "copy", there, "--download", str(back), "-y")
    assert back.read_bytes() == source.read_bytes()
    said = store.run("get", "objects", f"acme/{REGION}/acme-releases/checkout/", "-o", "json").data
    assert said["below"][0].startswith("acme-releases/checkout/2.16.0.tar  9.0 MiB")
    store.run("s3", "delete", there, "--confirm", "1 checkout/2.16.0.tar")
    assert not (store.folder / "disk/acme-releases/checkout/2.16.0.tar").exists()


def test_a_wrong_key_is_refused_by_a_server_that_checks_signatures(store: AwsHome) -> None:
    credentials = store.folder / "home/.aws/credentials"
    credentials.write_text(credentials.read_text().replace(site.SECRET, "another-key"))
    said = store.run("get", "buckets", code=6)
    assert "AWS does not accept these keys (SignatureDoesNotMatch)" in said.err


# --- hosts from EC2


def test_instances_are_hosts_after_they_were_asked_for_and_stay_when_aws_is_away(
    aws: AwsSite, tmp_path: Path
) -> None:
    site.seed(aws)
    acme = aws_home(tmp_path, aws, discover={"group": "tag:Role", "same_host_by": "address"})
    said = acme.run("get", "hosts", "-o", "json")
    assert said.data == []
    assert "never asked; ask now: ondeck discover" in said.err
    (row,) = acme.run("discover", "-o", "json").data
    assert (row["source"], row["hosts"], row["state"]) == ("aws acme", 4, "ok")
    hosts = {host["name"]: host for host in acme.run("get", "hosts", "-o", "json").data}
    assert set(hosts) == {"web-1", "web-2", "web-3", "db-1"}
    assert hosts["web-1"]["origin"] == "aws acme"
    assert hosts["web-1"]["groups"] == ["web"]
    assert acme.run("get", "hosts", "-l", "group=db", "-o", "name").out.split() == ["db-1"]
    aws.proxy.rules.append(proxy.refuses("ExpiredToken", "expired"))
    acme.run("discover", code=6)
    later = acme.run("get", "hosts", "-o", "name")
    assert len(later.out.split()) == 4
    assert "the credentials have expired" in later.err


def test_a_first_inventory_is_written_from_a_profile(acme: AwsHome, aws: AwsSite) -> None:
    config = acme.folder / "home/.aws/config"
    config.write_text(
        f"{config.read_text()}\n[profile first]\nregion = {REGION}\nendpoint_url = {aws.proxy.url}\n"
    )
    keys = acme.folder / "home/.aws/credentials"
    keys.write_text(f"{keys.read_text()}[first]\naws_access_key_id = X\naws_secret_access_key = Y\n")
    acme.run("init", str(acme.folder / "ops"), "--from", "aws:first")
    text = (acme.folder / "ops/hosts.yml").read_text()
    assert re.search(r"web-1: \{env: prod, group: \[web, prod\], address: 10\.", text)
    acme.run("-i", str(acme.folder / "ops"), "check")


def test_keys_by_reference_reach_the_job_and_stand_nowhere(aws: AwsSite, tmp_path: Path) -> None:
    """No profile: the inventory names where the keys are, and the job is given them with the plan."""
    site.seed(aws)
    keys = {"id": "env:LAB_KEY_ID", "secret": "env:LAB_SECRET"}
    acme = aws_home(tmp_path, aws, profile="", keys=keys)
    one = ids(aws)["web-1"]
    words = [ONDECK, "instance", "stop", one, "-y"]
    given = {**acme.environment, "LAB_KEY_ID": "BORROWEDKEY", "LAB_SECRET": "hunter2-hunter2"}
    done = subprocess.run(words, env=given, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done
    assert state(aws, one) == "stopped"
    assert {c.key for c in aws.proxy.calls if c.action == "StopInstances"} == {"BORROWEDKEY"}
    held = [
        path for path in (tmp_path / "home").rglob("*") if path.is_file() and b"hunter2" in path.read_bytes()
    ]
    assert held == []
    missing = acme.run("instance", "start", one, code=None)
    assert missing.code != 0
    assert "LAB_KEY_ID" in missing.err
