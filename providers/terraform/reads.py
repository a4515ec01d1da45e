"""Reads of a stack as operations: its plan as text, its resources, one of them, its outputs; values masked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec

from ondeck.bench import Bench
from ondeck.errors import NoMatch, RemoteFailed
from ondeck.job.finding import Finding
from ondeck.job.outcome import Outcome
from ondeck.job.plan import Action, Change, Command, Draft, Plan, Request
from ondeck.job.spec import Risk
from ondeck.operate.ports import Emit
from ondeck.text import safe, safe_line
from providers.terraform import planfile
from providers.terraform.masking import MASK, Masks, marked
from providers.terraform.options import options_of, stack_of
from providers.terraform.params import AddressParams, OutputParams
from providers.terraform.planning import one_target
from providers.terraform.program import words_of
from providers.terraform.work import Ready, Work

OPERATIONS = ("stack.plan", "stack.state", "stack.show", "stack.output")
_SIGNS = {
    Action.CREATE: "+",
    Action.UPDATE: "~",
    Action.REPLACE: "-/+",
    Action.DELETE: "-",
    Action.RUN: ">",
    Action.NO_OP: "=",
}


def plan_read(request: Request, bench: Bench) -> Draft:
    """A read of what is stored; asks nothing while it is planned."""
    stack = request.subject
    options_of(stack_of(bench.inventory, stack))
    verb = request.operation.rpartition(".")[2]
    return Draft(
        summary=f"{verb} of {stack}",
        risk=Risk.READ,
        commands=(Command(target=stack, argv=("state", "pull"), note="a read"),),
        rollout=one_target(stack),
        lock_key="",
        data=msgspec.to_builtins(Work(operation=request.operation, stack=stack)),
        secrets=tuple(options_of(stack_of(bench.inventory, stack)).secret_env.values()),
    )


async def read(plan: Plan, work: Work, ready: Ready, emit: Emit) -> Finding:
    """Tell it as output.

    Raises:
        NoMatch: There is nothing of that name.
        RemoteFailed: It cannot be read.
    """
    params = plan.request.params
    match work.operation:
        case "stack.plan":
            lines: list[str] = [*plan_lines(plan.draft.changes), "", plan.draft.summary]
        case "stack.state":
            lines = await _addresses(ready)
        case "stack.show":
            lines = await _one(ready, msgspec.convert(params, AddressParams).address)
        case _:
            lines = await _outputs(ready, msgspec.convert(params, OutputParams).show)
    emit.output(("\n".join(lines) + "\n").encode())
    return Finding(outcome=Outcome.SUCCEEDED, evidence="read", status=0)


def plan_lines(changes: tuple[Change, ...]) -> Iterator[str]:
    """Changes as text: a line each, what differs below it."""
    for change in changes:
        yield f"{_SIGNS[change.action]} {change.action.value} {change.address}"
        if change.diff:
            yield from (f"    {line}" for line in change.diff.split("\n"))


async def _addresses(ready: Ready) -> list[str]:
    seen = (await ready.state()).seen
    head = f"{seen.label()}, {len(seen.resources)} resources, {seen.outputs} outputs"
    return [
        head,
        *(f"{name}{'  TAINTED' if sign.endswith('!') else ''}" for name, sign in seen.resources.items()),
    ]


async def _one(ready: Ready, address: str) -> list[str]:
    """Attributes of one resource, sensitive ones masked as the program marks them."""
    done = await ready.program.run(ready.module, "show", "-json", limit=512 << 20)
    if not done.ok:
        raise RemoteFailed(f"show: {words_of(done)}")
    shown = msgspec.json.decode(done.stdout)
    found = next((one for one in _resources(_root(shown)) if one.get("address") == address), None)
    if found is None:
        raise NoMatch(
            f"no resource {address!r} in the state", hint=f"ondeck stack state {ready.program.stack.name}"
        )
    values = masks_of(shown).masked(found.get("values"), found.get("sensitive_values", False))
    return [safe_line(f"{address}{'  TAINTED' if found.get('tainted') else ''}"), *_pretty(values)]


def _root(shown: dict[str, Any]) -> dict[str, Any]:
    root: dict[str, Any] = (shown.get("values") or {}).get("root_module") or {}
    return root


def _resources(module: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from module.get("resources", [])
    for child in module.get("child_modules", []):
        yield from _resources(child)


def masks_of(shown: dict[str, Any]) -> Masks:
    """Every value that a state (`show -json`) marks as sensitive anywhere."""
    masks = Masks()
    for one in _resources(_root(shown)):
        masks.add(marked(one.get("values"), one.get("sensitive_values", False)))
    for output in ((shown.get("values") or {}).get("outputs") or {}).values():
        if output.get("sensitive"):
            masks.add(marked(output.get("value"), True))
    return masks


def _pretty(value: object) -> list[str]:
    return safe(json.dumps(value, indent=2, ensure_ascii=False)).split("\n")


async def _outputs(ready: Ready, show: str) -> list[str]:
    done = await ready.program.run(ready.module, "output", "-json", limit=64 << 20)
    if not done.ok:
        raise RemoteFailed(f"output: {words_of(done)}")
    outputs = planfile.outputs_of(done.stdout)
    if show:
        if show not in outputs:
            raise NoMatch(f"no output {show!r}", hint=f"there are: {', '.join(sorted(outputs)) or 'none'}")
        value = outputs[show].get("value")
        return safe(value).split("\n") if isinstance(value, str) else _pretty(value)
    masks = Masks()
    for output in outputs.values():
        if output.get("sensitive"):
            masks.add(marked(output.get("value"), True))
    lines = []
    for name, output in sorted(outputs.items()):
        value = (
            MASK
            if output.get("sensitive")
            else json.dumps(masks.masked(output.get("value")), ensure_ascii=False)
        )
        lines.append(safe_line(f"{name} = {value}"))
    return lines or ["no outputs"]
