"""From a survey to a draft: what every way of deploying says in the same words and does in the same order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TypeVar

import msgspec

from ondeck import counting
from ondeck.bench import Bench
from ondeck.errors import BadInput, Refused
from ondeck.inventory.model import Host, Migration
from ondeck.job.plan import Action, Change, Command, Draft, Precondition, Preflight, Request, RolloutPlan
from ondeck.job.spec import Params, Risk
from ondeck.observe.health import declared
from ondeck.operate.batches import apart, batches, share_for
from ondeck.operate.deploys.state import labelled
from ondeck.operate.deploys.survey import Survey, preflight, unread_signals
from ondeck.operate.deploys.work import Work
from ondeck.operate.wayback import Release

P = TypeVar("P", bound=Params)

ROLLBACK = "service.rollback"
FACT = "release running"


def params_of(request: Request, kind: type[P]) -> P:
    """Parameters of a request, checked.

    Raises:
        BadInput: One is wrong.
    """
    try:
        return msgspec.convert(request.params, kind, strict=False)
    except msgspec.ValidationError as error:
        raise BadInput(f"{request.operation}: {error}") from error


def included(found: Survey, leave_out: bool) -> tuple[list[Host], dict[str, str]]:
    """Hosts that take part, and why the others do not.

    Raises:
        Refused: Some could not be asked and may not be left out.
    """
    lost = found.lost()
    if lost and not leave_out:
        names = ", ".join(f"{host} ({error})" for host, error in lost.items())
        raise Refused(
            f"{counting.counted(len(lost), 'host')} could not be asked: {names}",
            hint="allow them to be left out",
        )
    return found.answered(), {host: f"could not be asked: {error}" for host, error in lost.items()}


def runs_already(found: Survey, host: str, release: Release) -> bool:
    """Whether a host runs it already and nothing says that it is not healthy."""
    return found.state(host).release == release and found.seen[host].probe.ok is not False


def rollout_of(found: Survey, bench: Bench, hosts: list[Host], request: Request) -> RolloutPlan:
    """In which batches, in which order, behind which gate."""
    verb = request.operation.rpartition(".")[2]
    environment = bench.inventory.environments.get(found.env)
    sizes: Sequence[str] = found.deploy.batches
    sick = found.sick() if verb in ("rollback", "restart") else []
    if request.operation == ROLLBACK and sick and len(sizes) > 1:
        # The sick ones go first and say whether it helps: no other canary is waited for.
        sizes = [s for s in sizes if s != "1"] or sizes
    check = found.service.health
    gate = f"health {check.times}x in a row on every host" if check and declared(check) else ""
    if gate and (unread := unread_signals(found.service)):
        gate += f"; {unread}"
    return RolloutPlan(
        batches=batches(
            [h.name for h in hosts],
            sizes,
            first=sick,
            keep_apart=apart(hosts),
            share=share_for(environment, verb),
            of=len(found.members),
        ),
        gate="" if verb in ("drain", "undrain") else gate,
    )


def preconditions(found: Survey, hosts: list[Host]) -> tuple[Precondition, ...]:
    """What must still run when the change starts."""
    return tuple(Precondition(target=h.name, fact=FACT, expected=found.state(h.name).label()) for h in hosts)


def changes_of(found: Survey, hosts: list[Host], work: Work) -> tuple[Change, ...]:
    """One line a host, and one for each release that goes."""
    after = labelled(work.release.version, work.release.sha256)
    result = []
    for host in hosts:
        state = found.state(host.name)
        action = Action.NO_OP if host.name in work.unchanged else Action.UPDATE
        if not state.version:
            action = Action.CREATE
        result.append(
            Change(
                action=action,
                target=host.name,
                address=found.service.name,
                before=state.label(),
                after=after,
            )
        )
        result.extend(
            Change(action=Action.DELETE, target=host.name, address=f"release {gone}", before=gone)
            for gone in work.prune.get(host.name, ())
        )
    return tuple(result)


def summary_of(found: Survey, hosts: list[Host]) -> str:
    """What runs now: `2.15.0 9f3c1a`, or how mixed it is."""
    counts = Counter(found.state(h.name).label() for h in hosts)
    if len(counts) == 1:
        return next(iter(counts))
    return "mixed: " + ", ".join(f"{label} on {count}" for label, count in counts.most_common(3))


def _irreversible(found: Survey, names: Sequence[str]) -> list[str]:
    return [m.name for m in found.deploy.before if m.name in names and irreversible(m)]


def undo_of(found: Survey, work: Work) -> str:
    """How to take it back, or why that is not possible."""
    blocked = _irreversible(found, work.migrations)
    if blocked:
        return f"not by itself: {', '.join(blocked)} cannot be taken back"
    before = {r.version for r in work.before.values() if r.version}
    if len(before) == 1 and before != {work.release.version}:
        return f"ondeck rollback {found.name} --to {next(iter(before))}"
    return f"ondeck rollback {found.name}"


def warnings_of(found: Survey, *, back: bool = False, gated: bool = True) -> list[str]:
    """What whoever decides has to know."""
    result = []
    if not declared(found.service.health):
        result.append(f"{found.service.name} declares no health check: only exit statuses will be known")
    if gated and (unread := unread_signals(found.service)):
        by = "health" if declared(found.service.health) else "exit statuses"
        result.append(f"{unread}: this rollout is gated on {by} alone")
    once = _irreversible(found, [m.name for m in found.deploy.before])
    if back and once:
        result.append(f"{', '.join(once)} cannot be taken back: the older release meets what it left")
    drained = [h.name for h in found.answered() if found.state(h.name).drained]
    if drained:
        result.append(f"drained now: {', '.join(drained[:5])}; a successful change takes them back in")
    return result


def failing(found: Survey, release: Release) -> list[str]:
    """Said when the release that is wanted is sick where it runs already."""
    names = [
        h.name
        for h in found.answered()
        if found.state(h.name).release == release and found.seen[h.name].probe.ok is False
    ]
    return [f"{release.version} fails its health check now on {', '.join(names[:5])}"] if names else []


def all_out(found: Survey, rollout: RolloutPlan) -> list[str]:
    """Said when a batch drains every host at once: nothing serves until the first is back."""
    members = set(found.members)
    if not found.deploy.drain or len(members) < 2:
        return []
    at_once = rollout.parallel or len(members)
    whole = [n for n, batch in enumerate(rollout.batches, 1) if members <= set(batch.targets)]
    if not whole or at_once < len(members):
        return []
    return [f"batch {whole[0]} takes every host of {found.name} out of the traffic at once"]


def low_on_disk(rows: Sequence[Preflight]) -> list[str]:
    """Lines of the checklist that are worth a warning."""
    return [f"{row.name}: {row.note}" for row in rows if row.bad and row.name.startswith(("disk", "clock"))]


def irreversible(migration: Migration) -> bool:
    """Whether nothing takes it back: it says so, or names no way."""
    return migration.undo in ((), ("irreversible",))


def same_release(
    request: Request,
    found: Survey,
    bench: Bench,
    hosts: list[Host],
    left_out: dict[str, str],
    work: Work,
    commands: Iterable[Command],
    clock: bool = True,
) -> Draft:
    """The draft of a restart, a drain or an undrain: the release stays."""
    verb = request.operation.rpartition(".")[2]
    after = {"restart": "restarted", "drain": "out", "undrain": "in"}[verb]
    rollout = rollout_of(found, bench, hosts, request)
    warnings = list(warnings_of(found, gated=verb == "restart"))
    if verb == "restart":
        warnings += all_out(found, rollout)
    if verb == "drain" and {h.name for h in hosts} >= set(found.members):
        warnings.append(f"this takes every host of {found.name} out of the traffic")
    return Draft(
        summary=f"{verb} {found.service.name} on {len(hosts)} of {counting.counted(len(found.hosts), 'host')}",
        risk=Risk.CHANGE,
        changes=tuple(
            Change(
                action=Action.RUN,
                target=host.name,
                address=found.service.name,
                before=found.state(host.name).label(),
                after=after,
            )
            for host in hosts
        ),
        commands=tuple(commands),
        preconditions=preconditions(found, hosts),
        preflight=tuple(preflight(found, 0, clock=clock)),
        rollout=rollout,
        lock_key=found.name,
        undo={"drain": f"ondeck undrain {found.name}", "undrain": f"ondeck drain {found.name}"}.get(verb, ""),
        warnings=tuple(warnings),
        data=msgspec.to_builtins(work),
        left_out=left_out,
        lasting=verb == "drain",
        out=found.out() if verb == "drain" else (),
    )
