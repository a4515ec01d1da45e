from __future__ import annotations

import pytest

from ondeck.errors import BadInput, NoMatch
from ondeck.inventory.model import Environment, Host, Inventory, Revision, Service, Stack
from ondeck.job.spec import OperationSpec, Params, Risk, TargetKind
from ondeck.operate.subject import resolve

INVENTORY = Inventory(
    revision=Revision(root="/"),
    environments={"prod": Environment(name="prod"), "staging": Environment(name="staging")},
    hosts={
        "web-1": Host(name="web-1", env="prod", groups=("web",)),
        "web-2": Host(name="web-2", env="prod", groups=("web",)),
        "stg-1": Host(name="stg-1", env="staging", groups=("web",)),
    },
    services={"shop": Service(name="shop", on={"prod": "group=web", "staging": "group=web"})},
    stacks={"net": Stack(name="net", kind="terraform", env="prod")},
)


def spec(kind: TargetKind) -> OperationSpec:
    return OperationSpec(name="x.y", title="X", target=kind, params=Params, risk=Risk.CHANGE)


@pytest.mark.parametrize(
    ("kind", "subject", "selectors", "env", "targets"),
    [
        (TargetKind.SERVICE, "shop@prod", (), "prod", ("web-1", "web-2")),
        (TargetKind.SERVICE, "shop@prod", ("name=web-2",), "prod", ("web-2",)),
        (TargetKind.HOSTS, "web-1", (), "prod", ("web-1",)),
        (TargetKind.HOSTS, "web-1:/etc/motd", (), "prod", ("web-1",)),
        (TargetKind.HOSTS, "", ("env=staging",), "staging", ("stg-1",)),
        (TargetKind.HOSTS, "shop@staging", (), "staging", ("stg-1",)),
        (TargetKind.STACK, "net", (), "prod", ("net",)),
    ],
)
def test_a_subject_becomes_exact_targets_of_one_environment(
    kind: TargetKind, subject: str, selectors: tuple[str, ...], env: str, targets: tuple[str, ...]
) -> None:
    found = resolve(INVENTORY, spec(kind), subject, selectors)
    assert (found.env, found.targets) == (env, targets)


def test_one_operation_never_spans_two_environments_and_both_are_named() -> None:
    with pytest.raises(BadInput, match=r"prod \(2.*staging \(1"):
        resolve(INVENTORY, spec(TargetKind.HOSTS), "", ("group=web",))
    with pytest.raises(BadInput, match="several environments"):
        resolve(INVENTORY, spec(TargetKind.SERVICE), "shop")


@pytest.mark.parametrize(
    ("kind", "subject"), [(TargetKind.SERVICE, "shpo@prod"), (TargetKind.HOSTS, "web-9:/x")]
)
def test_a_name_that_names_nothing_is_told_with_what_is_near(kind: TargetKind, subject: str) -> None:
    with pytest.raises(NoMatch, match="near: "):
        resolve(INVENTORY, spec(kind), subject)
