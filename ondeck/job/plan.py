"""Requests and plans: data about a change before anything changed."""

from __future__ import annotations

import hashlib
import re
from enum import StrEnum
from typing import Any

import msgspec

from ondeck.counting import counted
from ondeck.job.spec import Risk

_SEAL = 16  # hexadecimal digits
JOB = "JOB"
"""Stands for the id of the job in a draft's `undo`, which is written before there is a job."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants: an operation, a subject and its parameters.

    Attributes:
        operation: Name of the spec.
        subject: What was named: `checkout@prod`, a selector text, a stack's name.
        targets: Exact target names (hosts), resolved by the face from the subject; never empty.
        env: The one environment of all targets.
        params: Parameters as plain data, checked against the spec's struct.
        reason: Why, in the words of who asks.
        actor: Who asks.
    """

    operation: str
    subject: str
    targets: tuple[str, ...]
    env: str
    params: dict[str, Any] = {}
    reason: str = ""
    actor: str = ""


class Action(StrEnum):
    """What happens to one address."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"
    RUN = "run"
    NO_OP = "no-op"


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that will change; before and after are short texts, diff is a unified diff or empty."""

    action: Action
    target: str
    address: str
    before: str = ""
    after: str = ""
    diff: str = ""


class Precondition(msgspec.Struct, frozen=True, kw_only=True):
    """A fact that must still hold when the change starts on its target.

    Attributes:
        fact: What is read, in the provider's words, e.g. `release running` or `sha256 /etc/motd`.
        expected: Its value at plan time.
    """

    target: str
    fact: str
    expected: str


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """One command or API call, exactly as it will be sent, for one target."""

    target: str
    argv: tuple[str, ...]
    become: str = ""
    note: str = ""


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Targets that are worked on together; the next batch starts when the gate passed."""

    targets: tuple[str, ...]
    why: str = ""


class RolloutPlan(msgspec.Struct, frozen=True, kw_only=True):
    """In which order and how carefully.

    Attributes:
        parallel: Targets of a batch at once; 0 means the whole batch.
        max_failures: It stops when more than this many targets failed, were lost or unknown.
        gate: Words that say what is looked at after each batch; empty when there is no gate.
    """

    batches: tuple[Batch, ...]
    parallel: int = 0
    max_failures: int = 0
    gate: str = ""


class Preflight(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the checklist made while planning: `image present: 39 ok, 0 bad, 1 unknown`."""

    name: str
    ok: int = 0
    bad: int = 0
    unknown: int = 0
    note: str = ""


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider answers to a request. The road adds who, when, rules and the digest.

    Attributes:
        summary: One line: `2.15.0 (9m) -> 2.14.0 (last good)`.
        risk: May be lower than the spec's (an exec of a read command), never higher.
        lock_key: What nobody else may change meanwhile; empty for a read, which takes no lock.
        undo: How to take it back, or `irreversible`; the word `JOB` in it stands for the job's id.
        data: What apply needs beyond the commands; plain data, no secrets, belongs to the provider.
        secrets: References that the worker resolves before the first change.
        left_out: Target -> why it is not part of it.
        lasting: Its targets stay out of service when it is done, as after a drain: `max_targets` then counts all
            of them and those of `out`, not a batch.
        out: Hosts of the subject that are out of service already, or of which nobody knows.
        confirm: What has to be typed for exactly this plan, whatever the environment says: `net-prod 14` for a
            destroy with its count. Empty where the rules' own word is enough.
        noun: What one of its targets is called: `host`, `stack`, `instance`.
    """

    summary: str
    risk: Risk
    changes: tuple[Change, ...] = ()
    commands: tuple[Command, ...] = ()
    preconditions: tuple[Precondition, ...] = ()
    preflight: tuple[Preflight, ...] = ()
    rollout: RolloutPlan
    lock_key: str
    undo: str = ""
    warnings: tuple[str, ...] = ()
    data: dict[str, Any] = {}
    secrets: tuple[str, ...] = ()
    left_out: dict[str, str] = {}
    lasting: bool = False
    out: tuple[str, ...] = ()
    confirm: str = ""
    noun: str = "host"


PLAN_SECONDS = 3600
"""How long a plan, and the consent to it, are good for."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A request, its draft, and under which rules it was made.

    Attributes:
        made: Nanoseconds since 1970, UTC.
        id: `p` and the beginning of the sha256 of everything else in it: who names it names its bytes.
        provider: Name of the provider that drafted and will apply it.
        inventory: sha256 of the stored inventory that it was made from and is applied with.
        policy: sha256 of the rules that applied (inventory and floor).
    """

    id: str
    request: Request
    title: str
    provider: str
    draft: Draft
    inventory: str
    policy: str
    made: int

    @property
    def targets(self) -> tuple[str, ...]:
        """Every target that will be touched, in rollout order."""
        return tuple(t for batch in self.draft.rollout.batches for t in batch.targets)


_ON_HOSTS = re.compile(r" on \d+(?: of \d+)? (?:hosts?|targets?)$")
_SWITCHES = (Action.CREATE, Action.UPDATE, Action.REPLACE)


def deed_of(plan: Plan) -> str:
    """What it does, verb first: `rollback 2.15.0 -> 2.14.0`, `exec df -h`, `restart checkout`."""
    verb = plan.request.operation.rpartition(".")[2]
    before, after = switched(plan.request, plan.draft)
    if after:
        return f"{verb} {before or 'nothing'} -> {after}"
    what = _ON_HOSTS.sub("", plan.draft.summary)
    return what if what == verb or what.startswith(f"{verb} ") else f"{verb} {what}"


def work_of(plan: Plan) -> str:
    """The same, and on how many: `rollback 2.15.0 -> 2.14.0, 3 hosts`."""
    return f"{deed_of(plan)}, {counted(len(plan.targets), plan.draft.noun)}"


def switched(request: Request, draft: Draft) -> tuple[str, str]:
    """From which versions to which an operation on a service goes; empty where it is about none."""
    if "@" not in request.subject:
        return "", ""
    first = {c.target: c for c in reversed(draft.changes) if c.action in _SWITCHES and c.after}
    sides = (
        dict.fromkeys(word.partition(" ")[0] for word in words if word)
        for words in ([c.before for c in first.values()], [c.after for c in first.values()])
    )
    before, after = (", ".join(sorted(side)) for side in sides)
    return before, after


def undo_of(plan: Plan, job: str) -> str:
    """How to take a job of this plan back, with its id."""
    if changes_nothing(plan.draft):
        return ""
    return " ".join(job if word == JOB else word for word in plan.draft.undo.split(" "))


def changes_nothing(draft: Draft) -> bool:
    """Everything is as it shall be already."""
    return bool(draft.changes) and all(change.action is Action.NO_OP for change in draft.changes)


def undo_words(draft: Draft) -> str:
    """How a plan is taken back, for who looks at it."""
    return "nothing to take back" if changes_nothing(draft) else draft.undo or "irreversible"


def encode(plan: Plan) -> bytes:
    """The bytes that are stored and hashed."""
    return msgspec.json.encode(plan)


def decode(data: bytes) -> Plan:
    """Read stored bytes back.

    Raises:
        msgspec.DecodeError: These bytes are not a plan.
    """
    return msgspec.json.decode(data, type=Plan)


def sealed(plan: Plan) -> Plan:
    """The plan with the id that its content gives."""
    bare = msgspec.json.encode(msgspec.structs.replace(plan, id=""))
    return msgspec.structs.replace(plan, id=f"p{digest(bare)[:_SEAL]}")


def is_sealed(stored: bytes) -> bool:
    """True when these bytes are exactly those of the plan that its own id names.

    Raises:
        msgspec.DecodeError: These bytes are not a plan.
    """
    plan = decode(stored)
    return sealed(plan).id == plan.id and encode(plan) == stored


def digest(stored: bytes) -> str:
    """sha256 over the stored bytes, hexadecimal."""
    return hashlib.sha256(stored).hexdigest()
