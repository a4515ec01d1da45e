"""Operations on backups: what they are and take. Every engine's manifest serves the same ones."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from ondeck.job.spec import OperationSpec, Params, Risk, Shortcut, TargetKind

_WHICH = "Snapshot by id; the newest when empty"
_BEFORE = "Only snapshots that began before: 03:01 (UTC), 2h (ago) or a date"


class RunParams(Params, frozen=True, kw_only=True):
    """Parameters of `backup.run`: none."""


class VerifyParams(Params, frozen=True, kw_only=True):
    """Parameters of `backup.verify`."""

    data: Annotated[bool, Meta(description="Read data back too: the part that was not read for longest")] = (
        False
    )
    part: Annotated[str, Meta(description="Read this part of the data", examples=["3/28", "all"])] = ""


class RestoreParams(Params, frozen=True, kw_only=True):
    """Parameters of `backup.restore`."""

    snapshot: Annotated[str, Meta(description=_WHICH, examples=["a1b2c3d4"])] = ""
    before: Annotated[str, Meta(description=_BEFORE, examples=["03:01"])] = ""
    to: Annotated[str, Meta(description="Host to restore on; the backup's own when empty")] = ""
    path: Annotated[str, Meta(description="New folder; one of its own when empty")] = ""
    include: Annotated[tuple[str, ...], Meta(description="Only these paths of the snapshot")] = ()


class DrillParams(Params, frozen=True, kw_only=True):
    """Parameters of `backup.drill`."""

    snapshot: Annotated[str, Meta(description=_WHICH, examples=["a1b2c3d4"])] = ""
    before: Annotated[str, Meta(description=_BEFORE, examples=["03:01"])] = ""


class ForgetParams(Params, frozen=True, kw_only=True):
    """Parameters of `backup.forget`."""

    snapshots: Annotated[
        tuple[str, ...], Meta(description="Exactly these ids, in place of what the rules say")
    ] = ()
    max_remove: Annotated[str, Meta(description="Stop above this share, in place of the inventory's")] = ""


class HoldParams(Params, frozen=True, kw_only=True):
    """Parameters of `backup.hold`."""

    snapshots: Annotated[tuple[str, ...], Meta(description="Ids; the newest one when empty")] = ()
    before: Annotated[str, Meta(description=_BEFORE, examples=["03:01"])] = ""
    everything: Annotated[bool, Meta(description="Hold every snapshot that is there now")] = False


class ReleaseParams(Params, frozen=True, kw_only=True):
    """Parameters of `backup.release`."""

    snapshots: Annotated[tuple[str, ...], Meta(description="Ids; every held one when empty")] = ()


class PruneParams(Params, frozen=True, kw_only=True):
    """Parameters of `backup.prune`: none."""


class UnlockParams(Params, frozen=True, kw_only=True):
    """Parameters of `backup.unlock`: none."""


RUN = OperationSpec(
    name="backup.run",
    title="Take a backup now",
    target=TargetKind.BACKUP,
    params=RunParams,
    risk=Risk.CHANGE,
    undo="ondeck backup forget NAME --snapshots ID",
    shortcut=Shortcut(("backup", "run")),
    help=(
        "Runs on the host that has the data, and goes on there when the connection is lost. It succeeded only "
        "when the tool ended with 0 and the new snapshot is listed afterwards; of a command whose output is "
        "saved the exit status counts too: a dump that failed leaves no snapshot."
    ),
)

VERIFY = OperationSpec(
    name="backup.verify",
    title="Verify a backup",
    target=TargetKind.BACKUP,
    params=VerifyParams,
    risk=Risk.CHANGE,
    undo="nothing to take back: it reads, and locks the repository meanwhile",
    shortcut=Shortcut(("backup", "verify")),
    help=(
        "Checks the structure, which reads no file's data and so finds no damage in it. With --data the part "
        "that was not read for longest is read too: `prove: {read_data: all in 28d}` cuts it into 28 parts."
    ),
)

RESTORE = OperationSpec(
    name="backup.restore",
    title="Restore beside what is there",
    target=TargetKind.BACKUP,
    params=RestoreParams,
    risk=Risk.CHANGE,
    undo="remove the folder that it made",
    key="R",
    shortcut=Shortcut(("backup", "restore"), positional=("snapshot",)),
    help=(
        "Restores one snapshot into a new folder, never over anything. The folder is called PATH.INCOMPLETE "
        "until everything is there and was compared; only then it gets its name."
    ),
)

DRILL = OperationSpec(
    name="backup.drill",
    title="Try a restore",
    target=TargetKind.BACKUP,
    params=DrillParams,
    risk=Risk.CHANGE,
    undo="nothing to take back: what it makes is its own, and it removes it",
    shortcut=Shortcut(("backup", "drill"), positional=("snapshot",)),
    help="Restores beside, loads, compares and tidies up, as `prove: {restore: ...}` says; the time is remembered.",
)

FORGET = OperationSpec(
    name="backup.forget",
    title="Forget old snapshots",
    target=TargetKind.BACKUP,
    params=ForgetParams,
    risk=Risk.DESTROY,
    shortcut=Shortcut(("backup", "forget")),
    help=(
        "Plans with the tool's own rules and shows every id with its reason; exactly those ids are forgotten. "
        "Never the newest proven one, never a held one, never below keep.at_least; more than keep.max_remove "
        "of all stops it. Data stays in the repository until it is pruned."
    ),
)

HOLD = OperationSpec(
    name="backup.hold",
    title="Hold snapshots",
    target=TargetKind.BACKUP,
    params=HoldParams,
    risk=Risk.CHANGE,
    undo="ondeck backup release NAME",
    key="H",
    shortcut=Shortcut(("backup", "hold")),
    help="Marks snapshots so that no forget of ours takes them: the first act when data was lost.",
)

RELEASE = OperationSpec(
    name="backup.release",
    title="Release held snapshots",
    target=TargetKind.BACKUP,
    params=ReleaseParams,
    risk=Risk.CHANGE,
    undo="ondeck backup hold NAME --snapshots ID",
    shortcut=Shortcut(("backup", "release")),
    help="Takes the mark of a hold away; the next forget may take them then.",
)

PRUNE = OperationSpec(
    name="backup.prune",
    title="Remove data that no snapshot needs",
    target=TargetKind.BACKUP,
    params=PruneParams,
    risk=Risk.DESTROY,
    shortcut=Shortcut(("backup", "prune")),
    help="What was forgotten is gone for good afterwards. It locks the repository for as long as it runs.",
)

UNLOCK = OperationSpec(
    name="backup.unlock",
    title="Remove locks of dead holders",
    target=TargetKind.BACKUP,
    params=UnlockParams,
    risk=Risk.CHANGE,
    undo="nothing to take back: who held it is dead",
    shortcut=Shortcut(("backup", "unlock")),
    help="Only where every holder was seen to be dead on its own host; it never removes the lock of another.",
)

OPERATIONS = (RUN, VERIFY, RESTORE, DRILL, FORGET, HOLD, RELEASE, PRUNE, UNLOCK)
