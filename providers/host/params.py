"""What the operations on hosts are and take; light, because the manifest imports it."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from ondeck.job.spec import OperationSpec, Params, Risk, Shortcut, TargetKind


class ExecParams(Params, frozen=True, kw_only=True):
    """Parameters of `host.exec`."""

    argv: Annotated[
        tuple[str, ...],
        Meta(description="Program and arguments; no shell reads them", examples=[["systemctl", "status"]]),
    ]
    become: Annotated[str, Meta(description="Run as this user through sudo", examples=["root"])] = ""
    time_limit: Annotated[float, Meta(description="Seconds for one host; it is stopped then", gt=0)] = 300.0
    batch: Annotated[str, Meta(description="Hosts at a time, a number or a share", examples=["25%"])] = ""
    max_failures: Annotated[int, Meta(description="Stop after more failed hosts than this", ge=0)] = 0


class PutParams(Params, frozen=True, kw_only=True):
    """Parameters of `host.put`."""

    source: Annotated[str, Meta(description="File here; - with --undo", examples=["./motd"])] = ""
    path: Annotated[str, Meta(description="Absolute path on the hosts", examples=["/etc/motd"])] = ""
    mode: Annotated[str, Meta(description="Octal mode; the old file's, else 0644", examples=["0640"])] = ""
    owner: Annotated[str, Meta(description="user or user:group; the old file's", examples=["root:adm"])] = ""
    become: Annotated[str, Meta(description="Write as this user through sudo", examples=["root"])] = ""
    undo: Annotated[str, Meta(description="Put back what this job replaced", examples=["JOB"])] = ""
    batch: Annotated[str, Meta(description="Hosts at a time, a number or a share", examples=["25%"])] = ""
    max_failures: Annotated[int, Meta(description="Stop after more failed hosts than this", ge=0)] = 0


class ShellParams(Params, frozen=True, kw_only=True):
    """Parameters of `host.shell`."""

    become: Annotated[str, Meta(description="Open it as this user through sudo", examples=["root"])] = ""


EXEC = OperationSpec(
    name="host.exec",
    title="Run a command on hosts",
    target=TargetKind.HOSTS,
    params=ExecParams,
    risk=Risk.CHANGE,
    shortcut=Shortcut(("exec",), target="selector", rest="argv"),
    help=(
        "Runs one program with its arguments on every selected host. A command that the environment lists "
        "under `read_commands` is a read and runs unasked; anything else is a change: it gets a plan, runs "
        "detached on the host, and survives a lost connection."
    ),
)

PUT = OperationSpec(
    name="host.put",
    title="Put a file on hosts",
    target=TargetKind.HOSTS,
    params=PutParams,
    risk=Risk.CHANGE,
    undo="ondeck put - HOST:PATH --undo JOB",
    shortcut=Shortcut(("put",), target="path"),
    help=(
        "TARGET is a host or a selector: web-1:/etc/motd, env=prod,group=web:/etc/motd. "
        "Shows the difference to what is there, keeps the old file on the host, writes beside it and renames "
        "over it, and compares the checksum afterwards. A file that changed since the plan is not touched."
    ),
)

SHELL = OperationSpec(
    name="host.shell",
    title="Open a shell on a host",
    target=TargetKind.HOSTS,
    params=ShellParams,
    risk=Risk.CHANGE,
    undo="what was typed in it cannot be taken back",
    shortcut=Shortcut(("shell",)),
    interactive=True,
    help="Opens the system's ssh on your terminal; that it was opened and closed is recorded, not its keys.",
)
