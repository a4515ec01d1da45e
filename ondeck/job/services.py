"""Operations on a service, the same whatever a release is made of: a folder, a container, a Deployment."""

from __future__ import annotations

from typing import Annotated

import msgspec

from ondeck.job.spec import OperationSpec, Params, Risk, Shortcut, TargetKind

_LeaveOut = Annotated[
    bool, msgspec.Meta(description="Leave out hosts that cannot be reached, instead of refusing the plan")
]


class DeployParams(Params, frozen=True, kw_only=True):
    """Parameters of `service.deploy`."""

    version: Annotated[str, msgspec.Meta(description="Release to deploy", examples=["2.15.0"])]
    leave_out: _LeaveOut = True


class RollbackParams(Params, frozen=True, kw_only=True):
    """Parameters of `service.rollback`."""

    to: Annotated[
        str,
        msgspec.Meta(
            description="Release to go back to; the recorded last good one when empty", examples=["2.14.0"]
        ),
    ] = ""
    leave_out: _LeaveOut = True


class HostsParams(Params, frozen=True, kw_only=True):
    """Parameters of `service.restart`, `service.drain` and `service.undrain`."""

    leave_out: _LeaveOut = True


OPERATIONS: tuple[OperationSpec, ...] = (
    OperationSpec(
        name="service.deploy",
        title="Deploy a release",
        target=TargetKind.SERVICE,
        params=DeployParams,
        risk=Risk.CHANGE,
        undo="service.rollback",
        shortcut=Shortcut(verb=("deploy",), positional=("version",)),
        key="D",
        help="Put a release on every host of a service, batch by batch: fetch and check it, drain, switch, "
        "wait until healthy, take back in. A host that does not become healthy goes back to the release "
        "that it ran, and nothing more is started.",
    ),
    OperationSpec(
        name="service.rollback",
        title="Roll back to the last good release",
        target=TargetKind.SERVICE,
        params=RollbackParams,
        risk=Risk.CHANGE,
        undo="service.deploy",
        shortcut=Shortcut(verb=("rollback",)),
        key="R",
        help="Go back to the release that was last good, or to a named one. Hosts that are not healthy go "
        "first. What the hosts keep is used, so that nothing has to be built or fetched.",
    ),
    OperationSpec(
        name="service.restart",
        title="Restart a service",
        target=TargetKind.SERVICE,
        params=HostsParams,
        risk=Risk.CHANGE,
        undo="a restart cannot be taken back; the release stays the same",
        shortcut=Shortcut(verb=("restart",)),
        help="Restart host by host in the batches of its deploys: drain, restart, wait until healthy, undrain.",
    ),
    OperationSpec(
        name="service.drain",
        title="Drain hosts of a service",
        target=TargetKind.SERVICE,
        params=HostsParams,
        risk=Risk.CHANGE,
        undo="service.undrain",
        shortcut=Shortcut(verb=("drain",)),
        help="Take hosts of a service out of the traffic with its own drain command.",
    ),
    OperationSpec(
        name="service.undrain",
        title="Take hosts of a service back in",
        target=TargetKind.SERVICE,
        params=HostsParams,
        risk=Risk.CHANGE,
        undo="service.drain",
        shortcut=Shortcut(verb=("undrain",)),
        help="Take hosts of a service back into the traffic with its own undrain command.",
    ),
)
