"""The guard: may this plan start now, and what does it need first? Pure: rules, plan, actor and time in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from fnmatch import fnmatchcase

import msgspec

from ondeck.errors import BadInput, NeedsPerson, Refused
from ondeck.inventory.model import Inventory, Person, Protection
from ondeck.job.consent import Consent
from ondeck.job.plan import Plan
from ondeck.job.spec import Risk
from ondeck.operate import freeze
from ondeck.operate.policy import Rules, stricter

__all__ = ["Consent", "Ruling", "admit", "judge", "protection", "service_size"]

_DEFAULT = {Risk.READ: Protection.NONE, Risk.CHANGE: Protection.CONFIRM, Risk.DESTROY: Protection.TYPE_NAME}


class Ruling(msgspec.Struct, frozen=True, kw_only=True):
    """What the rules say about a plan, for this actor, now.

    Attributes:
        level: What is needed before it may start.
        refused: Why it may not start at all; empty when it may.
        type_this: What has to be typed where a name has to be typed.
        why: The rules behind it, one line each.
        break_glass: The actor may pass the two-person rule alone, with a reason.
    """

    level: Protection
    refused: str = ""
    type_this: str = ""
    why: tuple[str, ...] = ()
    break_glass: bool = False


def protection(rules: Rules, verb: str, risk: Risk) -> Protection:
    """The strongest answer of all rules: the verb's own word, else `destroy` for that risk, else `*`."""
    if risk is Risk.READ:
        return Protection.NONE
    level: Protection | None = None
    for words in rules.protections:
        keys = (verb, "destroy", "*") if risk is Risk.DESTROY else (verb, "*")
        found = next((words[key] for key in keys if key in words), None)
        if found is not None:
            level = found if level is None else stricter(level, found)
    return _DEFAULT[risk] if level is None else level


def judge(
    rules: Rules,
    plan: Plan,
    *,
    risk: Risk,
    person: Person | None,
    now: datetime,
    read_only: bool = False,
    size: int = 0,
) -> Ruling:
    """What the rules say.

    Args:
        rules: Of the plan's environment, with the floor laid under.
        plan: What would be done.
        risk: How dangerous it is, as `risk.risk_of` finds; what the plan says of itself is not believed.
        person: Who the inventory says the actor is; None when it knows nobody of that login.
        now: With a zone.
        read_only: This process was started read-only.
        size: Hosts of the service or environment that the plan is about; 0 when it is about neither.
    """
    verb = plan.request.operation.rpartition(".")[2]
    level = protection(rules, verb, risk)
    if risk is Risk.READ:
        return Ruling(level=level)
    where = f"{verb} in {rules.env}"
    why = [f"{where}: {level.value}"]
    if plan.draft.confirm and stricter(level, Protection.TYPE_NAME) is not level:
        level = Protection.TYPE_NAME
        why.append(f"this {verb} is always typed: {plan.draft.confirm}")
    glass = person is not None and any(team in rules.glass for team in person.teams)
    if level is Protection.TWO_PERSON:
        who = "you may: --break-glass --reason WHY" if glass else _who_may(rules, verb)
        why.append(f"approving from a second login is not there yet, only break-glass passes; {who}")
    refused = _refusals(rules, plan, verb, person=person, now=now, read_only=read_only, size=size)
    return Ruling(
        level=level,
        refused="; ".join(refused),
        type_this=_typed_name(plan) if level in (Protection.TYPE_NAME, Protection.TWO_PERSON) else "",
        why=tuple(why),
        break_glass=glass and level is Protection.TWO_PERSON,
    )


def _who_may(rules: Rules, verb: str) -> str:
    where = f"environments.{rules.env}"
    if rules.glass:
        return f"ask somebody of {', '.join(rules.glass)} to start it ({where}.break_glass.teams)"
    return f"nobody may here: change {where}.break_glass.teams or {where}.protection.{verb} in git"


