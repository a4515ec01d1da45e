"""What a plan file says (`show -json`), as changes that can be shown: attribute by attribute, masked.

Format 1.x; fields that are not known are left aside.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from ondeck.errors import RemoteFailed
from ondeck.job.plan import Action, Change
from ondeck.text import safe_line
from providers.terraform.attributes import difference
from providers.terraform.masking import Masks, marked

_REASONS = {
    "replace_because_tainted": "tainted: it was left half made",
    "replace_because_cannot_update": "cannot be changed in place",
    "replace_by_request": "replacing was asked for",
    "replace_by_triggers": "replace_triggered_by",
    "delete_because_no_resource_config": "no longer in the configuration",
    "delete_because_wrong_repetition": "count and for_each changed",
    "delete_because_count_index": "index beyond count",
    "delete_because_each_key": "key no longer in for_each",
    "delete_because_no_module": "its module is no longer there",
    "delete_because_no_move_target": "moved to an address that is not in the configuration",
}
_ACTIONS = {
    ("create",): Action.CREATE,
    ("update",): Action.UPDATE,
    ("delete",): Action.DELETE,
    ("delete", "create"): Action.REPLACE,
    ("create", "delete"): Action.REPLACE,
    ("forget",): Action.UPDATE,
}


class Deltas(msgspec.Struct, kw_only=True):
    """`change` of one resource or output, as it is written."""

    actions: tuple[str, ...] = ()
    before: Any = None
    after: Any = None
    after_unknown: Any = False
    before_sensitive: Any = False
    after_sensitive: Any = False
    replace_paths: list[list[Any]] = []
    importing: dict[str, Any] | None = None


class ResourceChange(msgspec.Struct, kw_only=True):
    """One entry of `resource_changes` or `resource_drift`."""

    address: str
    change: Deltas
    mode: str = "managed"
    previous_address: str = ""
    action_reason: str = ""
    deposed: str = ""


class PlanFile(msgspec.Struct, kw_only=True):
    """What we read of the whole."""

    format_version: str
    terraform_version: str = ""
    variables: dict[str, dict[str, Any]] = {}
    resource_changes: list[ResourceChange] = []
    resource_drift: list[ResourceChange] = []
    output_changes: dict[str, Deltas] = {}
    configuration: dict[str, Any] = {}
    applyable: bool = True
    errored: bool = False


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """How many resources of each kind of change; outputs are not counted."""

    create: int = 0
    update: int = 0
    replace: int = 0
    delete: int = 0

    @property
    def destroyed(self) -> int:
        """Things that are there now and will not be there any more as they are."""
        return self.replace + self.delete

    @property
    def total(self) -> int:
        """All of them."""
        return self.create + self.update + self.replace + self.delete

    @property
    def steps(self) -> int:
        """Steps that the program takes: a replacement is two."""
        return self.total + self.replace

    def words(self) -> str:
        """`2 to create, 1 to replace`; `no changes`."""
        parts = [
            f"{number} to {word}"
            for word in ("create", "update", "replace", "delete")
            if (number := getattr(self, word))
        ]
        return ", ".join(parts) or "no changes"


def decoded(data: bytes) -> PlanFile:
    """The output of `show -json` of a plan file.

    Raises:
        RemoteFailed: It is none that is understood.
    """
    try:
        plan = msgspec.json.decode(data, type=PlanFile)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RemoteFailed(f"cannot read the plan: {error}") from error
    if plan.format_version.partition(".")[0] != "1":
        raise RemoteFailed(f"plan format {safe_line(plan.format_version)} is not understood")
    return plan


def masks_of(plan: PlanFile) -> Masks:
    """Every value that the plan marks as sensitive anywhere."""
    masks = Masks()
    changes = [*plan.resource_changes, *plan.resource_drift]
    for delta in (*(entry.change for entry in changes), *plan.output_changes.values()):
        masks.add(marked(delta.before, delta.before_sensitive))
        masks.add(marked(delta.after, delta.after_sensitive))
    declared = plan.configuration.get("root_module", {}).get("variables", {})
    for name, variable in plan.variables.items():
        if isinstance(found := declared.get(name), dict) and found.get("sensitive"):
            masks.add(marked(variable.get("value"), True))
    return masks


def changes_of(plan: PlanFile, stack: str) -> tuple[Change, ...]:
    """What applying it changes, outputs last."""
    masks = masks_of(plan)
    found = [_resource(entry, stack, masks) for entry in plan.resource_changes]
    outputs = (
        _output(name, delta, stack, masks)
        for name, delta in sorted(plan.output_changes.items())
        if delta.actions != ("no-op",)
    )
    return (*(change for change in found if change is not None), *outputs)


def drift_of(plan: PlanFile, stack: str) -> tuple[Change, ...]:
    """What changed outside, as a refresh found it."""
    masks = masks_of(plan)
    found = (_resource(entry, stack, masks) for entry in plan.resource_drift)
    return tuple(change for change in found if change is not None)


def counts_of(changes: Iterable[Change]) -> Counts:
    """How many resources are created, updated, replaced, deleted."""
    numbers: dict[str, int] = {}
    for change in changes:
        if not change.address.startswith("output."):
            numbers[change.action.value] = numbers.get(change.action.value, 0) + 1
    return Counts(**{k: v for k, v in numbers.items() if k in Counts.__struct_fields__})


def _resource(entry: ResourceChange, stack: str, masks: Masks) -> Change | None:
    delta = entry.change
    action = _ACTIONS.get(delta.actions)
    notes = []
    if entry.previous_address:
        notes.append(f"moved from {entry.previous_address}")
    if delta.importing is not None:
        notes.append(f"imported, id {masks.text(str(delta.importing.get('id', '?')))}")
    if action is None:
        if not notes:
            return None
        action = Action.UPDATE
    if reason := _REASONS.get(entry.action_reason):
        paths = ", ".join(map(_path, delta.replace_paths))
        notes.append(f"{reason}: {paths}" if paths else reason)
    elif entry.action_reason:
        notes.append(entry.action_reason)
    if delta.actions == ("forget",):
        notes.append("leaves the state and is not destroyed")
    if delta.actions == ("create", "delete"):
        notes.append("the new one is made before the old one goes")
    address = entry.address + (f" (deposed {entry.deposed})" if entry.deposed else "")
    return Change(action=action, target=stack, address=safe_line(address), diff=_diff(delta, masks, notes))


def _path(parts: list[Any]) -> str:
    return "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in parts).lstrip(".")


def _output(name: str, delta: Deltas, stack: str, masks: Masks) -> Change:
    action = _ACTIONS.get(delta.actions, Action.UPDATE)
    return Change(
        action=action, target=stack, address=safe_line(f"output.{name}"), diff=_diff(delta, masks, [])
    )


def _diff(delta: Deltas, masks: Masks, notes: list[str]) -> str:
    lines = [f"# {safe_line(note)}" for note in notes]
    lines += difference(
        before=delta.before,
        after=delta.after,
        before_marks=delta.before_sensitive,
        after_marks=delta.after_sensitive,
        unknown=delta.after_unknown,
        masks=masks,
    )
    return "\n".join(lines)


def outputs_of(data: bytes) -> Mapping[str, dict[str, Any]]:
    """The answer of `output -json`.

    Raises:
        RemoteFailed: It is none.
    """
    try:
        return msgspec.json.decode(data, type=dict[str, dict[str, Any]])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RemoteFailed(f"cannot read the outputs: {error}") from error
