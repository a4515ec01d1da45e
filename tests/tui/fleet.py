"""The made-up fleet that the screens are shown with: what can be done, and what the inventory says."""

from __future__ import annotations

from typing import Annotated

import msgspec

from ondeck.inventory.model import (
    Deploy,
    Environment,
    Freeze,
    Host,
    Inventory,
    LogSource,
    Protection,
    Revision,
    Service,
)
from ondeck.job.spec import OperationSpec, Params, Risk, Shortcut, TargetKind


class DeployParams(Params, frozen=True, kw_only=True):
    version: Annotated[str, msgspec.Meta(description="Release to switch to", examples=["2.15.0"])]


class RollbackParams(Params, frozen=True, kw_only=True):
    to: Annotated[str, msgspec.Meta(description="Release; empty takes the last good one")] = ""


class ExecParams(Params, frozen=True, kw_only=True):
    argv: Annotated[tuple[str, ...], msgspec.Meta(description="Command and its arguments")]


class PutParams(Params, frozen=True, kw_only=True):
    source: Annotated[str, msgspec.Meta(description="File here", examples=["./motd"])] = ""
    path: Annotated[str, msgspec.Meta(description="Absolute path there", examples=["/etc/motd"])] = ""
    mode: Annotated[str, msgspec.Meta(description="Octal mode")] = "0644"
    undo: Annotated[str, msgspec.Meta(description="Put back what this job replaced")] = ""


class NoParams(Params, frozen=True, kw_only=True):
    pass


SPECS = (
    OperationSpec(name="service.deploy", title="Deploy a release", target=TargetKind.SERVICE, params=DeployParams,
                  risk=Risk.CHANGE, undo="service.rollback", key="D", shortcut=Shortcut(("deploy",), ("version",))),
    OperationSpec(name="service.rollback", title="Roll back", target=TargetKind.SERVICE, params=RollbackParams,
                  risk=Risk.CHANGE, undo="service.deploy", key="R", shortcut=Shortcut(("rollback",))),
    OperationSpec(name="service.restart", title="Restart a service", target=TargetKind.SERVICE, params=NoParams,
                  risk=Risk.CHANGE, shortcut=Shortcut(("restart",))),
    OperationSpec(name="host.exec", title="Run a command", target=TargetKind.HOSTS, params=ExecParams,
                  risk=Risk.CHANGE, shortcut=Shortcut(("exec",), target="selector", rest="argv")),
    OperationSpec(name="host.put", title="Put a file", target=TargetKind.HOSTS, params=PutParams,
                  risk=Risk.CHANGE, shortcut=Shortcut(("put",), target="path")),
)  # fmt: skip


def inventory() -> Inventory:
    hosts = {
        f"web-{n}": Host(name=f"web-{n}", env="prod", groups=("web",), address=f"10.0.0.{n}",
                         labels={"zone": "b" if n < 3 else "a"})
        for n in range(1, 5)
    }  # fmt: skip
    hosts["db-1"] = Host(name="db-1", env="prod", groups=("db",), address="10.0.3.10")
    hosts["stg-1"] = Host(name="stg-1", env="staging", groups=("web", "db"), address="10.1.0.1")
    return Inventory(
        revision=Revision(root="/ops", commit="a1b2c3d", behind=0, digest="d" * 64),
        environments={
            "prod": Environment(
                name="prod", colour="red",
                protection={"rollback": Protection.TYPE_NAME, "deploy": Protection.CONFIRM},
                freeze=(Freeze(start="Fri 16:00", end="Mon 07:00", why="weekend"),),
                read_commands=(("df", "*"), ("uptime", "*")),
            ),
            "staging": Environment(name="staging", colour="yellow"),
        },
        hosts=hosts,
        services={
            "checkout": Service(
                name="checkout", on={"prod": "group=web", "staging": "host=stg-1"}, owner="shop",
                docs="https://wiki.example.net/checkout", deploy=Deploy(kind="release-dir"), needs=("orders-db",),
                logs=(LogSource(name="app", file="/var/log/checkout.log"),), units=("checkout",),
            ),
            "orders-db": Service(name="orders-db", on={"prod": "host=db-1"}, owner="shop"),
        },
    )  # fmt: skip
