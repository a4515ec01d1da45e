"""Small real worlds on the lab's AWS, each with one change that can be made in it.

moto is done with everything at once and knows no way back; where a test needs something that takes its time,
the lab's proxy tells a state that is not there yet, and says no to nothing else.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lab.aws import proxy, site
from lab.aws.site import REGIONS, TEMPLATE, AwsSite
from ondeck.errors import LinkLost
from ondeck.job.plan import Request
from ondeck.testing.cut_socket import Cuts
from providers.aws.operator import AwsOperator
from providers.aws.rows import CLAIM
from tests.aws_place import account, bench

REGION = REGIONS[0]


class AwsCase:
    """What the sites share: an account, a switch for its connections, and a state that lags."""

    operation = ""

    def __init__(self, aws: AwsSite, tmp: Path, thing: str, **params: Any) -> None:
        self.aws = aws
        self.tmp = tmp
        self.cuts = Cuts()
        self.place = account(aws.proxy.url)
        self.bench: Any = bench(tmp, self.place)
        self.operator: Any = AwsOperator()
        self.lagging: set[str] = set()
        self.request = Request(
            operation=self.operation,
            subject=f"acme/{thing}",
            targets=tuple(f"acme/{one}" for one in thing.split(",")),
            env="lab",
            params=params,
            actor="anna",
        )
        aws.proxy.rules.append(self._cut)
        aws.proxy.edits.append(self._lag)

    def _cut(self, call: proxy.Call) -> proxy.Answer | None:
        late = self.cuts.left == 0 and self.cuts.calls % 2 == 1
        try:
            self.cuts.pass_one("aws")
        except LinkLost:
            raise proxy.Cut(late=late) from None
        return None

    def _lag(self, call: proxy.Call, body: bytes) -> bytes:
        return body

    def served(self, action: str) -> int:
        """How many requests of an action were carried out, dry runs aside."""
        return sum(c.action == action and "DryRun" not in c.fields for c in self.aws.proxy.served)

    def slow(self, target: str) -> None:
        self.lagging.add(target)

    def hurry(self, target: str) -> None:
        self.lagging.discard(target)

    def busy(self, target: str) -> bool:
        return target in self.lagging

    def world(self) -> str:
        found = {}
        for region in REGIONS:
            ec2 = self.aws.client("ec2", region)
            found[region] = [
                [
                    (
                        i["InstanceId"],
                        i["State"]["Name"],
                        sorted((t["Key"], t["Value"]) for t in i.get("Tags", ())),
                    )
                    for r in ec2.describe_instances()["Reservations"]
                    for i in r["Instances"]
                ],
                sorted(image["ImageId"] for image in ec2.describe_images(Owners=["self"])["Images"]),
                sorted(
                    (s["StackName"], s["StackStatus"], json.dumps(s.get("Parameters", ())))
                    for s in self.aws.client("cloudformation", region).describe_stacks()["Stacks"]
                    if s["StackStatus"] != "REVIEW_IN_PROGRESS"
                ),
            ]
        s3 = self.aws.client("s3")
        found["s3"] = [
            (bucket["Name"], o["Key"], o["ETag"])
            for bucket in s3.list_buckets()["Buckets"]
            for o in s3.list_objects_v2(Bucket=bucket["Name"]).get("Contents", ())
        ]
        return json.dumps(found, sort_keys=True)


class StopSite(AwsCase):
    """Two instances that are stopped; while one lags EC2 says `stopping`."""

    operation = "instance.stop"

    def __init__(self, aws: AwsSite, tmp: Path) -> None:
        aws.fresh()
        self.ids = aws.instances(["web-1", "web-2"], aws.image("acme-web-1"))
        super().__init__(aws, tmp, ",".join(f"{REGION}/{one}" for one in self.ids))

    def _lag(self, call: proxy.Call, body: bytes) -> bytes:
        asked = call.fields.get("InstanceId.1", "")
        if call.action == "DescribeInstances" and any(asked in target for target in self.lagging if asked):
            return body.replace(b"<name>stopped</name>", b"<name>stopping</name>")
        return body

    def disturb(self, target: str) -> None:
        self.aws.client("ec2").stop_instances(InstanceIds=[target.rpartition("/")[2]])

    def effects(self, target: str) -> int:
        name = target.rpartition("/")[2]
        stops = (c for c in self.aws.proxy.served if c.action == "StopInstances" and "DryRun" not in c.fields)
        return sum(c.fields.get("InstanceId.1") == name for c in stops)

    def in_place(self, target: str) -> bool:
        return self.aws.state(target.rpartition("/")[2]) == "stopped"


class LaunchSite(AwsCase):
    """One instance from a template; while it lags EC2 says `pending`."""

    operation = "instance.launch"

    def __init__(self, aws: AwsSite, tmp: Path) -> None:
        aws.fresh()
        self.image = aws.image("acme-web-1")
        aws.client("ec2").create_launch_template(
            LaunchTemplateName="web", LaunchTemplateData={"ImageId": self.image, "InstanceType": "t3.small"}
        )
        super().__init__(aws, tmp, f"{REGION}/web", name="web-9")

    def _lag(self, call: proxy.Call, body: bytes) -> bytes:
        if call.action == "DescribeInstances" and self.lagging:
            return body.replace(b"<name>running</name>", b"<name>pending</name>")
        return body

    def disturb(self, target: str) -> None:
        self.aws.client("ec2").deregister_image(ImageId=self.image)

    def effects(self, target: str) -> int:
        found = self.aws.client("ec2").describe_instances(Filters=[{"Name": "tag-key", "Values": [CLAIM]}])
        return sum(len(r["Instances"]) for r in found["Reservations"])

    def in_place(self, target: str) -> bool:
        return self.effects(target) == 1


class ImageSite(AwsCase):
    """An image of an instance; while it lags EC2 says `pending`."""

    operation = "ami.create"

    def __init__(self, aws: AwsSite, tmp: Path) -> None:
        aws.fresh()
        (self.instance,) = aws.instances(["web-1"], aws.image("acme-web-1"))
        super().__init__(aws, tmp, f"{REGION}/{self.instance}", name="acme-web-2")

    def _lag(self, call: proxy.Call, body: bytes) -> bytes:
        if call.action == "DescribeImages" and self.lagging:
            return body.replace(b"<imageState>available</imageState>", b"<imageState>pending</imageState>")
        return body

    def disturb(self, target: str) -> None:
        self.aws.client("ec2").stop_instances(InstanceIds=[self.instance])

    def effects(self, target: str) -> int:
        return self.served("CreateImage")

    def busy(self, target: str) -> bool:
        return super().busy(target) and self.in_place(target)

    def in_place(self, target: str) -> bool:
        images = self.aws.client("ec2").describe_images(Owners=["self"])["Images"]
        return "acme-web-2" in {image["Name"] for image in images}


class StackSite(AwsCase):
    """An update of a stack; while it lags CloudFormation says UPDATE_IN_PROGRESS and takes a cancel."""

    operation = "cfnstack.deploy"

    def __init__(self, aws: AwsSite, tmp: Path) -> None:
        aws.fresh()
        aws.client("cloudformation").create_stack(StackName="orders", TemplateBody=json.dumps(TEMPLATE))
        more = {"Late": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "late"}}}
        file = tmp / "orders.json"
        file.write_text(json.dumps({**TEMPLATE, "Resources": {**site.resources(), **more}}))
        self.back = False
        super().__init__(aws, tmp, f"{REGION}/orders", template=str(file))
        aws.proxy.rules.append(self._call_back)

    def _call_back(self, call: proxy.Call) -> proxy.Answer | None:
        if call.action != "CancelUpdateStack":
            return None
        self.back, self.lagging = True, set()
        body = "<CancelUpdateStackResponse><ResponseMetadata><RequestId>lab</RequestId></ResponseMetadata>"
        return proxy.Answer(
            200, f"{body}</CancelUpdateStackResponse>".encode(), (("Content-Type", "text/xml"),)
        )

    def _lag(self, call: proxy.Call, body: bytes) -> bytes:
        if call.action != "DescribeStacks" or not (self.lagging or self.back):
            return body
        now = b"UPDATE_ROLLBACK_COMPLETE" if self.back else b"UPDATE_IN_PROGRESS"
        return body.replace(b"<StackStatus>UPDATE_COMPLETE", b"<StackStatus>" + now)

    def disturb(self, target: str) -> None:
        self.aws.client("cloudformation").update_stack(
            StackName="orders",
            TemplateBody=json.dumps(TEMPLATE),
            Parameters=[{"ParameterKey": "Size", "ParameterValue": "7"}],
        )

    def effects(self, target: str) -> int:
        return self.served("ExecuteChangeSet")

    def in_place(self, target: str) -> bool:
        found = self.aws.client("cloudformation").list_stack_resources(StackName="orders")
        return "Late" in {one["LogicalResourceId"] for one in found["StackResourceSummaries"]}


class UploadSite(AwsCase):
    """A file of two parts that is put into a bucket; while it lags a part takes its time."""

    operation = "s3.copy"
    key = "checkout/2.16.0.tar"

    def __init__(self, aws: AwsSite, tmp: Path) -> None:
        aws.fresh()
        aws.client("s3").create_bucket(
            Bucket="acme-releases", CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        self.file = tmp / "2.16.0.tar"
        self.file.write_bytes(b"x" * (9 << 20))
        super().__init__(aws, tmp, f"{REGION}/acme-releases/{self.key}", upload=str(self.file))
        aws.proxy.rules.append(self._dawdle)

    def _dawdle(self, call: proxy.Call) -> proxy.Answer | None:
        import time

        until = time.monotonic() + 1.0
        while call.action.startswith("PUT ") and self.lagging and time.monotonic() < until:
            time.sleep(0.01)
        return None

    def disturb(self, target: str) -> None:
        self.aws.client("s3").put_object(Bucket="acme-releases", Key=self.key, Body=b"other")

    def effects(self, target: str) -> int:
        """Uploads that were begun and not taken back: of one that was aborted nothing is there."""
        path = f"/acme-releases/{self.key}"
        served = [c for c in self.aws.proxy.served if c.action.endswith(path)]
        begun = sum(c.action.startswith("POST ") and c.query == "uploads" for c in served)
        return begun - sum(c.action.startswith("DELETE ") and "uploadId=" in c.query for c in served)

    def busy(self, target: str) -> bool:
        return False

    def in_place(self, target: str) -> bool:
        found = self.aws.client("s3").list_objects_v2(Bucket="acme-releases").get("Contents", [])
        return [(o["Key"], o["Size"]) for o in found] == [(self.key, 9 << 20)]


class TerminateSite(StopSite):
    """Two instances that are terminated; while one lags EC2 says `shutting-down`."""

    operation = "instance.terminate"

    def _lag(self, call: proxy.Call, body: bytes) -> bytes:
        asked = call.fields.get("InstanceId.1", "")
        if call.action == "DescribeInstances" and any(asked in target for target in self.lagging if asked):
            return body.replace(b"<name>terminated</name>", b"<name>shutting-down</name>")
        return body

    def effects(self, target: str) -> int:
        name = target.rpartition("/")[2]
        sent = (
            c for c in self.aws.proxy.served if c.action == "TerminateInstances" and "DryRun" not in c.fields
        )
        return sum(c.fields.get("InstanceId.1") == name for c in sent)

    def in_place(self, target: str) -> bool:
        return self.aws.state(target.rpartition("/")[2]) in ("terminated", "")


class RebootSite(StopSite):
    """Two instances that are rebooted, of which EC2 keeps no trace."""

    operation = "instance.reboot"

    def effects(self, target: str) -> int:
        name = target.rpartition("/")[2]
        sent = (
            c for c in self.aws.proxy.served if c.action == "RebootInstances" and "DryRun" not in c.fields
        )
        return sum(c.fields.get("InstanceId.1") == name for c in sent)

    def in_place(self, target: str) -> bool:
        return self.effects(target) == 1


class DeregisterSite(AwsCase):
    """An image that goes; while it lags EC2 still shows it as it was."""

    operation = "ami.deregister"

    def __init__(self, aws: AwsSite, tmp: Path) -> None:
        aws.fresh()
        self.image = aws.image("acme-web-1")
        self.held = b""
        super().__init__(aws, tmp, f"{REGION}/{self.image}")

    def _lag(self, call: proxy.Call, body: bytes) -> bytes:
        if call.action != "DescribeImages":
            return body
        if self.image.encode() in body:
            self.held = body
        return self.held if self.lagging else body

    def disturb(self, target: str) -> None:
        self.aws.instances(["web-1"], self.image)

    def effects(self, target: str) -> int:
        return self.served("DeregisterImage")

    def in_place(self, target: str) -> bool:
        images = self.aws.client("ec2").describe_images(Owners=["self"])["Images"]
        return self.image not in {image["ImageId"] for image in images}


class CopyImageSite(ImageSite):
    """An image that is copied into another region; moto's copies carry no tags, EC2's do."""

    operation = "ami.copy"

    def __init__(self, aws: AwsSite, tmp: Path) -> None:
        aws.fresh()
        self.image = aws.image("acme-web-1")
        AwsCase.__init__(self, aws, tmp, f"{REGION}/{self.image}", to=REGIONS[1])
        aws.proxy.edits.insert(0, self._tagged)

    def _tagged(self, call: proxy.Call, body: bytes) -> bytes:
        return site.tag_copy(self.aws, call, body)

    def disturb(self, target: str) -> None:
        self.aws.image("acme-web-1", REGIONS[1])

    def effects(self, target: str) -> int:
        return self.served("CopyImage")

    def in_place(self, target: str) -> bool:
        return len(self.aws.client("ec2", REGIONS[1]).describe_images(Owners=["self"])["Images"]) == 1


class DeleteStackSite(StackSite):
    """A stack that is deleted; while it lags CloudFormation says DELETE_IN_PROGRESS."""

    operation = "cfnstack.delete"

    def __init__(self, aws: AwsSite, tmp: Path) -> None:
        aws.fresh()
        aws.client("cloudformation").create_stack(StackName="orders", TemplateBody=json.dumps(TEMPLATE))
        AwsCase.__init__(self, aws, tmp, f"{REGION}/orders")

    def _lag(self, call: proxy.Call, body: bytes) -> bytes:
        if call.action != "DescribeStacks" or not self.lagging:
            return body
        return body.replace(b"<StackStatus>DELETE_COMPLETE", b"<StackStatus>DELETE_IN_PROGRESS")

    def effects(self, target: str) -> int:
        return self.served("DeleteStack")

    def in_place(self, target: str) -> bool:
        return self.aws.client("cloudformation").describe_stacks()["Stacks"] == []


class DeleteObjectSite(AwsCase):
    """An object that is deleted."""

    operation = "s3.delete"

    def __init__(self, aws: AwsSite, tmp: Path) -> None:
        aws.fresh()
        s3 = aws.client("s3")
        s3.create_bucket(Bucket="acme-releases", CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_object(Bucket="acme-releases", Key="a,b?c", Body=b"x")
        super().__init__(aws, tmp, f"{REGION}/acme-releases/a%2Cb%3Fc")

    def disturb(self, target: str) -> None:
        self.aws.client("s3").put_object(Bucket="acme-releases", Key="a,b?c", Body=b"other")

    def effects(self, target: str) -> int:
        return sum(c.action.startswith("DELETE /") for c in self.aws.proxy.served)

    def in_place(self, target: str) -> bool:
        return "Contents" not in self.aws.client("s3").list_objects_v2(Bucket="acme-releases")


class TagSite(AwsCase):
    """A tag that is set and one that goes."""

    operation = "instance.tag"

    def __init__(self, aws: AwsSite, tmp: Path) -> None:
        aws.fresh()
        (self.instance,) = aws.instances(["web-1"], aws.image("acme-web-1"))
        super().__init__(aws, tmp, f"{REGION}/{self.instance}", put=["Owner=shop"], remove=["Role"])

    def tags(self) -> dict[str, str]:
        found = self.aws.client("ec2").describe_tags(
            Filters=[{"Name": "resource-id", "Values": [self.instance]}]
        )
        return {tag["Key"]: tag["Value"] for tag in found["Tags"]}

    def disturb(self, target: str) -> None:
        self.aws.client("ec2").create_tags(Resources=[self.instance], Tags=[{"Key": "Owner", "Value": "pay"}])

    def effects(self, target: str) -> int:
        return min(1, self.served("CreateTags"))

    def in_place(self, target: str) -> bool:
        now = self.tags()
        return now.get("Owner") == "shop" and "Role" not in now


class DownloadSite(AwsCase):
    """An object that is written to a file here."""

    operation = "s3.copy"

    def __init__(self, aws: AwsSite, tmp: Path) -> None:
        aws.fresh()
        s3 = aws.client("s3")
        s3.create_bucket(Bucket="acme-releases", CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_object(Bucket="acme-releases", Key="README", Body=b"hello")
        self.file = tmp / "README"
        self.file.unlink(missing_ok=True)
        super().__init__(aws, tmp, f"{REGION}/acme-releases/README", download=str(self.file))

    def world(self) -> str:
        return f"{super().world()} {sorted(one.name for one in self.tmp.iterdir())}"

    def disturb(self, target: str) -> None:
        self.file.write_text("somebody else's")

    def effects(self, target: str) -> int:
        return int(self.file.exists())

    def in_place(self, target: str) -> bool:
        return self.file.exists() and self.file.read_bytes() == b"hello"
