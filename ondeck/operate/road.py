"""The one road of every change, as a face walks it: draft a plan, judge it, start its job."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast

import msgspec

from ondeck.errors import BadInput, Missing, OndeckError, PlanStale, Refused
from ondeck.inventory import places
from ondeck.inventory.model import Protection
from ondeck.job import plan as plans
from ondeck.job.consent import Consent, Given
from ondeck.job.events import Mode
from ondeck.job.plan import PLAN_SECONDS, Draft, Plan, Request
from ondeck.job.spec import OperationSpec, Risk, TargetKind
from ondeck.operate import allowed, foresight, guard, launch, policy, seal, shelf
from ondeck.operate.asker import asker
from ondeck.operate.bench import FaceBench
from ondeck.operate.guard import Ruling
from ondeck.operate.naming import thing_of
from ondeck.operate.notify import route_of
from ondeck.operate.reconcile import lending, reconcile, settle, tend
from ondeck.operate.risk import risk_of, worse
from ondeck.operate.secrets import resolve
from ondeck.record import folder
from ondeck.record.jobfolder import JobFolder
from ondeck.registry import Manifest

if TYPE_CHECKING:
    from ondeck.bench import Bench
    from ondeck.deck import Deck

__all__ = [
    "Drafted",
    "draft",
    "judge",
    "lending",
    "provider_of",
    "reconcile",
    "settle",
    "start",
    "stored_plan",
    "tend",
]


class Drafted(msgspec.Struct, frozen=True, kw_only=True):
    """A plan as it was stored: what is confirmed is the digest of these bytes."""

    plan: Plan
    stored: bytes
    digest: str
    path: Path


def provider_of(deck: Deck, request: Request) -> tuple[OperationSpec, Manifest]:
    """Who plans and applies a request: for a service the provider of its `deploy.kind`, for a place that of its kind.

    Raises:
        BadInput: No such operation, or the service says nothing of how it is deployed.
        Missing: No installed provider serves the kind.
    """
    known = deck.registry.operations()
    if request.operation not in known:
        from difflib import get_close_matches

        near = ", ".join(get_close_matches(request.operation, known, n=3))
        raise BadInput(
            f"no operation {request.operation!r}", hint=f"near: {near}" if near else "see: ondeck --help"
        )
    spec, manifest = known[request.operation]
    named = _kind_of(deck, spec, request)
    if named is None:
        return spec, manifest
    field, kind = named
    serving = deck.registry.serving(field, kind)
    own = {each.name: each for each in serving.operations}
    if request.operation not in own:
        raise BadInput(f"{field.replace('.', ' ')} {kind!r} has no {request.operation}")
    return own[request.operation], serving


def _kind_of(deck: Deck, spec: OperationSpec, request: Request) -> tuple[str, str] | None:
    """By which field and kind the provider is chosen; None where one provider serves them all."""
    if spec.target is TargetKind.HOSTS:
        return None
    if spec.target is TargetKind.SERVICE:
        service = deck.inventory.services.get(request.subject.partition("@")[0])
        return None if service is None or service.deploy is None else ("deploy.kind", service.deploy.kind)
    section = spec.target.section
    place = places.find(deck.inventory, section, thing_of(request.targets[0])[0])
    return places.FIELDS[section], places.kind_of(place)


async def _draft(
    deck: Deck, spec: OperationSpec, manifest: Manifest, request: Request, bench: Bench | None
) -> Draft:
    if spec.interactive:
        from ondeck.operate import interactive

        return interactive.draft_of(deck, spec, request)
    operator = deck.registry.load(manifest.name, "operator")
    if bench is not None:
        return cast(Draft, await operator.plan(request, bench))
    own = FaceBench(deck)
    try:
        return cast(Draft, await operator.plan(request, own))
    finally:
        await own.aclose()


async def draft(deck: Deck, request: Request, bench: Bench | None = None) -> Drafted:
    """Look and store exactly what would happen; valid for an hour.

    It only reads, except where the operation says that planning writes: then it is held to the rules first.

    Args:
        deck: Where we stand.
        request: With exact targets of one environment.
        bench: The caller's bench with its connections; without one a bench is made and closed again.

    Raises:
        BadInput: The request makes no sense.
        Refused: Planning writes, and a rule says no. Audited.
        Unreachable: No target could be asked.
        StateBroken: The plan cannot be stored.
    """
    spec, manifest = provider_of(deck, request)
    if spec.planning_writes:
        await asyncio.to_thread(allowed.planning, deck, spec, request)
    drafted = await _draft(deck, spec, manifest, request, bench)
    drafted = await asyncio.to_thread(foresight.with_record, deck.record, request, drafted)
    if worse(drafted.risk, spec.risk) is not spec.risk:
        raise BadInput(
            f"{manifest.name} drafted a {drafted.risk.value} for {spec.name}, which is a {spec.risk.value}"
        )
    root = folder.ensure(deck.record.plans_root)
    shelf.sweep(deck.record)
    plan = Plan(
        id="",
        request=request,
        title=spec.title,
        provider=manifest.name,
        draft=drafted,
        inventory=seal.keep(folder.ensure(deck.record.inventories_root), deck.inventory),
        policy=policy.digest(deck.inventory, policy.floor_of(deck.settings), request.env),
        made=time.time_ns(),
    )
    _check_targets(plan)
    return _store(root, plan)


def _check_targets(plan: Plan) -> None:
    targets = plan.targets
    if not targets:
        left = "; ".join(f"{t}: {why}" for t, why in sorted(plan.draft.left_out.items())[:5])
        raise BadInput("there is nothing to do: no target is left in the plan", hint=left)
    if len(set(targets)) != len(targets):
        raise BadInput("a target stands twice in the plan's batches")
    if strange := sorted(set(targets) - set(plan.request.targets)):
        raise BadInput(f"the plan touches targets that were not asked for: {', '.join(strange[:5])}")


def _store(root: Path, plan: Plan) -> Drafted:
    # Sealed as it reads back: JSON knows no tuples in free data.
    plan = plans.sealed(plans.decode(plans.encode(plan)))
    stored = plans.encode(plan)
    path = root / f"{plan.id}.json"
    folder.write_new(path, stored, durable=False)
    return Drafted(plan=plan, stored=stored, digest=plans.digest(stored), path=path)


def stored_plan(deck: Deck, name: str) -> Drafted:
    """A plan that was drafted before, by its id.

    Raises:
        BadInput: There is no such plan.
        PlanStale: It is older than an hour, was started already, its bytes are not those that its id was
            given for, or the inventory changed in what it stands on.
    """
    path = deck.record.plans_root / f"{name}.json"
    if not name.isalnum() or not path.exists():
        raise BadInput(f"no plan {name!r}", hint="plans are kept for an hour, for who made them")
    stored = folder.read_private(path)
    try:
        plan, whole = plans.decode(stored), plans.is_sealed(stored)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} is no plan: {error}") from error
    if plan.id != name or not whole:
        raise _not_shown()
    _check_age(plan)
    _check_unused(plan, path)
    seal.check(plan, seal.kept(deck.record.inventories_root, plan), deck.inventory)
    return Drafted(plan=plan, stored=stored, digest=plans.digest(stored), path=path)


def check_shown(drafted: Drafted) -> None:
    """Hold a plan to what was shown.

    Raises:
        PlanStale: It is older than an hour, or its bytes are not those that were shown.
    """
    _check_age(drafted.plan)
    whole = plans.digest(drafted.stored) == drafted.digest and plans.is_sealed(drafted.stored)
    if not whole or plans.decode(drafted.stored) != drafted.plan:
        raise _not_shown()


def _not_shown() -> PlanStale:
    return PlanStale("the plan's bytes are not those that were shown", hint="plan again")


def _check_age(plan: Plan) -> None:
    age = (time.time_ns() - plan.made) / 1e9
    if not -60 <= age <= PLAN_SECONDS:
        raise PlanStale(
            f"plan {plan.id} is {age / 60:.0f} minutes old, plans are valid for an hour", hint="plan again"
        )


def judge(deck: Deck, plan: Plan, *, actor: str = "", now: datetime | None = None) -> Ruling:
    """What the rules say about this plan now, for us or for an actor."""
    try:
        rules = policy.rules_of(deck.inventory, policy.floor_of(deck.settings), plan.request.env)
        size = guard.service_size(deck.inventory, plan.request.subject, plan.targets)
        risk = risk_of(deck.registry, deck.inventory, plan)
    except (Refused, BadInput, Missing) as error:
        return Ruling(
            level=Protection.TYPE_NAME, refused=error.message, why=(error.hint,) if error.hint else ()
        )
    return guard.judge(
        rules,
        plan,
        risk=risk,
        person=guard.person_of(deck.inventory, actor or deck.settings.actor),
        now=now or datetime.now(UTC),
        read_only=deck.settings.read_only,
        size=size,
    )


def start(deck: Deck, drafted: Drafted, consent: Consent, *, lock_wait: float = 0.0) -> str:
    """Start the job of a stored plan in a process of its own; returns the job's id at once.

    Args:
        deck: Where we stand.
        drafted: What was shown and confirmed.
        consent: What the person gave.
        lock_wait: Seconds to wait for the lock; 0 ends the job at once when somebody holds it.

    Raises:
        Refused: A rule says no. Audited.
        NeedsPerson: The consent is less than the rules ask for. Audited.
        PlanStale: The plan is too old, was started already, its bytes are not those that were shown, or the
            inventory changed in what it stands on. The last is audited.
        Missing: A secret is not there.
        StateBroken: The job or the audit cannot be written; nothing was started.
    """
    plan = drafted.plan
    check_shown(drafted)
    _check_unused(plan, drafted.path)
    inventory = _sealed(deck, drafted, consent)
    if provider_of(deck, plan.request)[0].interactive:
        raise BadInput(
            f"{plan.title}: this needs your terminal and cannot run as a job", hint="ondeck shell HOST"
        )
    rules_now = policy.digest(deck.inventory, policy.floor_of(deck.settings), plan.request.env)
    try:
        decision = guard.admit(judge(deck, plan), consent)
        if rules_now != plan.policy:
            raise Refused("the rules changed since the plan was made", hint="plan again")
    except OndeckError as error:
        audit_refusal(deck, drafted, consent, error)
        raise
    if risk_of(deck.registry, deck.inventory, plan) is not Risk.READ:
        deck.record.audit.writable()
    found = resolve(deck, plan.draft.secrets)
    given = Given(
        plan=drafted.digest,
        policy=rules_now,
        actor=deck.settings.actor,
        consent=consent,
        decision=decision,
        made=time.time_ns(),
        lock_wait=lock_wait,
        **asker(),
    )
    at = _write_folder(deck, drafted, inventory, given)
    route = route_of(deck, plan.request.env)
    launch.spawn(at, deck.settings, Mode.RUN, found, deck.manifests, route)
    return at.id


def _sealed(deck: Deck, drafted: Drafted, consent: Consent) -> bytes:
    """The inventory that the job works with: the plan's own, as long as today's says the same of its hosts."""
    try:
        stored = seal.kept(deck.record.inventories_root, drafted.plan)
        seal.check(drafted.plan, stored, deck.inventory)
    except PlanStale as error:
        audit_refusal(deck, drafted, consent, error)
        raise
    return stored


def _write_folder(deck: Deck, drafted: Drafted, inventory: bytes, given: Given) -> JobFolder:
    """The job's folder; its plan belongs to it alone from then on."""
    mark = _mark(drafted.path)
    at = JobFolder.claim(folder.ensure(deck.record.jobs_root))
    try:
        if not folder.claim(mark, at.id.encode()):
            _check_unused(drafted.plan, drafted.path)
            raise PlanStale(f"plan {drafted.plan.id} is being started by somebody else", hint="plan again")
    except OndeckError:
        at.give_up()
        raise
    try:
        folder.write_new(at.plan, drafted.stored)
        shelf.put_inventory(deck.record, inventory, at.inventory)
        folder.write_new(at.given, msgspec.json.encode(given))
    except OndeckError:
        at.give_up()
        mark.unlink(missing_ok=True)
        raise
    return at


def _mark(plan: Path) -> Path:
    """Beside a plan stands which job it became."""
    return plan.with_suffix(".job")


def _check_unused(plan: Plan, path: Path) -> None:
    mark = _mark(path)
    if not mark.exists():
        return
    job = folder.read_private(mark, limit=64).decode("ascii", errors="replace")
    raise PlanStale(
        f"plan {plan.id} was started already, as job {job}", hint=f"ondeck attach {job}, or plan again"
    )


def audit_refusal(deck: Deck, drafted: Drafted, consent: Consent, error: OndeckError) -> None:
    """Record that a rule said no.

    Raises:
        StateBroken: The audit cannot be written.
    """
    request = drafted.plan.request
    deck.record.audit.append(
        "refused",
        actor=deck.settings.actor,
        **asker(),
        operation=request.operation,
        subject=request.subject,
        env=request.env,
        plan=drafted.digest,
        reason=consent.reason,
        text="; ".join(filter(None, (error.message, deck.settings.rules_from))),
    )
