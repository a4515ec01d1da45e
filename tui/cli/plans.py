"""`plan` and `apply`: any operation by name, planned now and started later, exactly as it was shown."""

from __future__ import annotations

from typing import Any

import click

from ondeck.errors import BadInput
from ondeck.job.spec import OperationSpec
from tui.cli import flags, operation
from tui.cli.face import Face, pass_face


def spec_named(face: Face, name: str) -> OperationSpec:
    """The spec of an operation.

    Raises:
        BadInput: There is none of that name.
    """
    from difflib import get_close_matches

    known = {name: spec for name, (spec, _) in face.registry.operations().items()}
    if name not in known:
        near = get_close_matches(name, known, n=3)
        raise BadInput(
            f"no operation {name!r}",
            hint=f"near: {', '.join(near)}" if near else f"there are: {', '.join(known)}",
        )
    return known[name]


class _WithCommon(click.Command):
    """A verb that also takes what every operation takes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - click's own arguments
        super().__init__(*args, **kwargs)
        given = {parameter.name for parameter in self.params}
        self.params.extend(option for option in flags.common() if option.name not in given)


@click.command(cls=_WithCommon)
@click.argument("name", metavar="OPERATION")
@click.argument("target", default="")
@click.option("-l", "--selector", "selectors", multiple=True, metavar="SELECTOR", help="Hosts to act on.")
@click.option("--set", "pairs", multiple=True, metavar="KEY=VALUE", help="A parameter of the operation.")
@pass_face
def plan(
    face: Face,
    /,
    name: str,
    target: str,
    selectors: tuple[str, ...],
    pairs: tuple[str, ...],
    **common: Any,  # noqa: ANN401
) -> int:
    """Plan an operation without starting it; with -o name prints only the id, which `ondeck apply` takes."""
    asked = operation.asked_of({**common, "plan": True})
    spec = spec_named(face, name)
    return operation.perform(face, spec, target, selectors, flags.assign(pairs), asked)


@click.command(cls=_WithCommon)
@click.argument("plan_id", metavar="PLAN")
@pass_face
def apply(face: Face, /, plan_id: str, **common: Any) -> int:  # noqa: ANN401
    """Start exactly a plan that was made before; refused when the world or the rules have changed since."""
    from ondeck.operate import road

    asked = operation.asked_of(common)
    drafted = road.stored_plan(face.deck, plan_id)
    operation.show(face, drafted, asked.form)
    return operation.start(face, drafted, asked)
