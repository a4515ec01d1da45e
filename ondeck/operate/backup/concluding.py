"""What a job on a backup came to, by a look that is not the tool's own word; and what is remembered of it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import msgspec

from ondeck import times
from ondeck.bench import Bench
from ondeck.counting import counted
from ondeck.errors import RemoteFailed
from ondeck.job.finding import Finding
from ondeck.job.outcome import Outcome
from ondeck.observe.backup_judging import in_bytes
from ondeck.observe.backups import NS, LastRestore
from ondeck.observe.proofs import Proofs, recall
from ondeck.operate.backup import comparing
from ondeck.operate.backup.engine import Engine, Repository, Setting
from ondeck.operate.backup.places import link_to
from ondeck.operate.backup.steps import INCOMPLETE, Work
from ondeck.reach.ports import Become

_MEASURE = """cd -- "$1" || exit
find . ! -path . -print0 | tr -dc '\\0' | wc -c
find . -type f -exec stat -c %s {} + | awk '{s+=$1} END {printf "%.0f\\n", s}'
"""


class Ran(msgspec.Struct):
    """What was seen while it ran.

    Attributes:
        began: ns.
        status: Exit status of the step that failed; None when all ended with 0.
        damage: What a check found broken.
        late: It is looked at by who did not see it run: nothing was measured.
        seconds: By step, from the begin of all to its end.
        printed: By step, the end of its standard output and error.
    """

    began: int
    status: int | None = None
    damage: str = ""
    late: bool = False
    seconds: dict[str, float] = msgspec.field(default_factory=dict)
    printed: dict[str, tuple[bytes, bytes]] = msgspec.field(default_factory=dict)

    def took(self, step: str, out: bytes, err: bytes) -> None:
        """Keep what a step printed."""
        self.printed[step] = (out, err)


class Concluded(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen.

    Attributes:
        left: What a step that failed left behind; empty when nothing.
        seen: Something that it does is there, or half of it; None when that is not known.
        facts: What is remembered.
        lines: For the job's record.
    """

    finding: Finding
    left: str = ""
    seen: bool | None = False
    facts: dict[str, str] = {}
    lines: tuple[str, ...] = ()

    @classmethod
    def seen_nothing(cls, why: str) -> Concluded:
        """It failed, and what it left is not known."""
        return cls(finding=Finding(outcome=Outcome.FAILED, evidence=why), left=why, seen=None)


class _Case(msgspec.Struct, frozen=True):
    engine: Engine
    work: Work
    attempt: str
    ran: Ran
    found: Repository
    bench: Bench
    setting: Setting

    @property
    def proofs(self) -> Proofs:
        return recall(self.bench.remembered, self.work.backup)

    @property
    def when(self) -> int:
        return self.ran.began // NS


def _good(evidence: str) -> Finding:
    return Finding(outcome=Outcome.SUCCEEDED, evidence=evidence, status=0)


def _bad(evidence: str) -> Finding:
    return Finding(outcome=Outcome.FAILED, evidence=evidence)


async def conclude(
    engine: Engine, work: Work, attempt: str, ran: Ran, found: Repository, bench: Bench, setting: Setting
) -> Concluded:
    """See what a work came to.

    Raises:
        OndeckError: It could not be seen.
    """
    case = _Case(engine, work, attempt, ran, found, bench, setting)
    return await _OF[work.operation](case)


async def _run(case: _Case) -> Concluded:
    made = [s for s in case.found.snapshots if case.engine.made_by(s, case.attempt)]
    locks = _left_locks(case)
    if not made:
        left = f"no snapshot of it is listed{locks}"
        return Concluded(finding=_bad(f"it ended with 0, but {left}"), left=left, seen=bool(locks))
    one = made[0]
    size = await case.engine.measure(await _seat(case), one) if not case.ran.status else None
    words = f"snapshot {one.short} of {times.iso(one.time)} is listed"
    if size is not None:
        words += f", {in_bytes(size[0])} in {counted(size[1], 'entry', 'entries')}"
    if case.ran.status:
        return Concluded(
            finding=_bad(words), left=f"but {words}: it is not proven to be whole{locks}", seen=True
        )
    return Concluded(finding=_good(words))


