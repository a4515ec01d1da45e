"""How dangerous a plan is. One that says less than its operation is believed only when its provider says so again."""

from __future__ import annotations

from ondeck.errors import Refused
from ondeck.inventory.model import Inventory
from ondeck.job.plan import Plan
from ondeck.job.spec import OperationSpec, Risk
from ondeck.operate.ports import TellsRisk
from ondeck.registry import Registry

_ORDER = (Risk.READ, Risk.CHANGE, Risk.DESTROY)


def worse(one: Risk, other: Risk) -> Risk:
    """The more dangerous of two."""
    return max(one, other, key=_ORDER.index)


def risk_of(registry: Registry, inventory: Inventory, plan: Plan) -> Risk:
    """What the rules have to go by: never less than the provider says of the request itself.

    Raises:
        Refused: The plan's provider has no such operation.
        BadInput: The request makes no sense.
        Missing: The provider is not installed.
    """
    spec = _spec(registry, plan)
    said = plan.draft.risk
    if worse(said, spec.risk) is said:
        return said
    operator = registry.load(plan.provider, "operator")
    told = operator.risk_of(plan.request, inventory) if isinstance(operator, TellsRisk) else spec.risk
    return worse(said, told)


def _spec(registry: Registry, plan: Plan) -> OperationSpec:
    for spec in registry.manifest(plan.provider).operations:
        if spec.name == plan.request.operation:
            return spec
    raise Refused(f"{plan.provider} has no operation {plan.request.operation!r}", hint="plan again")
