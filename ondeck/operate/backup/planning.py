"""Plans on a backup: reads the repository, chooses exact snapshots, and says what would run where."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from typing import Any

import msgspec

from ondeck import times
from ondeck.bench import Bench
from ondeck.counting import counted
from ondeck.errors import BadInput, NoMatch, Refused
from ondeck.inventory.model import Backup
from ondeck.job import backups as specs
from ondeck.job.plan import (
    Action,
    Batch,
    Change,
    Command,
    Draft,
    Precondition,
    Preflight,
    Request,
    RolloutPlan,
)
from ondeck.job.spec import Risk
from ondeck.observe.backup_judging import in_bytes, usual_size
from ondeck.observe.backups import BackupLook, Snapshot
from ondeck.operate.backup import facts
from ondeck.operate.backup.engine import Engine, Repository, Seat, Setting
from ondeck.operate.backup.places import backup_of, checked, reader_of, seat_at
from ondeck.operate.backup.reading import looked, one_of, promise_of
from ondeck.operate.backup.steps import Step, Work
from ondeck.text import safe_line


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that planning works with, read once.

    Attributes:
        own: The tool on the host that has the data.
        reader: The tool where the repository is read.
    """

    engine: Engine
    request: Request
    bench: Bench
    backup: Backup
    options: Any
    setting: Setting
    found: Repository
    look: BackupLook
    reader: Seat
    own: Seat

    @property
    def now(self) -> int:
        """The time, ns."""
        return time.time_ns()


class Drawn(msgspec.Struct, frozen=True, kw_only=True):
    """What one operation adds to the draft."""

    work: Work
    summary: str
    changes: tuple[Change, ...]
    facts: tuple[str, ...]
    preflight: tuple[Preflight, ...] = ()
    warnings: tuple[str, ...] = ()
    undo: str = "irreversible"
    risk: Risk = Risk.CHANGE
    confirm: str = ""


async def table(engine: Engine, request: Request, bench: Bench) -> Table:
    """Look at everything.

    Raises:
        BadInput: The inventory or the request is wrong.
        Unreachable, LinkLost, RemoteFailed, Missing: The repository cannot be read.
    """
    (name,) = request.targets
    backup = backup_of(bench, name)
    options = checked(bench, engine, backup)
    setting = engine.setting(options)
    reads = reader_of(backup, options)
    reader = await seat_at(bench, setting, reads)
    found = await engine.read(reader, options, backup)
    own = reader if reads == backup.host else await seat_at(bench, setting, backup.host)
    empty = BackupLook(
        name=name, env=request.env, engine=backup.engine, host=backup.host, promise=promise_of(options)
    )
    look = looked(empty, found, found.snapshots, bench)
    return Table(
        engine=engine,
        request=request,
        bench=bench,
        backup=backup,
        options=options,
        setting=setting,
        found=found,
        look=look,
        reader=reader,
        own=own,
    )


def chosen(at: Table, word: str, before: str) -> Snapshot:
    """The snapshot that is meant, resolved to an id now: `latest` may be another one tomorrow.

    Raises:
        NoMatch: There is none.
        BadInput: The time is none.
    """
    if word and before:
        raise BadInput("name a snapshot or a time, not both")
    if word:
        return one_of(at.look.snapshots, word)
    since = times.moment(before, what="before") if before else 0
    found = at.look.newest(at.now, since)
    if found is None:
        when = f" that began before {times.iso(since)}" if since else ""
        raise NoMatch(f"there is no snapshot of {at.backup.name}{when}")
    return found


def shown(snapshot: Snapshot, now: int) -> str:
    """A snapshot in a few words: `a1b2c3d4 1h04m old (01-31 03:00), restored, held`."""
    when, age = times.short(snapshot.time, now), times.ago(snapshot.time, now)
    return f"{snapshot.short} {age} old ({when}), {snapshot.proof.word}{', held' if snapshot.held else ''}"


async def draft(at: Table, drawn: Drawn) -> Draft:
    """The draft of it, with what it depends on as it is now.

    Raises:
        Refused: A snapshot or a folder is not as the plan needs it.
    """
    names = ("repository", *drawn.facts)
    now = await facts.values(names, at.found, at.own, at.bench, drawn.work.stay)
    name = at.backup.name
    return Draft(
        summary=drawn.summary,
        risk=drawn.risk,
        changes=drawn.changes,
        commands=tuple(_command(name, step, at.setting) for step in drawn.work.steps),
        preconditions=tuple(Precondition(target=name, fact=fact, expected=now[fact]) for fact in names),
        preflight=(*drawn.preflight, *_locks(at)),
        rollout=RolloutPlan(batches=(Batch(targets=(name,)),)),
        lock_key=f"backup.{name}",
        undo=drawn.undo,
        warnings=drawn.warnings,
        data=msgspec.to_builtins(drawn.work),
        secrets=tuple(dict.fromkeys(at.setting.secrets.values())),
        confirm=drawn.confirm,
        noun="backup",
    )


