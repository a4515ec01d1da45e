"""What the provider of builds says of itself, and the operations on builds that it serves."""

from __future__ import annotations

from ondeck.job.listing import ListSpec
from ondeck.job.spec import OperationSpec, Risk, Shortcut, TargetKind
from ondeck.registry import Manifest
from providers.packer.params import PromoteParams, RunParams

OPERATIONS = (
    OperationSpec(
        name="build.run",
        title="Run a build",
        target=TargetKind.BUILD,
        params=RunParams,
        risk=Risk.CHANGE,
        undo="what it made stays until somebody removes it",
        shortcut=Shortcut(verb=("build", "run")),
        help="Build the pinned commit in a checkout of its own, every builder with its output live, and remember "
        "what was made. It runs apart from ondeck; cancelling interrupts all of it and waits for its cleaning up.",
    ),
    OperationSpec(
        name="build.promote",
        title="Promote an artifact",
        target=TargetKind.BUILD,
        params=PromoteParams,
        risk=Risk.CHANGE,
        undo="promote the artifact from before",
        shortcut=Shortcut(verb=("build", "promote")),
        things=True,
        help="Say which artifact of a build is the one to use from now on. It is written into the record, where "
        "`ondeck get artifacts` and whatever deploys read it.",
    ),
)

MANIFEST = Manifest(
    name="packer",
    title="Images built by Packer",
    kinds={"build.kind": ("packer",)},
    capabilities={
        "operator": "providers.packer.operator:PackerOperator",
        "resources": "providers.packer.listing:Artifacts",
    },
    operations=OPERATIONS,
    lists=(
        ListSpec(
            name="artifacts",
            title="Artifacts",
            of=TargetKind.BUILD,
            kinds=("packer",),
            columns=("ARTIFACT", "BUILDER", "MADE", "COMMIT", "STATE"),
            operations=("build.promote",),
            every=10.0,
        ),
    ),
    needs=("packer", "git"),
)
