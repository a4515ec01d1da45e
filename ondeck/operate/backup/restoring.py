"""Plans of `backup.restore` and `backup.drill`: where it goes, whether there is room, what is loaded and compared."""

from __future__ import annotations

import secrets

from ondeck.counting import counted
from ondeck.errors import BadInput, Refused, RemoteFailed
from ondeck.inventory.backups import BASTION
from ondeck.job import backups as specs
from ondeck.job.plan import Action, Change, Preflight
from ondeck.observe.backup_judging import in_bytes
from ondeck.observe.backups import Snapshot
from ondeck.operate.backup import comparing
from ondeck.operate.backup.places import link_to, reader_of
from ondeck.operate.backup.planning import Drawn, Table, chosen, shown
from ondeck.operate.backup.steps import INCOMPLETE, Step, Work
from ondeck.reach.ports import Link

SPARE = 1.1
"""Room that a restore needs, against what is restored."""

# The folder itself is not there yet: what it leads to, and the room there, is that of the nearest one above.
_ROOM = """p=$1
while [ ! -d "$p" ]; do p=${p%/*}; [ "$p" ] || p=/; done
r=$(cd -- "$p" && pwd -P) || exit
df -Pk -- "$p" | awk 'NR==2 {print $4}'
echo "$r"
"""


async def restore(at: Table, params: specs.RestoreParams) -> Drawn:
    """`backup.restore`.

    Raises:
        BadInput: The host or the folder is none that may be restored to.
        Refused: There is no room, or something is there already.
    """
    one = chosen(at, params.snapshot, params.before)
    host = _host(at, params.to)
    folder = params.path.rstrip("/") or "/" if params.path else await _own_folder(at, host, one)
    size, files = await at.engine.measure(at.reader, one)
    part = ", only " + ", ".join(params.include) if params.include else ""
    row = await _room(at, host, folder, 0 if params.include else size)
    step = Step(name="restore", host=host, argv=tuple(at.engine.restore(one, params.include)), into=folder)
    work = Work(
        operation=specs.RESTORE.name,
        backup=at.backup.name,
        reader=reader_of(at.backup, at.options),
        steps=(step,),
        snapshots=(one,),
        size=size,
        files=0 if params.include else files,
        folder=folder,
    )
    new = f"{counted(files, 'new entry', 'new entries')}, {in_bytes(size)}{part}; nothing is written over or deleted"
    return Drawn(
        work=work,
        summary=f"restore {one.short} of {at.backup.name} to {host}:{folder}",
        changes=(
            Change(
                action=Action.CREATE,
                target=at.backup.name,
                address=f"{host}:{folder}",
                before=shown(one, at.now),
                after=new,
            ),
        ),
        facts=(f"snapshot {one.key}", f"folder {host} {folder}", f"folder {host} {folder}{INCOMPLETE}"),
        preflight=(row,),
        warnings=_loss(at, one),
        undo=f"remove {folder} on {host}",
    )


async def _own_folder(at: Table, host: str, one: Snapshot) -> str:
    return f"{await _home(at, host)}/{at.backup.name}-{one.short}"


def _loss(at: Table, one: Snapshot) -> tuple[str, ...]:
    from ondeck import times

    lost = f"what was written after {times.iso(one.time)} is not in it: {times.ago(one.time, at.now)} of data"
    if at.look.damage is not None:
        return (lost, f"a check found damage: {at.look.damage.text}")
    return (lost,)


def _host(at: Table, named: str) -> str:
    """The host to restore on: its own, another of the same environment, or the one that drills use."""
    host = named or at.backup.host
    if host == BASTION:
        return host
    known = at.bench.inventory.hosts.get(host)
    if known is None:
        raise BadInput(f"no host {host!r} in the inventory")
    drill = at.options.prove.restore
    if known.env != at.request.env and (drill is None or drill.beside != host):
        said = (
            f"{host} is in {known.env}: data of {at.request.env} goes there only where the inventory says so"
        )
        raise BadInput(said, hint=f"backups.{at.backup.name}.prove.restore.beside")
    return host