def _command(target: str, step: Step, setting: Setting) -> Command:
    note = [f"on {step.host}"]
    if step.source:
        by = f" as {step.source_user}" if step.source_user else ""
        note.append(f"saves the output of {safe_line(shlex.join(step.source))}{by}, if that ends with 0")
    if step.into:
        note.append(f"in {step.into}.INCOMPLETE, renamed when whole")
    if step.file:
        note.append(f"reads {step.file}")
    become = (setting.user if step.tool else step.user) or ""
    return Command(target=target, argv=step.argv, become=become, note=", ".join(note))


def _locks(at: Table) -> tuple[Preflight, ...]:
    """Locks of the tool in the repository: they are in the way of some operations."""
    if at.found.locks_error:
        return (Preflight(name="repository is not locked", unknown=1, note=at.found.locks_error),)
    rows = []
    for lock in at.found.locks:
        kind = "exclusively " if lock.exclusive else ""
        rows.append(Preflight(name="repository is not locked", bad=1, note=f"{kind}by {lock.text(at.now)}"))
    return tuple(rows)


# --- run, verify, hold, release, prune, unlock


async def run(at: Table) -> Drawn:
    """`backup.run`."""
    name, options, what = at.backup.name, at.options, at.options.what
    step = Step(
        name="backup",
        host=at.backup.host,
        argv=tuple(at.engine.backup(options, name, at.backup.host)),
        source=what.stdin,
        source_user=what.user,
        env=what.env if what.stdin else {},
    )
    newest, usual = at.look.newest(at.now), usual_size(at.look.of_now(at.now))
    before = f"newest {shown(newest, at.now)}" if newest else "none so far"
    source = shlex.join(what.stdin) if what.stdin else ", ".join(what.paths)
    expect = f"; usually {in_bytes(round(usual))}" if usual else ""
    change = Change(
        action=Action.CREATE, target=name, address="snapshot", before=before, after=safe_line(source) + expect
    )
    where = tuple(f"source {at.backup.host} {path}" for path in what.paths)
    work = Work(operation=specs.RUN.name, backup=name, reader=reader_of(at.backup, options), steps=(step,))
    drawn = Drawn(
        work=work,
        summary=f"run {name}: {safe_line(source)}",
        changes=(change,),
        facts=where,
        undo=f"ondeck backup forget {name} --snapshots ID",
    )
    return await _with_sources(at, drawn, where)


async def _with_sources(at: Table, drawn: Drawn, where: Sequence[str]) -> Drawn:
    now = await facts.values(where, at.found, at.own, at.bench)
    missing = [fact.split(" ", 2)[2] for fact, value in now.items() if value != facts.THERE]
    if missing:
        said = f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not there on {at.backup.host}"
        raise Refused(f"{said}: restic and others save the rest and call it a success")
    row = Preflight(name="sources are there", ok=len(now))
    return msgspec.structs.replace(drawn, preflight=(row, *drawn.preflight)) if now else drawn


async def verify(at: Table, params: specs.VerifyParams) -> Drawn:
    """`backup.verify`."""
    from ondeck.observe.proofs import recall

    name, of = at.backup.name, at.options.parts
    part = 0
    if params.part:
        part, of = _part(params.part)
    elif params.data:
        part = recall(at.bench.remembered, name).next_part(of)
    host = reader_of(at.backup, at.options)
    step = Step(name="check", host=host, argv=tuple(at.engine.check(part, of)))
    what = f"structure and data of part {part} of {of}" if part else "structure; no file's data is read"
    stay = tuple(s.key for s in at.look.snapshots)
    work = Work(
        operation=specs.VERIFY.name, backup=name, reader=host, steps=(step,), stay=stay, part=part, of=of
    )
    change = Change(
        action=Action.RUN, target=name, address="check", after=f"{what}, {counted(len(stay), 'snapshot')}"
    )
    return Drawn(
        work=work, summary=f"verify {name}: {what}", changes=(change,), facts=(), undo=specs.VERIFY.undo
    )


def _part(raw: str) -> tuple[int, int]:
    if raw == "all":
        return 1, 1
    part, _, of = raw.partition("/")
    if part.isdigit() and of.isdigit() and 1 <= int(part) <= int(of) <= 255:
        return int(part), int(of)
    raise BadInput(f"part {raw!r} is none", hint="write 3/28, or all")


