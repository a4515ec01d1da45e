"""Parameters of the operations on stacks."""

from __future__ import annotations

from typing import Annotated

import msgspec

from ondeck.job.spec import Params

_Ref = Annotated[
    str,
    msgspec.Meta(
        description="Commit, tag or branch to work with in place of the stack's own", examples=["HEAD~1"]
    ),
]
_Targets = Annotated[
    tuple[str, ...],
    msgspec.Meta(description="Only these resources and what they need", examples=["module.net.aws_vpc.main"]),
]
_Address = Annotated[
    str, msgspec.Meta(description="Address of a resource", examples=['module.net.aws_subnet.a["eu-1"]'])
]


class PlanParams(Params, frozen=True, kw_only=True):
    """Parameters of `stack.plan`."""

    ref: _Ref = ""
    only: _Targets = ()
    drift: Annotated[
        bool, msgspec.Meta(description="Look only for what changed outside (a refresh-only plan)")
    ] = False
    destroy: Annotated[bool, msgspec.Meta(description="Plan the destruction of everything")] = False
    unlocked: Annotated[
        bool, msgspec.Meta(description="Look without taking the lock of the state, while somebody holds it")
    ] = False


class ApplyParams(Params, frozen=True, kw_only=True):
    """Parameters of `stack.apply`."""

    ref: _Ref = ""
    only: _Targets = ()
    replace: Annotated[
        tuple[str, ...], msgspec.Meta(description="Replace these resources though nothing of them changed")
    ] = ()
    drift: Annotated[
        bool, msgspec.Meta(description="Take over into the state what changed outside; changes nothing else")
    ] = False


class DestroyParams(Params, frozen=True, kw_only=True):
    """Parameters of `stack.destroy`."""

    only: _Targets = ()


class InitParams(Params, frozen=True, kw_only=True):
    """Parameters of `stack.init`."""

    upgrade: Annotated[
        bool, msgspec.Meta(description="Take newer modules and providers than the last time")
    ] = False


class AddressParams(Params, frozen=True, kw_only=True):
    """Parameters of `stack.rm`."""

    address: _Address


class MoveParams(Params, frozen=True, kw_only=True):
    """Parameters of `stack.mv`."""

    address: _Address
    to: Annotated[str, msgspec.Meta(description="Its address from then on", examples=["aws_vpc.main"])]


class ImportParams(Params, frozen=True, kw_only=True):
    """Parameters of `stack.import`."""

    address: _Address
    id: Annotated[str, msgspec.Meta(description="What its provider calls it", examples=["vpc-0a1b2c3d"])]


class UnlockParams(Params, frozen=True, kw_only=True):
    """Parameters of `stack.unlock`; what has to be typed is the lock's id."""


class PushParams(Params, frozen=True, kw_only=True):
    """Parameters of `stack.push`."""

    file: Annotated[
        str,
        msgspec.Meta(
            description="A state that could not be saved, or a copy of one; the only waiting one when empty"
        ),
    ] = ""
    force: Annotated[
        bool, msgspec.Meta(description="Push although the stored state is newer, as for going back to a copy")
    ] = False
