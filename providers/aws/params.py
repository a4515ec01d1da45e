"""What the operations of AWS are and take; light, because the manifest imports it."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from ondeck.job.spec import OperationSpec, Params, Risk, Shortcut, TargetKind

_Batch = Annotated[str, Meta(description="Things at a time, a number or a share", examples=["25%"])]
_MaxFailures = Annotated[int, Meta(description="Stop after more failures than this", ge=0)]
_Pairs = tuple[str, ...]


class MoveParams(Params, frozen=True, kw_only=True):
    """Parameters of `instance.start`, `stop`, `reboot` and `terminate`."""

    batch: _Batch = ""
    max_failures: _MaxFailures = 0


class LaunchParams(Params, frozen=True, kw_only=True):
    """Parameters of `instance.launch`."""

    version: Annotated[
        str, Meta(description="Version of the launch template; its default when empty", examples=["3"])
    ] = ""
    count: Annotated[int, Meta(description="How many", ge=1, le=50)] = 1
    name: Annotated[str, Meta(description="Name tag", examples=["web-4"])] = ""


class TagParams(Params, frozen=True, kw_only=True):
    """Parameters of `instance.tag`."""

    put: Annotated[
        _Pairs, Meta(description="Tag to set, KEY=VALUE; repeatable", examples=[["Role=web"]])
    ] = ()
    remove: Annotated[_Pairs, Meta(description="Tag to remove; repeatable", examples=[["Old"]])] = ()


class ImageParams(Params, frozen=True, kw_only=True):
    """Parameters of `ami.create`."""

    name: Annotated[str, Meta(description="Name of the image", min_length=3, max_length=128,
                              examples=["acme-web-2026.11.28"])]  # fmt: skip
    no_reboot: Annotated[
        bool, Meta(description="Do not stop the instance for it: files may be torn in the image")
    ] = False


class CopyImageParams(Params, frozen=True, kw_only=True):
    """Parameters of `ami.copy`."""

    to: Annotated[str, Meta(description="Region to copy to", examples=["eu-central-1"])]
    name: Annotated[str, Meta(description="Name of the copy; the image's own when empty")] = ""


class DeregisterParams(Params, frozen=True, kw_only=True):
    """Parameters of `ami.deregister`."""

    used: Annotated[bool, Meta(description="Also when instances or launch templates use it")] = False


class StackParams(Params, frozen=True, kw_only=True):
    """Parameters of `cfnstack.deploy`."""

    template: Annotated[str, Meta(description="Template file", examples=["cfn/orders.yml"])]
    ref: Annotated[
        str, Meta(description="Commit, tag or branch to take it from; the file as it lies when empty")
    ] = ""
    parameter: Annotated[
        _Pairs, Meta(description="KEY=VALUE; others keep the value they have", examples=[["Size=2"]])
    ] = ()
    iam: Annotated[bool, Meta(description="It may make or change roles and policies")] = False
    destroys: Annotated[bool, Meta(description="It may remove or replace resources")] = False


class DeleteStackParams(Params, frozen=True, kw_only=True):
    """Parameters of `cfnstack.delete`."""


class CopyParams(Params, frozen=True, kw_only=True):
    """Parameters of `s3.copy`."""

    upload: Annotated[str, Meta(description="File here that is put there", examples=["./app.tar"])] = ""
    download: Annotated[str, Meta(description="File here that is written", examples=["./app.tar"])] = ""


class DeleteParams(Params, frozen=True, kw_only=True):
    """Parameters of `s3.delete`."""


def _spec(
    name: str,
    title: str,
    params: type[Params],
    risk: Risk,
    *,
    undo: str = "",
    help: str,
    planning_writes: str = "",
) -> OperationSpec:
    noun, _, verb = name.partition(".")
    return OperationSpec(
        name=name,
        title=title,
        target=TargetKind.ACCOUNT,
        things=True,
        params=params,
        risk=risk,
        undo=undo,
        shortcut=Shortcut(verb=(noun, verb)),
        help=help,
        planning_writes=planning_writes,
    )


OPERATIONS = (
    _spec(
        "instance.start", "Start instances", MoveParams, Risk.CHANGE, undo="instance.stop",
        help="TARGET is ACCOUNT/REGION/ID[,REGION/ID]. Over when EC2 says running.",
    ),
    _spec(
        "instance.stop", "Stop instances", MoveParams, Risk.CHANGE, undo="instance.start",
        help="TARGET is ACCOUNT/REGION/ID[,REGION/ID]. Over when EC2 says stopped; what is in instance store "
        "or in memory is gone, and a public address may be another one afterwards.",
    ),
    _spec(
        "instance.reboot", "Reboot instances", MoveParams, Risk.CHANGE,
        undo="a reboot cannot be taken back",
        help="EC2 takes the request and tells no end of it: its own success is what is seen.",
    ),
    _spec(
        "instance.terminate", "Terminate instances", MoveParams, Risk.DESTROY,
        help="Irreversible. Instances with termination protection are left out. Count and names are typed.",
    ),
    _spec(
        "instance.launch", "Launch instances from a template", LaunchParams, Risk.CHANGE,
        undo="instance.terminate",
        help="TARGET is ACCOUNT/REGION/TEMPLATE. The attempt is EC2's client token: sent twice, it launches once.",
    ),
    _spec(
        "instance.tag", "Tag instances", TagParams, Risk.CHANGE, undo="instance.tag with what was there",
        help="Sets and removes tags; both are shown with what they are now.",
    ),
    _spec(
        "ami.create", "Make an image of an instance", ImageParams, Risk.CHANGE, undo="ami.deregister",
        help="TARGET is ACCOUNT/REGION/INSTANCE. EC2 stops the instance for it unless --no-reboot is given.",
    ),
    _spec(
        "ami.copy", "Copy an image to another region", CopyImageParams, Risk.CHANGE, undo="ami.deregister",
        help="TARGET is ACCOUNT/REGION/IMAGE.",
    ),
    _spec(
        "ami.deregister", "Deregister images", DeregisterParams, Risk.DESTROY,
        help="Irreversible. Refused while instances or launch templates use the image, unless --used is given. "
        "Its snapshots stay.",
    ),
    _spec(
        "cfnstack.deploy", "Deploy a CloudFormation stack", StackParams, Risk.DESTROY,
        undo="cfnstack.deploy of the commit before",
        planning_writes="a change set, and of a new stack an empty one in REVIEW_IN_PROGRESS",
        help="TARGET is ACCOUNT/REGION/STACK. The plan is a change set of CloudFormation, and exactly that is "
        "executed. What removes or replaces a resource is refused without --destroys, and typed with it.",
    ),
    _spec(
        "cfnstack.delete", "Delete a CloudFormation stack", DeleteStackParams, Risk.DESTROY,
        help="Irreversible. Name and number of resources are typed; termination protection refuses it.",
    ),
    _spec(
        "s3.copy", "Copy a file to or from S3", CopyParams, Risk.CHANGE,
        undo="the version before, where the bucket keeps versions",
        help="TARGET is ACCOUNT/REGION/BUCKET/KEY; --upload FILE or --download FILE. Size and ETag are read back.",
    ),
    _spec(
        "s3.delete", "Delete objects of S3", DeleteParams, Risk.DESTROY,
        undo="the version before, where the bucket keeps versions",
        help="TARGET is ACCOUNT/REGION/BUCKET/KEY[?versionId=V][,...]: exactly these, no prefixes.",
    ),
)  # fmt: skip