def _typed_name(plan: Plan) -> str:
    """What the plan itself wants typed, else the environment's name: it is what a tired person mixes up.
    A single target outside a service by its own.
    """
    if plan.draft.confirm:
        return plan.draft.confirm
    if "@" in plan.request.subject:
        return plan.request.env
    return plan.targets[0] if len(plan.targets) == 1 else plan.request.env


def _refusals(
    rules: Rules, plan: Plan, verb: str, *, person: Person | None, now: datetime, read_only: bool, size: int
) -> list[str]:
    env, operation = plan.request.env, plan.request.operation
    wanted = (f"{verb}@{env}", f"{operation}@{env}", f"{verb}:{plan.request.subject}")
    found = [*_read_only(rules, read_only=read_only), *_may_not(person, wanted)]
    found.extend(_frozen(rules, verb, now))
    found.extend(_too_many(rules, plan, verb, size))
    return found


def _read_only(rules: Rules, *, read_only: bool) -> list[str]:
    found = ["this session is read-only"] if read_only else []
    return [*found, "this bastion is read-only (policy floor)"] if rules.read_only else found


def _may_not(person: Person | None, wanted: tuple[str, ...]) -> list[str]:
    if person is None or not person.headless:
        return []
    if any(fnmatchcase(word, pattern) for word in wanted for pattern in person.may):
        return []
    return [f"{person.name} may only {', '.join(person.may) or 'nothing'} (people.{person.name}.may)"]


CHANGES_THERE = ("with-lock",)
"""Verbs besides operations by which something changes in an environment, so that a freeze holds them.

A mark tells what happened, a broken lock and an enrolled key change nothing there; what follows is judged itself.
"""


def allows(
    rules: Rules, verb: str, *, subject: str, person: Person | None, now: datetime, read_only: bool = False
) -> None:
    """Hold a verb that is no operation to the rules: `mark`, `trust`, `with-lock`, `lock-break`.

    Args:
        rules: Of the environment that it is about.
        verb: Its word in `may` and in the `except` of a freeze.
        subject: What it is about, e.g. `checkout@prod`.
        person: Who the inventory says the actor is; None when it knows nobody of that login.
        now: With a zone.
        read_only: This process was started read-only.

    Raises:
        Refused: A rule says no.
    """
    found = _read_only(rules, read_only=read_only)
    found += _may_not(person, (verb, f"{verb}@{rules.env}", f"{verb}:{subject}"))
    if verb in CHANGES_THERE:
        found += _frozen(rules, verb, now)
    if found:
        hint = "start without --read-only" if read_only else ""
        raise Refused(f"{verb}: {'; '.join(found)}", hint=hint)


def _frozen(rules: Rules, verb: str, now: datetime) -> list[str]:
    if not rules.freezes:
        return []
    try:
        zone = freeze.zone_of(rules.zone)
        holding = [w for w in rules.freezes if verb not in w.excepted and freeze.holds(w, now, zone)]
    except BadInput as error:
        return [
            f"a freeze of {rules.env} cannot be understood, so nobody knows whether it holds: {error.message}"
        ]
    return [
        f"{rules.env} is frozen from {w.start} to {w.end} {rules.zone}{f' ({w.why})' if w.why else ''}"
        for w in holding
    ]


def may_plan(
    rules: Rules,
    operation: str,
    verb: str,
    *,
    subject: str,
    person: Person | None,
    now: datetime,
    read_only: bool = False,
) -> None:
    """Hold making a plan to the rules, where that already changes something there.

    Args:
        rules: Of the environment that it is about.
        operation: E.g. `cfnstack.deploy`.
        verb: Its word in the `except` of a freeze.
        subject: What it is about.
        person: Who the inventory says the actor is; None when it knows nobody of that login.
        now: With a zone.
        read_only: This process was started read-only.

    Raises:
        Refused: A rule says no.
    """
    wanted = (f"{verb}@{rules.env}", f"{operation}@{rules.env}", f"{verb}:{subject}")
    found = [*_read_only(rules, read_only=read_only), *_may_not(person, wanted), *_frozen(rules, verb, now)]
    if found:
        hint = "start without --read-only" if read_only else ""
        raise Refused(f"planning {operation} already changes something: {'; '.join(found)}", hint=hint)