async def _home(at: Table, host: str) -> str:
    """Where restores go when nobody says: a folder that nobody else can have made before."""
    if at.options.folder:
        return str(at.options.folder).rstrip("/")
    link = await link_to(at.bench, host)
    done = await link.run(["sh", "-c", 'printf %s "$HOME"'], become=at.setting.become)
    home = done.stdout.decode("utf-8", "replace")
    if not done.ok or not home.startswith("/"):
        raise RemoteFailed("it has no home folder to restore into", where=host)
    return f"{home.rstrip('/')}/.local/state/ondeck/restores"


async def _room(at: Table, host: str, folder: str, size: int) -> Preflight:
    """The room of the place, once it is a place that may be restored to."""
    if not folder.startswith("/") or ".." in folder.split("/") or folder.count("/") < 2:
        raise BadInput(
            f"{folder!r} is not a folder to restore into", hint="an absolute one, at least two deep"
        )
    link = await link_to(at.bench, host)
    room, real = await _asked(at, link, folder)
    if host == at.backup.host:
        _not_live(at, folder, real)
    needed = int(size * SPARE)
    note = f"{in_bytes(room)} free for {in_bytes(needed)}"
    if room < needed:
        raise Refused(f"no room for it in {folder} on {host}: {note}", hint="choose another folder: --path")
    return Preflight(name=f"room on {host}", ok=1, note=note)


async def _asked(at: Table, link: Link, folder: str) -> tuple[int, str]:
    done = await link.run(["sh", "-c", _ROOM, "sh", folder], become=at.setting.become)
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    if not done.ok or len(lines) < 2 or not lines[0].isdigit():
        raise RemoteFailed(f"the room for {folder} cannot be read", where=link.host)
    return int(lines[0]) << 10, lines[1]


def _not_live(at: Table, folder: str, real: str) -> None:
    for live in at.options.what.paths:
        path = live.rstrip("/")
        for place in (folder, real):
            if place == path or place.startswith(f"{path}/"):
                raise BadInput(
                    f"{folder} lies in {live}, which is what is backed up", hint="--path /elsewhere"
                )


async def drill(at: Table, params: specs.DrillParams) -> Drawn:
    """`backup.drill`.

    Raises:
        BadInput: The inventory says nothing of a drill.
        Refused: There is no room.
    """
    if at.options.prove.restore is None:
        hint = "prove: {restore: {beside: HOST, load: [...], compare: [...]}}"
        raise BadInput(f"backups.{at.backup.name} says nothing of a drill", hint=hint)
    one = chosen(at, params.snapshot, params.before)
    wanted = comparing.with_defaults(at.options)
    host, unique = wanted.beside, secrets.token_hex(4)
    folder = f"{await _home(at, host)}/drill-{at.backup.name}-{unique}"
    scratch = f"ondeck_drill_{unique}" if wanted.create else folder
    size, files = await at.engine.measure(at.reader, one)
    row = await _room(at, host, folder, size)
    remove = ("rm", "-rf", "--", folder, f"{folder}{INCOMPLETE}")
    steps = (
        Step(name="restore", host=host, argv=tuple(at.engine.restore(one, ())), into=folder),
        *comparing.steps(at.options, wanted, scratch=scratch, folder=folder, host=at.backup.host),
        Step(name="remove", host=host, argv=remove, tool=False, user=at.setting.user, always=True),
    )
    work = Work(
        operation=specs.DRILL.name,
        backup=at.backup.name,
        reader=reader_of(at.backup, at.options),
        steps=steps,
        snapshots=(one,),
        size=size,
        files=files,
        folder=folder,
    )
    what = f"{counted(files, 'entry', 'entries')}, {in_bytes(size)}, then {counted(len(wanted.compare), 'question')}"
    return Drawn(
        work=work,
        summary=f"drill {at.backup.name} with {one.short} on {host}",
        changes=(
            Change(
                action=Action.RUN,
                target=at.backup.name,
                address=f"{host}:{scratch}",
                before=shown(one, at.now),
                after=what,
            ),
        ),
        facts=(f"snapshot {one.key}", f"folder {host} {folder}"),
        preflight=(row,),
        undo=specs.DRILL.undo,
    )
