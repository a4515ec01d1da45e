"""A plan as lines: everything that will happen, every target, every rule."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

from ondeck.job.plan import Action, Change, Draft, changes_nothing, undo_words
from ondeck.record.lock import REACH
from tui.app.commands import with_reason
from tui.app.dialogs.plan_tree import ChangeTree
from tui.app.phrases import count_of, verb_of
from tui.app.rows import Part, Row, fit, row, rule
from tui.app.session import Card

_ROLES = {
    Action.CREATE: "add",
    Action.DELETE: "del",
    Action.REPLACE: "warn",
    Action.UPDATE: "",
    Action.RUN: "bold",
}


def plan_rows(
    card: Card, reason: str, width: int, *, everything: bool, tree: ChangeTree | None = None
) -> list[Row]:
    """The scrolling part of the cockpit; changes of one target as a tree."""
    draft = card.plan.draft
    looked = f"plan {card.digest[:6]}  reads only so far, {card.seconds:.1f}s"
    title = f"{verb_of(card.plan.request.operation)} {card.plan.request.subject}"
    rows = [row((title, "heading"), right=[(looked, "dim")])]
    if changes_nothing(draft):
        rows.append(row(("NOTHING WOULD CHANGE", "warn"), ("  everything is so already", "dim")))
    rows += _wrapped("what", draft.summary, width, "bold")
    undo = undo_words(draft)
    rows += _wrapped("undo", undo, width, "bad" if undo == "irreversible" else "")
    rows += _wrapped("why", reason or "no reason given", width, "" if reason else "dim")
    rows += _wrapped("by hand", with_reason(card.command, reason), width, "dim")
    for warning in draft.warnings:
        rows += _wrapped("WARN", warning, width, "warn")
    for host, why in draft.left_out.items():
        rows += _wrapped("LEFT OUT", f"{host}: {why}", width, "warn")
    if card.unjudged:
        rows += _wrapped(
            "LEFT OUT",
            f"{count_of(card.unjudged, 'host')} that could not be asked for the selector",
            width,
            "warn",
        )
    rows += tree.rows(width) if tree is not None else _changes(draft.changes, width)
    rows += _preflight(draft, width)
    rows += _rollout(draft, width)
    if draft.lock_key:
        rows += _wrapped("lock", f"{draft.lock_key}, {REACH}", width)
    if everything:
        rows += _commands(draft, width)
    return rows


EXACT = "exact commands"
"""How the part of them is headed."""


def _wrapped(label: str, text: str, width: int, role: str = "") -> list[Row]:
    lines = wrap(text, max(20, width - 10)) or [""]
    rows = [row((label.ljust(9), "dim"), (lines[0], role))]
    return rows + [row(" " * 9, (line, role)) for line in lines[1:]]


def _changes(changes: Sequence[Change], width: int) -> list[Row]:
    alike: dict[tuple[str, ...], list[Change]] = {}
    for change in changes:
        key = (
            change.action,
            change.address.replace(change.target, "*"),
            change.before,
            change.after,
            change.diff,
        )
        alike.setdefault(key, []).append(change)
    if not alike:
        return []
    rows = [rule(f"changes, {len(changes)}", width)]
    for group in alike.values():
        first = group[0]
        where = first.target if len(group) == 1 else f"{len(group)} targets"
        parts: list[Part] = [
            (first.action.ljust(8), _ROLES.get(first.action, "dim")),
            f"{where}  {first.address}",
        ]
        if first.before or first.after:
            parts += [
                ("  ", ""),
                (first.before or "nothing", "dim"),
                " -> ",
                (first.after or "nothing", "bold"),
            ]
        rows.append(row(*parts))
        for line in first.diff.splitlines():
            role = {"+": "add", "-": "del", "@": "dim"}.get(line[:1], "")
            rows.append(row("   ", (line, role)))
    return rows


def _preflight(draft: Draft, width: int) -> list[Row]:
    if not draft.preflight:
        return []
    label = min(max(len(line.name) for line in draft.preflight), max(24, width - 40)) + 2
    rows = [rule("", width), row((f"{'PRE-FLIGHT'.ljust(label)}  ok   bad     ?", "head"))]
    for line in draft.preflight:
        counts: list[Part] = [
            (f"{line.ok:>4}", "ok" if line.ok else "dim"), (f"{line.bad:>6}", "bad" if line.bad else "dim"),
            (f"{line.unknown:>6}", "warn" if line.unknown else "dim"),
        ]  # fmt: skip
        beside = len(line.note) <= width - label - 18
        rows.append(row(fit(line.name, label), *counts, f"  {line.note}" if beside else ""))
        if not beside:
            rows += [row("   ", (part, "dim")) for part in wrap(line.note, width - 3)]
    return rows


def _rollout(draft: Draft, width: int) -> list[Row]:
    rollout = draft.rollout
    targets = sum(len(batch.targets) for batch in rollout.batches)
    word = "target" if targets == 1 else "targets"
    batches = "1 batch" if len(rollout.batches) == 1 else f"{len(rollout.batches)} batches"
    rows = [rule(f"{targets} {word} in {batches}", width)]
    for number, batch in enumerate(rollout.batches, 1):
        head = f"{number:>2}  "
        note = f"   {batch.why}" if batch.why else ""
        lines = wrap(
            "  ".join(batch.targets), max(20, width - 6), break_long_words=False, break_on_hyphens=False
        )
        for index, line in enumerate(lines or [""]):
            last = index == len(lines) - 1
            rows.append(row((head if index == 0 else "    ", "dim"), line, (note if last else "", "dim")))
    together = f"{rollout.parallel} at once" if rollout.parallel else "a whole batch at once"
    stops = "stops at the first failure" if not rollout.max_failures else (
        f"stops when more than {rollout.max_failures} failed, were lost or are unknown"
    )  # fmt: skip
    rows += _wrapped("how", f"{together}; {stops}", width)
    rows += _wrapped("gate", rollout.gate or "none: nothing is looked at between batches", width,
                     "" if rollout.gate else "dim")  # fmt: skip
    return rows


def _commands(draft: Draft, width: int) -> list[Row]:
    rows = [rule(EXACT, width)]
    for command in draft.commands:
        who = f" as {command.become}" if command.become else ""
        note = f"  # {command.note}" if command.note else ""
        text = f"{command.target}{who}: {' '.join(_quoted(command.argv))}{note}"
        rows += [row(part) for part in wrap(text, width, subsequent_indent="    ", break_on_hyphens=False)]
    if draft.preconditions:
        rows.append(rule("must still hold when it starts", width))
        rows += [row(f"{p.target}: {p.fact} is {p.expected}") for p in draft.preconditions]
    return rows


def _quoted(argv: Sequence[str]) -> list[str]:
    import shlex

    return [shlex.quote(word) for word in argv]