def _too_many(rules: Rules, plan: Plan, verb: str, size: int) -> list[str]:
    if size <= 0:
        return []
    for limit in rules.limits:
        most = max(1, int(limit.share * size + 1e-9))
        if verb in limit.excepted or limit.share >= 1.0:
            continue
        if plan.draft.lasting:
            if said := _too_many_out(rules, plan, most, size, limit.share):
                return [said]
            continue
        for number, batch in enumerate(plan.draft.rollout.batches, start=1):
            if len(batch.targets) > most:
                return [
                    f"batch {number} touches {len(batch.targets)} of {size} hosts at once, "
                    f"{rules.env} allows {most} (max_targets {limit.share:.0%})"
                ]
    return []


def _too_many_out(rules: Rules, plan: Plan, most: int, size: int, share: float) -> str:
    already = sorted(set(plan.draft.out) - set(plan.targets))
    count = len(set(plan.targets)) + len(already)
    if count <= most:
        return ""
    those = f" (with {', '.join(already[:5])}, out already or not known)" if already else ""
    return (
        f"it leaves {count} of {size} hosts out of service at once{those}, {rules.env} allows {most} "
        f"(max_targets {share:.0%}): choose fewer with -l name=HOST, or undrain some first"
    )


def admit(ruling: Ruling, consent: Consent) -> str:
    """How this consent lets the plan start: `read`, `free`, `confirmed`, `typed` or `break-glass`.

    Raises:
        Refused: A rule says no, whatever anybody says.
        NeedsPerson: The consent is less than the rules ask for.
    """
    if ruling.refused:
        raise Refused(ruling.refused, hint="\n".join(ruling.why))
    match ruling.level:
        case Protection.NONE:
            return "confirmed" if consent.confirmed else "free"
        case Protection.CONFIRM:
            if consent.confirmed or consent.typed:
                return "confirmed"
            raise NeedsPerson("the rules want a yes before this starts", hint="\n".join(ruling.why))
        case Protection.TYPE_NAME:
            _check_typed(ruling, consent)
            return "typed"
        case Protection.TWO_PERSON:
            if not (ruling.break_glass and consent.break_glass):
                raise NeedsPerson("this takes two persons", hint="\n".join(ruling.why))
            if not consent.reason.strip():
                raise NeedsPerson("breaking the glass needs a reason", hint="--reason WHY")
            _check_typed(ruling, consent)
            return "break-glass"


def _check_typed(ruling: Ruling, consent: Consent) -> None:
    if consent.typed != ruling.type_this:
        raise NeedsPerson(
            f"{ruling.type_this!r} has to be typed before this starts", hint=f"--confirm {ruling.type_this}"
        )


def person_of(inventory: Inventory, login: str) -> Person | None:
    """Who the inventory says a login is; a login that several people share is nobody in particular."""
    found = [person for person in inventory.people.values() if person.login == login]
    return found[0] if len(found) == 1 else None


def service_size(inventory: Inventory, subject: str, targets: Sequence[str]) -> int:
    """What a share of `max_targets` is a share of.

    For a subject `name@env` the hosts of that service; for chosen hosts all hosts of their environment;
    0 when the targets are no hosts, because a stack or a cluster has no share.
    """
    name, at, env = subject.partition("@")
    service = inventory.services.get(name)
    if not at or service is None or env not in service.on:
        envs = {host.env for target in targets if (host := inventory.hosts.get(target)) is not None}
        return sum(host.env in envs for host in inventory.hosts.values())
    from ondeck.inventory.members import cluster_of, hosts_of

    if cluster_of(inventory, service, env) is not None:
        return 0
    return len({host.name for host in hosts_of(inventory, service, env)} | set(targets))