async def hold(at: Table, params: specs.HoldParams) -> Drawn:
    """`backup.hold`."""
    if params.everything:
        wanted = list(at.look.snapshots)
    elif params.snapshots:
        wanted = [one_of(at.look.snapshots, word) for word in params.snapshots]
    else:
        wanted = [chosen(at, "", params.before)]
    return _marks(at, [s for s in wanted if not s.held], wanted, held=True)


async def release(at: Table, params: specs.ReleaseParams) -> Drawn:
    """`backup.release`."""
    held = [s for s in at.look.snapshots if s.held]
    wanted = [one_of(at.look.snapshots, word) for word in params.snapshots] if params.snapshots else held
    if not wanted:
        raise NoMatch(f"no snapshot of {at.backup.name} is held")
    return _marks(at, [s for s in wanted if s.held], wanted, held=False)


def _marks(at: Table, todo: Sequence[Snapshot], wanted: Sequence[Snapshot], *, held: bool) -> Drawn:
    name, tag, host = at.backup.name, at.options.keep.tags[0], reader_of(at.backup, at.options)
    word = "hold" if held else "release"
    if not todo:
        raise Refused(f"{', '.join(s.short for s in wanted)}: {'held already' if held else 'not held'}")
    make = at.engine.hold if held else at.engine.release
    steps = tuple(Step(name=f"{word} {s.short}", host=host, argv=tuple(make(s, tag))) for s in todo)
    changes = tuple(
        Change(
            action=Action.UPDATE,
            target=name,
            address=shown(s, at.now),
            before="held" if s.held else "not held",
            after="held" if held else "not held",
        )
        for s in todo
    )
    operation = (specs.HOLD if held else specs.RELEASE).name
    work = Work(operation=operation, backup=name, reader=host, steps=steps, snapshots=tuple(todo), tag=tag)
    elsewhere = (f"a forget by cron or others keeps it only with --keep-tag {tag}",) if held else ()
    return Drawn(
        work=work,
        summary=f"{word} {', '.join(s.short for s in todo)} of {name}",
        changes=changes,
        facts=tuple(f"mark {s.key}" for s in todo),
        warnings=elsewhere,
        undo=f"ondeck backup {'release' if held else 'hold'} {name} --snapshots {todo[0].short}",
    )


async def prune(at: Table) -> Drawn:
    """`backup.prune`."""
    name, host = at.backup.name, reader_of(at.backup, at.options)
    step = Step(name="prune", host=host, argv=tuple(at.engine.prune()))
    stay = tuple(s.key for s in at.look.snapshots)
    work = Work(operation=specs.PRUNE.name, backup=name, reader=host, steps=(step,), stay=stay)
    others = f", and {counted(at.look.others, 'snapshot')} of something else" if at.look.others else ""
    change = Change(
        action=Action.DELETE,
        target=name,
        address="data that no snapshot needs",
        after=f"{counted(len(stay), 'snapshot')} of it stay{others}",
    )
    return Drawn(
        work=work,
        summary=f"prune the repository of {name}",
        changes=(change,),
        facts=(),
        risk=Risk.DESTROY,
        warnings=("what was forgotten before is gone for good afterwards", "it needs room in the repository"),
    )


async def unlock(at: Table) -> Drawn:
    """`backup.unlock`."""
    name, host = at.backup.name, reader_of(at.backup, at.options)
    if at.found.locks_error:
        raise Refused(f"locks cannot be read: {at.found.locks_error}")
    if not at.found.locks:
        raise Refused(f"the repository of {name} is not locked")
    for lock in at.found.locks:
        if lock.alive is None:
            said = f"who holds it cannot be asked: {lock.text(at.now)}"
            raise Refused(
                said, hint=f"look for it on {lock.host}; name that host as repo.read_from to let it be asked"
            )
    dead = [lock for lock in at.found.locks if lock.alive is False]
    if not dead:
        raise Refused(
            f"who holds it lives: {at.found.locks[0].text(at.now)}", hint="wait for it, or end it there"
        )
    step = Step(name="unlock", host=host, argv=tuple(at.engine.unlock()))
    work = Work(
        operation=specs.UNLOCK.name, backup=name, reader=host, steps=(step,), locks=tuple(x.id for x in dead)
    )
    changes = tuple(
        Change(action=Action.DELETE, target=name, address=f"lock {lock.id[:8]}", before=lock.text(at.now))
        for lock in dead
    )
    return Drawn(
        work=work,
        summary=f"remove {counted(len(dead), 'lock')} of dead holders of {name}",
        changes=changes,
        facts=("locks",),
        undo=specs.UNLOCK.undo,
    )
