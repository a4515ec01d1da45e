"""What the provider of AWS says of itself; imports no library."""

from __future__ import annotations

from ondeck.job.listing import ListSpec
from ondeck.job.spec import TargetKind
from ondeck.registry import Manifest
from providers.aws.params import OPERATIONS

_MINUTE, _DAY = 60.0, 86_400.0


def _list(
    name: str, title: str, *columns: str, operations: tuple[str, ...] = (), every: float = 30.0
) -> ListSpec:
    return ListSpec(
        name=name,
        title=title,
        of=TargetKind.ACCOUNT,
        kinds=("aws",),
        columns=columns,
        operations=operations,
        every=every,
    )


_INSTANCE = (
    "instance.start",
    "instance.stop",
    "instance.reboot",
    "instance.terminate",
    "instance.tag",
    "ami.create",
)

MANIFEST = Manifest(
    name="aws",
    title="AWS: instances, images, CloudFormation, S3, alarms",
    kinds={"account.kind": ("aws",), "discover.from": ("aws",)},
    capabilities={
        "credentials": "providers.aws.logins:AwsLogins",
        "discovery": "providers.aws.discovery:AwsDiscovery",
        "operator": "providers.aws.operator:AwsOperator",
        "resources": "providers.aws.reader:AwsReader",
    },
    operations=OPERATIONS,
    lists=(
        _list(
            "instances", "Instances", "NAME", "STATE", "TYPE", "AZ", "IMAGE AGE", "ADDRESS", "ID",
            operations=_INSTANCE,
        ),
        _list(
            "amis", "Images (AMIs)", "NAME", "AGE", "STATE", "USED BY", "OLDER KIN RUN", "ID",
            operations=("ami.copy", "ami.deregister"), every=_MINUTE,
        ),
        _list("templates", "Launch templates", "NAME", "DEFAULT", "NEWEST", "AGE", "ID",
              operations=("instance.launch",), every=_MINUTE),
        _list(
            "cfn-stacks", "CloudFormation stacks", "NAME", "STATUS", "CHANGED", "DRIFT", "PROTECTED",
            operations=("cfnstack.deploy", "cfnstack.delete"),
        ),
        _list("buckets", "Buckets", "NAME", "REGION", "AGE", every=5 * _MINUTE),
        _list("objects", "Objects, first level", "NAME", "SIZE", "AGE", "CLASS",
              operations=("s3.copy", "s3.delete"), every=5 * _MINUTE),
        _list("snapshots", "Snapshots of volumes", "NAME", "AGE", "SIZE", "STATE", "VOLUME", "ID", every=_MINUTE),
        _list("costs", "Costs, month to date (Cost Explorer bills each ask: kept for a day)", "SERVICE",
              "MONTH TO DATE", "SHARE", "SPAN", every=_DAY),
        _list("alarms", "Alarms of CloudWatch", "NAME", "STATE", "SINCE", "METRIC", "WHY"),
    ),
    needs=("python:boto3",),
)  # fmt: skip
