"""A small company in the cloud: two regions with instances, images, stacks, buckets and alarms."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from boto3.session import Session

from lab.aws import proxy, server

REGIONS = ("eu-west-1", "eu-central-1")
PROFILE = "acme-lab"
_IMAGE = re.compile(rb"<imageId>(ami-[0-9a-f]+)</imageId>")
KEY, SECRET = "LABKEYID", "lab-secret-key"

TEMPLATE: dict[str, Any] = {
    "Parameters": {"Size": {"Type": "Number", "Default": 1}},
    "Resources": {
        "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "orders"}},
        "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "orders"}},
    },
    "Outputs": {"QueueUrl": {"Value": {"Ref": "Queue"}}},
}


def resources() -> dict[str, Any]:
    """The resources of the template."""
    return dict(TEMPLATE["Resources"])


@dataclass(slots=True)
class AwsSite:
    """A running AWS of the lab.

    Attributes:
        moto: URL of the server itself, for looking at the world.
        proxy: What ondeck talks to.
    """

    moto: str
    proxy: proxy.Proxy

    def client(self, service: str, region: str = REGIONS[0]) -> Any:  # noqa: ANN401 - boto3's own
        """A client that goes past the proxy."""
        session = Session(aws_access_key_id=KEY, aws_secret_access_key=SECRET)
        return session.client(service, region_name=region, endpoint_url=self.moto)

    def fresh(self) -> None:
        """Forget everything that was made and every rule of the proxy."""
        self._post("/moto-api/reset", b"")
        self.proxy.fresh()

    def _post(self, path: str, body: bytes) -> None:
        at = urlsplit(self.moto)
        connection = http.client.HTTPConnection(str(at.hostname), at.port, timeout=30)
        try:
            connection.request("POST", path, body, {"Content-Type": "application/json"})
            connection.getresponse().read()
        finally:
            connection.close()

    def costs(self, services: dict[str, str]) -> None:
        """What Cost Explorer answers from now on; moto has none of its own, and takes it as given."""
        groups = [
            {"Keys": [name], "Metrics": {"UnblendedCost": {"Amount": amount, "Unit": "USD"}}}
            for name, amount in services.items()
        ]
        answer = {"ResultsByTime": [{"TimePeriod": {}, "Total": {}, "Groups": groups, "Estimated": True}]}
        body = json.dumps({"results": [answer] * 20, "account_id": "123456789012"}).encode()
        self._post("/moto-api/static/ce/cost-and-usage-results", body)

    def image(self, name: str, region: str = REGIONS[0]) -> str:
        """Register an image of our own."""
        made = self.client("ec2", region).register_image(
            Name=name,
            Architecture="x86_64",
            RootDeviceName="/dev/sda1",
            BlockDeviceMappings=[{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 8}}],
        )
        return str(made["ImageId"])

    def instances(
        self, names: Sequence[str], image: str, region: str = REGIONS[0], role: str = "web"
    ) -> list[str]:
        """Start instances with these names, a role and an environment as tags."""
        ec2 = self.client("ec2", region)
        made = []
        for name in names:
            tags = [{"Key": k, "Value": v} for k, v in (("Name", name), ("Role", role), ("Env", "prod"))]
            done = ec2.run_instances(
                ImageId=image,
                MinCount=1,
                MaxCount=1,
                InstanceType="t3.small",
                TagSpecifications=[{"ResourceType": "instance", "Tags": tags}],
            )
            made.append(str(done["Instances"][0]["InstanceId"]))
        return made

    def state(self, instance: str, region: str = REGIONS[0]) -> str:
        """State of an instance; empty when it is not there."""
        found = self.client("ec2", region).describe_instances(
            Filters=[{"Name": "instance-id", "Values": [instance]}]
        )["Reservations"]
        return str(found[0]["Instances"][0]["State"]["Name"]) if found else ""


def tag_copy(site: AwsSite, call: proxy.Call, body: bytes) -> bytes:
    """An edit for the proxy: the tags of a CopyImage are put on, which EC2 does and moto does not."""
    found = _IMAGE.search(body) if call.action == "CopyImage" else None
    fields, number, tags = call.fields, 1, []
    while (key := f"TagSpecification.1.Tag.{number}.Key") in fields:
        tags.append({"Key": fields[key], "Value": fields.get(key.replace("Key", "Value"), "")})
        number += 1
    if found and tags:
        site.client("ec2", call.region).create_tags(Resources=[found[1].decode()], Tags=tags)
    return body


def login(home: Path) -> None:
    """Write the lab's profile, and the profiles of bad days, into a home folder."""
    folder = home / ".aws"
    folder.mkdir(mode=0o700, exist_ok=True)
    keys = f"aws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n"
    (folder / "credentials").write_text(f"[{PROFILE}]\n{keys}")
    (folder / "credentials").chmod(0o600)
    role = "arn:aws:iam::123456789012:role/ops"
    (folder / "config").write_text(
        f"[profile {PROFILE}]\nregion = {REGIONS[0]}\n"
        f"[profile with-mfa]\nrole_arn = {role}\nsource_profile = {PROFILE}\n"
        "mfa_serial = arn:aws:iam::123456789012:mfa/anna\n"
        "[profile with-sso]\nsso_start_url = https://acme.awsapps.com/start\nsso_region = eu-west-1\n"
        "sso_account_id = 123456789012\nsso_role_name = ops\n"
    )


def account(url: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - any option
    """The options of the lab's account in an inventory."""
    return {"profile": PROFILE, "regions": list(REGIONS), "endpoint": url, **more}


def seed(site: AwsSite) -> None:
    """A few of everything."""
    old, new = site.image("acme-web-2026.10.01"), site.image("acme-web-2026.11.20")
    site.instances(["web-1", "web-2"], old)
    site.instances(["web-3"], new)
    east = site.image("acme-web-2026.11.20", REGIONS[1])
    site.instances(["db-1"], east, REGIONS[1], role="db")
    ec2 = site.client("ec2")
    ec2.create_launch_template(
        LaunchTemplateName="web", LaunchTemplateData={"ImageId": new, "InstanceType": "t3.small"}
    )
    site.client("cloudformation").create_stack(StackName="orders", TemplateBody=json.dumps(TEMPLATE))
    bucket = {"LocationConstraint": REGIONS[0]}
    s3 = site.client("s3")
    s3.create_bucket(Bucket="acme-releases", CreateBucketConfiguration=bucket)
    for key in ("checkout/2.14.0.tar", "checkout/2.15.0.tar", "README"):
        s3.put_object(Bucket="acme-releases", Key=key, Body=key.encode())
    site.client("cloudwatch").put_metric_alarm(
        AlarmName="orders-deep",
        Namespace="AWS/SQS",
        MetricName="ApproximateNumberOfMessagesVisible",
        Statistic="Average",
        Period=60,
        EvaluationPeriods=3,
        Threshold=100,
        ComparisonOperator="GreaterThanThreshold",
    )


@contextmanager
def aws_site() -> Iterator[AwsSite]:
    """moto_server with a proxy in front; nothing in it.

    Raises:
        Missing: moto is not installed or did not start.
    """
    with ExitStack() as stack:
        moto = stack.enter_context(server.moto())
        yield AwsSite(moto=moto, proxy=stack.enter_context(proxy.proxied(moto)))
