"""What a stack holds, as it can be shown: its plan as text, resources and outputs with their values masked."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from ondeck.errors import NoMatch, RemoteFailed
from ondeck.job.finding import Finding
from ondeck.job.outcome import Outcome
from ondeck.job.plan import Action, Change, Plan
from ondeck.operate.ports import Emit
from ondeck.text import safe, safe_line
from providers.terraform import planfile
from providers.terraform.masking import MASK, Masks, marked
from providers.terraform.program import words_of
from providers.terraform.work import Ready

_SIGNS = {
    Action.CREATE: "+",
    Action.UPDATE: "~",
    Action.REPLACE: "-/+",
    Action.DELETE: "-",
    Action.RUN: ">",
    Action.NO_OP: "=",
}


def tell_plan(plan: Plan, emit: Emit) -> Finding:
    """The plan as the job's output: it was made while the job was planned, and masked then."""
    lines = [*plan_lines(plan.draft.changes), "", plan.draft.summary]
    emit.output(("\n".join(lines) + "\n").encode())
    return Finding(outcome=Outcome.SUCCEEDED, evidence=plan.draft.summary, status=0)


def plan_lines(changes: tuple[Change, ...]) -> Iterator[str]:
    """Changes as text: a line each, what differs below it."""
    for change in changes:
        yield f"{_SIGNS[change.action]} {change.action.value} {change.address}"
        if change.diff:
            yield from (f"    {line}" for line in change.diff.split("\n"))


async def shown_state(ready: Ready) -> dict[str, Any]:
    """The state as the program shows it (`show -json`), values in clear.

    Raises:
        RemoteFailed: It cannot be read.
    """
    done = await ready.program.run(ready.module, "show", "-json", limit=512 << 20)
    if not done.ok:
        raise RemoteFailed(f"show: {words_of(done)}")
    try:
        return msgspec.json.decode(done.stdout, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise RemoteFailed(f"cannot read the state: {error}") from error


def root_of(shown: dict[str, Any]) -> dict[str, Any]:
    """The root module of a shown state."""
    root: dict[str, Any] = (shown.get("values") or {}).get("root_module") or {}
    return root


def resources_in(module: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every resource of a module and of those below it."""
    yield from module.get("resources", [])
    for child in module.get("child_modules", []):
        yield from resources_in(child)


def masks_of(shown: dict[str, Any]) -> Masks:
    """Every value that a shown state marks as sensitive anywhere."""
    masks = Masks()
    for one in resources_in(root_of(shown)):
        masks.add(marked(one.get("values"), one.get("sensitive_values", False)))
    for output in ((shown.get("values") or {}).get("outputs") or {}).values():
        if output.get("sensitive"):
            masks.add(marked(output.get("value"), True))
    return masks


def described(shown: dict[str, Any], address: str, stack: str) -> dict[str, Any]:
    """One resource, sensitive values masked.

    Raises:
        NoMatch: It is not in the state.
    """
    found = next((one for one in resources_in(root_of(shown)) if one.get("address") == address), None)
    if found is None:
        raise NoMatch(f"no resource {address!r} in the state", hint=f"ondeck stack state {stack}")
    values = masks_of(shown).masked(found.get("values"), found.get("sensitive_values", False))
    head = {
        "address": found["address"],
        "type": found.get("type", ""),
        "provider": found.get("provider_name", ""),
        "tainted": bool(found.get("tainted")),
    }
    plain: dict[str, Any] = msgspec.json.decode(safe(json.dumps({**head, "values": values})))
    return plain


async def outputs(ready: Ready) -> Mapping[str, dict[str, Any]]:
    """The outputs with their values in clear.

    Raises:
        RemoteFailed: They cannot be read.
    """
    done = await ready.program.run(ready.module, "output", "-json", limit=64 << 20)
    if not done.ok:
        raise RemoteFailed(f"output: {words_of(done)}")
    return planfile.outputs_of(done.stdout)


def masked_outputs(found: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """The same, masked: sensitive ones, and others that hold the value of one."""
    masks = Masks()
    for output in found.values():
        if output.get("sensitive"):
            masks.add(marked(output.get("value"), True))
    return {
        safe_line(name): MASK if output.get("sensitive") else masks.masked(output.get("value"))
        for name, output in sorted(found.items())
    }
