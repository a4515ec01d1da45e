"""An operation on the user's own terminal: a shell. The same plan, rules and audit as a job's, without a job.

What is typed in it is not seen; that it was opened, by whom, under which rule and how it ended is recorded.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

import msgspec

from ondeck.capabilities import Capabilities
from ondeck.errors import BadInput, OndeckError
from ondeck.inventory import places
from ondeck.job.consent import Consent
from ondeck.job.plan import Action, Batch, Change, Command, Draft, Request, RolloutPlan
from ondeck.job.spec import OperationSpec, Risk, TargetKind
from ondeck.operate import guard, road
from ondeck.operate.naming import thing_of
from ondeck.reach.ports import Become, Inside, Shell

if TYPE_CHECKING:
    from ondeck.deck import Deck
    from ondeck.operate.road import Drafted


def draft_of(deck: Deck, spec: OperationSpec, request: Request) -> Draft:
    """What would be opened, asked of nobody.

    Raises:
        BadInput: Not exactly one host or thing.
        Missing: The host's transport has no shell, or nobody gets into things of the place.
    """
    if len(request.targets) != 1:
        raise BadInput(f"a shell opens on one target, {request.subject!r} names {len(request.targets)}")
    if spec.target is not TargetKind.HOSTS:
        return _inside(deck, spec, request)
    host = deck.inventory.hosts[request.targets[0]]
    become = str(request.params.get("become", ""))
    carrier = cast(Shell, Capabilities(deck.registry).transport(host.transport, "shell"))
    argv = tuple(carrier.shell_argv(deck.inventory, host, become=Become(become) if become else None))
    change = Change(
        action=Action.RUN, target=host.name, address="shell", after=f"as {become}" if become else "as you"
    )
    return Draft(
        summary=f"an interactive shell on {host.name}{f' as {become}' if become else ''}",
        risk=spec.risk if spec.risk is not Risk.READ else Risk.CHANGE,
        changes=(change,),
        commands=(Command(target=host.name, argv=argv, note="on this terminal"),),
        rollout=RolloutPlan(batches=(Batch(targets=(host.name,)),)),
        lock_key="",
        warnings=("what is typed in it is not recorded",),
    )


def _inside(deck: Deck, spec: OperationSpec, request: Request) -> Draft:
    """Inside a thing of a place, as the place's provider gets there."""
    target, able = request.targets[0], Capabilities(deck.registry)
    name, thing = thing_of(target)
    place = places.find(deck.inventory, spec.target.section, name)
    carrier = cast(Inside, able.place(place, "inside"))
    argv = carrier.inside_argv(
        deck.inventory, place, thing, request.params, lambda host: able.transport(host.transport, "shell")
    )
    change = Change(action=Action.RUN, target=target, address="shell", after=f"in {thing}")
    return Draft(
        summary=f"an interactive shell in {thing} of {name}",
        risk=spec.risk if spec.risk is not Risk.READ else Risk.CHANGE,
        changes=(change,),
        commands=(Command(target=target, argv=tuple(argv), note="on this terminal"),),
        rollout=RolloutPlan(batches=(Batch(targets=(target,)),)),
        lock_key="",
        warnings=("what is typed in it is not recorded",),
    )


class Opened(msgspec.Struct):
    """A shell that may run now; the face sets `status` when it ended."""

    argv: tuple[str, ...]
    status: int | None = None


@contextmanager
def opened(deck: Deck, drafted: Drafted, consent: Consent) -> Iterator[Opened]:
    """The argv to run, once the rules are met and the opening is on record; its end is recorded too.

    Raises:
        Refused: A rule says no. Audited.
        NeedsPerson: The consent is less than the rules ask for. Audited.
        PlanStale: The plan is too old or not the one that was shown.
        StateBroken: The audit cannot be written, so nothing opens.
    """
    plan = drafted.plan
    road.check_shown(drafted)
    try:
        decision = guard.admit(road.judge(deck, plan), consent)
    except OndeckError as error:
        road.audit_refusal(deck, drafted, consent, error)
        raise
    shell = Opened(argv=plan.draft.commands[0].argv)
    _note(
        deck,
        drafted,
        decision=decision,
        reason=consent.reason,
        text="; ".join(filter(None, ("opened", deck.settings.rules_from))),
    )
    try:
        yield shell
    finally:
        _note(deck, drafted, text="closed" if shell.status is None else f"closed, status {shell.status}")


def _note(deck: Deck, drafted: Drafted, *, text: str, decision: str = "", reason: str = "") -> None:
    request = drafted.plan.request
    deck.record.audit.append(
        "shell",
        actor=deck.settings.actor,
        uid=os.getuid(),
        ssh=os.environ.get("SSH_CLIENT", ""),
        operation=request.operation,
        subject=request.targets[0],
        env=request.env,
        plan=drafted.digest,
        decision=decision,
        reason=reason,
        text=text,
    )
