"""A plan as text: what will change, where, in which order, how it is taken back."""

from __future__ import annotations

from collections.abc import Iterator

from ondeck.counting import counted
from ondeck.job.plan import Action, Change, Draft, Plan, changes_nothing, undo_words
from ondeck.job.spec import Risk
from ondeck.record.lock import REACH
from ondeck.text import safe_line

_SIGNS = {
    Action.CREATE: "+",
    Action.UPDATE: "~",
    Action.REPLACE: "-/+",
    Action.DELETE: "-",
    Action.RUN: ">",
    Action.NO_OP: "=",
}
_SAME_SHOWN = 12
_LONG = 5  # lines of a script that are still shown


def lines(plan: Plan, digest: str) -> Iterator[str]:
    """The plan, a line at a time; whatever stands in a field, it makes no line of its own."""
    return map(safe_line, _lines(plan, digest))


def _lines(plan: Plan, digest: str) -> Iterator[str]:
    draft = plan.draft
    yield f"{plan.title}  {plan.request.subject}  [{plan.request.env}]  plan {digest[:7]}"
    if changes_nothing(draft):
        yield "  NOTHING WOULD CHANGE: everything is so already"
    yield f"  {draft.summary}"
    if plan.request.reason:
        yield f"  why: {plan.request.reason}"
    yield from _preflight(draft)
    yield from _changes(draft)
    yield from _commands(draft)
    yield from _rollout(draft)
    for target, why in draft.left_out.items():
        yield f"  LEFT OUT  {target}: {why}"
    for warning in draft.warnings:
        yield f"  WARNING  {warning}"
    if draft.lock_key:
        yield f"  lock: {draft.lock_key}, {REACH}"
    if draft.risk is not Risk.READ:
        yield f"  undo: {undo_words(draft)}"


def _preflight(draft: Draft) -> Iterator[str]:
    for check in draft.preflight:
        counts = f"{check.ok} ok, {check.bad} bad, {check.unknown} unknown"
        yield f"  check {check.name}: {counts}{'  ' + check.note if check.note else ''}"


def _changes(draft: Draft) -> Iterator[str]:
    by_text: dict[str, list[Change]] = {}
    for change in draft.changes:
        by_text.setdefault(_change(change), []).append(change)
    for text, same in by_text.items():
        yield f"  {text}  on {_names([c.target for c in same])}"
        for diff in {c.diff for c in same if c.diff}:
            yield from (f"      {line}" for line in diff.removesuffix("\n").split("\n"))


def _change(change: Change) -> str:
    arrow = f": {change.before or '-'} -> {change.after or '-'}" if change.before or change.after else ""
    return f"{_SIGNS[change.action]} {change.action.value} {change.address}{arrow}"


def _commands(draft: Draft) -> Iterator[str]:
    by_command: dict[str, list[str]] = {}
    for command in draft.commands:
        become = f" as {command.become}" if command.become else ""
        note = f"  ({command.note})" if command.note else ""
        by_command.setdefault(f"{shown(command.argv)}{become}{note}", []).append(command.target)
    for text, targets in by_command.items():
        yield f"  $ {text}  on {_names(targets)}"
    if any(_is_long(word) for command in draft.commands for word in command.argv):
        yield "  every script in full: --plan -o json"


def shown(argv: tuple[str, ...]) -> str:
    """Argv as one would type it into a shell; a long script as its first line and how many there are."""
    import shlex

    return " ".join(_folded(word) if _is_long(word) else shlex.quote(word) for word in argv)


def _is_long(word: str) -> bool:
    return word.strip().count("\n") >= _LONG


def _folded(script: str) -> str:
    lines = script.strip().splitlines()
    return f"'{lines[0]} ... {len(lines)} lines'"


def _rollout(draft: Draft) -> Iterator[str]:
    rollout = draft.rollout
    count = sum(len(batch.targets) for batch in rollout.batches)
    yield f"  {counted(count, 'target')} in {counted(len(rollout.batches), 'batch', 'batches')}:"
    for number, batch in enumerate(rollout.batches, 1):
        why = f"  ({batch.why})" if batch.why else ""
        # Every target is named: nobody confirms what was cut.
        yield f"    {number}. {' '.join(batch.targets)}{why}"
    yield f"  stops when more than {rollout.max_failures} failed, were lost or are unknown"
    if rollout.gate:
        yield f"  after each batch: {rollout.gate}"


def _names(names: list[str]) -> str:
    distinct = list(dict.fromkeys(names))
    if len(distinct) <= _SAME_SHOWN:
        return " ".join(distinct)
    return f"{' '.join(distinct[:_SAME_SHOWN])} and {len(distinct) - _SAME_SHOWN} more"
