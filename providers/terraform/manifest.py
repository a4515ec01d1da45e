"""What the provider of stacks says of itself, and the operations on stacks that it serves."""

from __future__ import annotations

from ondeck.job.listing import ListSpec
from ondeck.job.spec import OperationSpec, Params, Risk, Shortcut, TargetKind
from ondeck.registry import Manifest
from providers.terraform import params as p


def _spec(
    verb: str,
    title: str,
    params: type[Params],
    risk: Risk,
    help: str,
    *,
    undo: str = "",
    positional: tuple[str, ...] = (),
    key: str = "",
) -> OperationSpec:
    return OperationSpec(
        name=f"stack.{verb}",
        title=title,
        target=TargetKind.STACK,
        params=params,
        risk=risk,
        undo=undo,
        shortcut=Shortcut(verb=("stack", verb), positional=positional),
        key=key,
        help=help,
    )


_COPY = "stack.push of the copy that was kept"
OPERATIONS = (
    _spec(
        "plan",
        "Plan a stack",
        p.PlanParams,
        Risk.READ,
        "What applying the pinned commit would change, or with --drift what changed outside. Works in a checkout "
        "of its own and changes nothing; takes the lock of the state while it looks.",
    ),
    _spec(
        "apply",
        "Apply a stack",
        p.ApplyParams,
        Risk.CHANGE,
        "Plan into a file, show every resource and attribute, and apply exactly that file. It runs apart from ondeck: "
        "no hang-up and no killed worker reaches it. Cancelling lets it come to a safe point first. Where something "
        "is destroyed the stack's name and the number have to be typed.",
        undo="apply the commit before: --ref COMMIT~1",
        key="D",
    ),
    _spec(
        "destroy",
        "Destroy a stack",
        p.DestroyParams,
        Risk.DESTROY,
        "Destroy everything that its state names. The stack's name and the number of resources have to be typed.",
    ),
    _spec(
        "mv",
        "Move a resource in the state",
        p.MoveParams,
        Risk.CHANGE,
        "Give a resource another address; nothing of it changes. A copy of the state is kept.",
        undo=_COPY,
        positional=("address", "to"),
    ),
    _spec(
        "rm",
        "Take a resource out of the state",
        p.AddressParams,
        Risk.DESTROY,
        "Forget a resource: it is not destroyed, and nothing keeps it any more. A copy of the state is kept.",
        undo=_COPY,
        positional=("address",),
    ),
    _spec(
        "import",
        "Import a resource into the state",
        p.ImportParams,
        Risk.CHANGE,
        "Take over what is there already. A copy of the state is kept.",
        undo=_COPY,
        positional=("address", "id"),
    ),
    _spec(
        "unlock",
        "Break the lock of a state",
        p.UnlockParams,
        Risk.DESTROY,
        "Tells who holds it, since when, and whether that process lives. Refused while it lives on this machine; "
        "the lock's id has to be typed.",
    ),
    _spec(
        "push",
        "Push a state that could not be saved",
        p.PushParams,
        Risk.DESTROY,
        "Put errored.tfstate, or a copy of a state, where the state belongs. A copy of what is stored is kept.",
        undo=_COPY,
    ),
    _spec(
        "init",
        "Set a stack up again",
        p.InitParams,
        Risk.CHANGE,
        "Run init in the stack's checkout, and make its workspace where there is none.",
        undo="nothing to take back",
    ),
)

_KINDS = ("terraform", "tofu")
LISTS = (
    ListSpec(
        name="resources",
        title="Resources",
        of=TargetKind.STACK,
        kinds=_KINDS,
        columns=("ADDRESS", "TYPE", "STATE"),
        every=60.0,
    ),
    ListSpec(
        name="outputs",
        title="Outputs",
        of=TargetKind.STACK,
        kinds=_KINDS,
        columns=("NAME", "VALUE", "SENSITIVE"),
        every=60.0,
    ),
)

MANIFEST = Manifest(
    name="terraform",
    title="Terraform and OpenTofu stacks through their own command line",
    kinds={"stack.kind": _KINDS},
    capabilities={
        "operator": "providers.terraform.operator:StackOperator",
        "resources": "providers.terraform.listing:StackResources",
        "stacks": "providers.terraform.reader:TerraformStacks",
    },
    operations=OPERATIONS,
    lists=LISTS,
    needs=("terraform", "git"),
)