def _left_locks(case: _Case) -> str:
    dead = [lock for lock in case.found.locks if lock.alive is False]
    if not dead:
        return ""
    return f"; a lock is left: {dead[0].text(case.ran.began)}: ondeck backup unlock {case.work.backup}"


async def _seat(case: _Case) -> Any:  # noqa: ANN401 - a Seat; imported here would be a circle
    from ondeck.operate.backup.places import seat_at

    return await seat_at(case.bench, case.setting, case.work.reader)


async def _verify(case: _Case) -> Concluded:
    work, proofs = case.work, case.proofs
    scope = f"part {work.part}/{work.of}" if work.part else "structure"
    if case.ran.damage:
        bad = proofs.damaged(case.when, f"{scope}: {case.ran.damage}")
        return Concluded(finding=_bad(case.ran.damage), facts=bad.facts(work.backup))
    if case.ran.status is not None:
        locks = _left_locks(case).lstrip("; ")
        return Concluded(finding=_bad("not verified"), left=locks, seen=bool(locks))
    seen = [s.key for s in case.found.snapshots if s.key in work.stay]
    proofs = proofs.seen(seen, case.when)
    said = f"structure of {counted(len(seen), 'snapshot')} is whole"
    if work.part:
        proofs = proofs.read(work.part, work.of, case.when)
        read = len(proofs.parts)
        said += (
            f"; data of part {work.part} of {work.of} was read and is whole, {read} of {work.of} parts so far"
        )
    else:
        said += "; no file's data was read"
    if proofs.damage is not None and _covers(proofs.damage.text, work):
        proofs = proofs.whole()
    return Concluded(finding=_good(said), facts=proofs.facts(work.backup))


def _covers(damage: str, work: Work) -> bool:
    """Whether a check without a finding is about what was damaged."""
    scope = damage.partition(":")[0]
    return scope == "structure" or (
        bool(work.part) and (work.of == 1 or scope == f"part {work.part}/{work.of}")
    )


async def _restore(case: _Case) -> Concluded:
    host, folder = case.work.steps[0].host, case.work.folder
    files, size = await _measured(case, host, folder)
    if files is None:
        staging = f"{folder}{INCOMPLETE}"
        there = (await _measured(case, host, staging))[0] is not None
        left = f"{staging} on {host} is not whole" if there else f"nothing is left on {host}"
        return Concluded(finding=_bad(f"{folder} is not there: {left}"), left=left, seen=there)
    if case.ran.status:
        return Concluded(finding=_bad("failed"), left=f"{folder} is there all the same", seen=True)
    said = f"{counted(files, 'entry', 'entries')}, {in_bytes(size)} in {folder} on {host}"
    wanted = case.work
    if wanted.files and (files < wanted.files or size < wanted.size):
        said += f": {wanted.files} with {in_bytes(wanted.size)} were to be there"
        return Concluded(finding=_bad(said))
    return Concluded(finding=_good(said), facts=_remembered(case, size, host, drilled=False))


async def _measured(case: _Case, host: str, folder: str) -> tuple[int | None, int]:
    link = await link_to(case.bench, host)
    become: Become | None = case.setting.become
    done = await link.run(["sh", "-c", _MEASURE, "sh", folder], become=become, timeout=600)
    words = done.stdout.split()
    if not done.ok or len(words) != 2:
        return None, 0
    return int(words[0]), int(words[1])


def _remembered(case: _Case, size: int, host: str, *, drilled: bool) -> dict[str, str]:
    """The facts of a restore that was seen from its begin; one that was found later has no measured time."""
    one = case.work.snapshots[0]
    seconds = max(case.ran.seconds.values(), default=0.0)
    if case.ran.late or (not drilled and not case.work.files):
        return {}
    last = LastRestore(case.ran.began, seconds, size, one.key, host, drilled)
    return case.proofs.restored(last).facts(case.work.backup)


