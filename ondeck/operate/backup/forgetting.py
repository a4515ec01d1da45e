"""Plan of `backup.forget`: exact ids with the reason of each, inside rails that no rule can leave."""

from __future__ import annotations

from collections.abc import Sequence

from ondeck.counting import counted
from ondeck.errors import BadInput, Refused
from ondeck.inventory.problems import Bad
from ondeck.inventory.values import percent
from ondeck.job import backups as specs
from ondeck.job.plan import Action, Change, Preflight
from ondeck.job.spec import Risk
from ondeck.observe.backups import BackupLook, Proof, Snapshot
from ondeck.operate.backup.places import reader_of
from ondeck.operate.backup.planning import Drawn, Table, shown
from ondeck.operate.backup.reading import one_of
from ondeck.operate.backup.steps import Step, Work


async def forget(at: Table, params: specs.ForgetParams) -> Drawn:
    """`backup.forget`.

    Raises:
        BadInput: There is no rule, or an id is none.
        Refused: A rail is in the way, or there is nothing to forget.
    """
    name, keep = at.backup.name, at.options.keep
    kept: dict[str, str] = {}
    preflight: tuple[Preflight, ...] = ()
    if params.snapshots:
        wanted = [one_of(at.look.snapshots, word) for word in params.snapshots]
        why = "named by hand"
    else:
        retention = await at.engine.retention(at.reader, at.options, at.backup)
        wanted = [s for s in at.look.snapshots if s.id in retention.remove]
        kept = {identity: ", ".join(reasons) for identity, reasons in retention.keep.items()}
        if retention.grouped:
            preflight = (Preflight(name="rules apply to", ok=1, note=retention.grouped),)
        rules = ", ".join(f"{period} {count}" for period, count in keep.rules().items())
        why = f"none of the rules keeps it: {', '.join(filter(None, (rules, keep.within)))}"
    share = keep.share
    if params.max_remove:
        try:
            share = percent(params.max_remove)
        except Bad as error:
            raise BadInput(f"max_remove: {error.message}") from error
    todo, spared = railed(at.look, wanted, at.now, least=keep.at_least, by_hand=bool(params.snapshots))
    if not todo:
        raise Refused(
            f"nothing of {name} is to be forgotten: {counted(len(at.look.snapshots), 'snapshot')} stay"
        )
    _share(at.look, todo, share)
    stay = tuple(s.key for s in at.look.snapshots if s not in todo)
    changes = [
        Change(action=Action.DELETE, target=name, address=shown(s, at.now), before="listed", after=why)
        for s in todo
    ]
    changes += [
        Change(action=Action.NO_OP, target=name, address=shown(s, at.now), after=f"kept: {reason}")
        for s, reason in spared.items()
    ]
    changes += [
        Change(
            action=Action.NO_OP,
            target=name,
            address=shown(s, at.now),
            after=f"kept: {kept.get(s.id) or 'not named'}",
        )
        for s in at.look.snapshots
        if s not in todo and s not in spared
    ]
    host = reader_of(at.backup, at.options)
    work = Work(
        operation=specs.FORGET.name,
        backup=name,
        reader=host,
        steps=(Step(name="forget", host=host, argv=tuple(at.engine.forget(todo))),),
        snapshots=tuple(todo),
        stay=stay,
    )
    of = len(at.look.snapshots)
    return Drawn(
        work=work,
        summary=f"forget {len(todo)} of {counted(of, 'snapshot')} of {name}",
        changes=tuple(changes),
        facts=(*(f"mark {s.key}" for s in todo), "kept"),
        preflight=preflight,
        risk=Risk.DESTROY,
        confirm=f"{name} {len(todo)}",
    )


def railed(
    look: BackupLook, wanted: Sequence[Snapshot], now: int, *, least: int, by_hand: bool
) -> tuple[list[Snapshot], dict[Snapshot, str]]:
    """What may go of what is wanted, and what is spared with why.

    Raises:
        Refused: By hand something was named that may not go.
    """
    best = look.proven(now)
    spared: dict[Snapshot, str] = {}
    for one in wanted:
        if one.held:
            spared[one] = "held"
        elif one is best and one.proof is not Proof.CREATED:
            spared[one] = f"the newest that is proven ({one.proof.word})"
        elif one is look.newest(now):
            spared[one] = "the newest"
    todo = [one for one in wanted if one not in spared]
    room = len(look.snapshots) - least
    for one in todo[: max(0, len(todo) - max(0, room))]:
        spared[one] = f"at least {least} have to stay"
    todo = [one for one in todo if one not in spared]
    if by_hand and spared:
        one, reason = next(iter(spared.items()))
        raise Refused(f"{one.short} may not be forgotten: {reason}")
    return todo, spared


def _share(look: BackupLook, todo: Sequence[Snapshot], share: float) -> None:
    of = len(look.snapshots)
    if len(todo) > share * of and len(todo) > 1:
        said = f"it would forget {len(todo)} of {of} snapshots, more than {share:.0%}"
        raise Refused(
            f"{said}: look whether its group or a rule changed", hint="--max-remove allows more once"
        )