async def _drill(case: _Case) -> Concluded:
    if case.ran.status:
        return Concluded(finding=_bad("failed"), left="")
    if case.ran.late:
        return Concluded(finding=_bad("its comparison was not seen"), left="")
    bad, lines = comparing.verdict(case.ran.printed)
    seconds = max(case.ran.seconds.values(), default=0.0)
    took = f"restored, loaded and compared in {times.length(seconds)}"
    if bad:
        return Concluded(finding=_bad(f"restored, but {bad}"), lines=lines)
    facts = _remembered(case, case.work.size, case.work.steps[0].host, drilled=True)
    return Concluded(
        finding=_good(f"{took}; {'; '.join(lines) or 'nothing to compare'}"), facts=facts, lines=lines
    )


async def _forget(case: _Case) -> Concluded:
    there = {s.key for s in case.found.snapshots}
    left = [s.short for s in case.work.snapshots if s.key in there]
    lost = [key[:8] for key in case.work.stay if key not in there]
    if lost:
        said = f"gone though it had to stay: {', '.join(lost)}"
        return Concluded(finding=_bad(said), left=said, seen=True)
    if left:
        half = len(left) < len(case.work.snapshots) or bool(_left_locks(case))
        said = f"{', '.join(left)} {'is' if len(left) == 1 else 'are'} still there"
        return Concluded(finding=_bad(said), left=said + _left_locks(case), seen=half)
    said = f"{counted(len(case.work.snapshots), 'snapshot')} forgotten, {len(case.found.snapshots)} listed"
    return Concluded(finding=_good(said), left=said, seen=True)


def _marked(held: bool) -> Callable[[_Case], Coroutine[Any, Any, Concluded]]:
    async def marked(case: _Case) -> Concluded:
        now = {s.key: s for s in case.found.snapshots}
        wrong = [s.short for s in case.work.snapshots if s.key not in now or now[s.key].held is not held]
        word = "held" if held else "released"
        if wrong:
            said = f"{', '.join(wrong)} not {word}"
            half = len(wrong) < len(case.work.snapshots) or bool(_left_locks(case))
            return Concluded(finding=_bad(said), left=said + _left_locks(case), seen=half)
        shorts = ", ".join(f"{s.short} is now {now[s.key].short}" for s in case.work.snapshots)
        return Concluded(finding=_good(f"{word}: {shorts}"), left=word, seen=True)

    return marked


async def _prune(case: _Case) -> Concluded:
    there = {s.key for s in case.found.snapshots}
    lost = [key[:8] for key in case.work.stay if key not in there]
    if lost:
        return Concluded(
            finding=_bad(f"gone afterwards: {', '.join(lost)}"), left=f"gone: {', '.join(lost)}", seen=True
        )
    said = f"{counted(len(there), 'snapshot')} listed afterwards"
    if case.ran.status:
        # How much of the data is removed already shows in no list.
        said += ", data may be removed in part: prune again"
    return Concluded(finding=_good(said), left=said + _left_locks(case), seen=True)


async def _unlock(case: _Case) -> Concluded:
    left = [lock for lock in case.found.locks if lock.id in case.work.locks]
    if left:
        said = f"still there: {left[0].text(case.ran.began)}"
        return Concluded(finding=_bad(said), left=said, seen=len(left) < len(case.work.locks))
    said = f"{counted(len(case.work.locks), 'lock')} of dead holders removed"
    return Concluded(finding=_good(said), left=said, seen=True)


_OF: dict[str, Callable[[_Case], Coroutine[Any, Any, Concluded]]] = {
    "backup.run": _run,
    "backup.verify": _verify,
    "backup.restore": _restore,
    "backup.drill": _drill,
    "backup.forget": _forget,
    "backup.hold": _marked(held=True),
    "backup.release": _marked(held=False),
    "backup.prune": _prune,
    "backup.unlock": _unlock,
}


def unknown_operation(name: str) -> RemoteFailed:
    """An operation that no engine has."""
    return RemoteFailed(f"{name} is no operation on a backup")
