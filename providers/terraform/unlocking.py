"""Breaking the lock of a state: who holds it is found out first, and a holder that lives is never robbed.

The program's `force-unlock` of the `http` backend does not compare ids (seen with 1.11.4: it unlocks whatever
is there), and the `local` backend cannot be unlocked by it at all. So the id is compared here, twice: when the
plan is made and right before it is applied.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import msgspec

from ondeck.bench import Bench
from ondeck.errors import BadInput, OndeckError, Refused, RemoteFailed
from ondeck.job.finding import Finding
from ondeck.job.outcome import Outcome
from ondeck.job.plan import Action, Change, Draft, Precondition, Preflight, Request
from ondeck.job.spec import Risk
from ondeck.text import decode, safe_line
from ondeck.times import ago
from providers.terraform import holder
from providers.terraform.holder import Process
from providers.terraform.planning import lock_of, lock_words
from providers.terraform.program import words_of
from providers.terraform.stream import LOCKED, LockInfo, lock_info, unframed
from providers.terraform.surgery import draft_of, running_fact, work_of
from providers.terraform.work import Ready, Work, file_sum, set_up

FREE = "nobody holds it"


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A lock and what is known of its holder.

    Attributes:
        alive: None when nobody here can know.
        why: What says so.
        job: The ondeck job that the holder belongs to; empty when it is none of ours.
    """

    lock: LockInfo
    alive: bool | None
    why: str
    job: str = ""


def judge(lock: LockInfo, found: Process | None, *, here: bool, doubt: str = "") -> Held:
    """Whether the holder lives: its process on this machine, or that there is none, or that nobody can know.

    Args:
        lock: What is told of the lock.
        found: Its holder.
        here: It was taken on this machine.
        doubt: Why its holder may live though no process was found.
    """
    if found is not None:
        job = "-".join(found.attempt.split("-")[:3])  # an attempt's id begins with that of its job
        since = ago(int(found.started * 1e9), time.time_ns())
        why = f"pid {found.pid} of {found.user} runs here for {since}"
        return Held(
            lock=lock, alive=True, why=f"{why}, ondeck attempt {found.attempt}" if job else why, job=job
        )
    if doubt:
        return Held(lock=lock, alive=None, why=doubt)
    if here:
        return Held(lock=lock, alive=False, why="no such process runs on this machine, where it was taken")
    where = lock.who.rpartition("@")[2]
    return Held(
        lock=lock,
        alive=None,
        why=f"it was taken on {where}" if where else "it is not told where it was taken",
    )


async def look(ready: Ready, *, probe: bool) -> Held | None:
    """The lock as it is now; None when there is none.

    Args:
        ready: The stack.
        probe: Of a backend that tells of its lock only to who wants it: want it for a moment.

    Raises:
        RemoteFailed: It cannot be found out.
    """
    state = ready.backend.local_state(ready.options.workspace)
    if state is not None:
        return await asyncio.to_thread(_local, state)
    if not probe:
        return None
    lock = await _wanted(ready)
    return await asyncio.to_thread(of_process, ready, lock) if lock is not None else None


def _local(state: Path) -> Held | None:
    """The lock of a state that is a file: whether it is held the kernel says, whoever holds it."""
    info = holder.local_info(state)
    try:
        pid = holder.local_holder(state)
        shared = holder.is_shared(state)
    except OSError as error:
        raise RemoteFailed(
            f"cannot find out who holds the lock of {state}: {error.strerror or error}"
        ) from error
    if pid is None:
        if info is None:
            return None
        elsewhere = shared and not holder.is_here(info)
        doubt = "its file lies on a network file system, and a lock of another machine may not be seen"
        return judge(info, None, here=True, doubt=doubt if elsewhere else "")
    lock = info or LockInfo(id="?")
    # A number that a network file system tells is that of a process of whatever machine.
    known = pid and not (shared and not holder.is_here(lock))
    if known and (found := holder.process(pid)) is not None:
        return judge(lock, found, here=True)
    named = f"by pid {pid}, which is" if known else "by a process that is"
    return Held(lock=lock, alive=True, why=f"the kernel says it is locked {named} not seen from here")


def of_process(ready: Ready, lock: LockInfo) -> Held:
    """What is known here of the holder of a lock."""
    names = (Path(ready.program.binary).name, "terraform", "tofu")
    if holder.is_here(lock):
        found = holder.holder_here(lock, names)
        return judge(lock, found, here=True, doubt="" if found else holder.doubt(lock))
    if not lock.who:
        return judge(lock, holder.working_in(ready.folders.work, names), here=False)
    return judge(lock, None, here=False)


async def _wanted(ready: Ready) -> LockInfo | None:
    """Ask for the lock with a move that is not done: it touches no provider and lets go at once."""
    words = ["state", "mv", "-dry-run", "-lock-timeout=0s", "ondeck_probe.a", "ondeck_probe.b"]
    done = await ready.program.run(ready.module, *words)
    said = unframed(decode(done.stderr + done.stdout))
    if LOCKED not in said:
        if "ondeck_probe" in said or "No state file was found" in said or done.ok:
            return None
        raise RemoteFailed(f"cannot find out who holds the lock: {words_of(done)}")
    return lock_info(said) or LockInfo(id="?")


async def plan_unlock(request: Request, bench: Bench) -> Draft:
    """`stack.unlock`: what has to be typed is the lock's id.

    Raises:
        BadInput: Nobody holds it.
        Refused: Its holder lives on this machine.
    """
    stack = request.subject
    ready = await set_up(bench, stack, await bench.here())
    held = await look(ready, probe=True)
    if held is None:
        ready.folders.refused.unlink(missing_ok=True)
        raise BadInput(f"the state of {stack} is not locked: {FREE}")
    if held.alive:
        raise Refused(
            f"the lock of {stack} is held by a process that lives: {held.why} ({lock_words(held.lock)})",
            hint=f"let it come to its end, or stop it: ondeck cancel {held.job}"
            if held.job
            else "let it come to its end, or have it stopped by who started it",
        )
    seen = (await ready.state()).seen
    state = ready.backend.local_state(ready.options.workspace)
    words = ["force-unlock", "-force", held.lock.id]
    work = msgspec.structs.replace(work_of(request, ready, seen, words), lock=held.lock.id)
    change = Change(
        action=Action.DELETE, target=stack, address="lock", before=lock_words(held.lock), after="free"
    )
    draft = draft_of(
        request,
        ready,
        work,
        change,
        risk=Risk.DESTROY,
        summary=f"break the lock {held.lock.id}: {held.why}",
        lock_key=f"lock of {lock_of(stack, request.env)}",
        undo="irreversible",
        preconditions=(_fact(stack, held),),
        confirm=held.lock.id,
        preflight=(_row(held),),
    )
    if state is None:
        return draft
    # What is left of a local lock is a file that only tells who it was.
    info = state.parent / f".{state.name}.lock.info"
    command = msgspec.structs.replace(draft.commands[0], argv=("rm", "-f", "--", str(info)))
    return msgspec.structs.replace(draft, commands=(command,))


def _row(held: Held) -> Preflight:
    if held.alive is None:
        return Preflight(name="holder is dead", unknown=1, note=f"cannot be known: {held.why}")
    return Preflight(name="holder is dead", ok=1, note=held.why)


def _fact(stack: str, held: Held | None) -> Precondition:
    said = FREE
    if held is not None:
        said = f"{held.lock.id}, holder {'lives' if held.alive else 'dead' if held.alive is False else 'not known'}"
    return Precondition(target=stack, fact="lock", expected=said)


async def seen_after(ready: Ready, work: Work) -> Finding:
    """What became of the lock, after the command that breaks it ended with 0."""
    try:
        held = await look(ready, probe=True)
    except (OndeckError, TimeoutError) as error:
        said = error.message if isinstance(error, OndeckError) else "no answer in time"
        text = f"exit 0, but nobody saw whether the lock is gone: {safe_line(said)}"
        return Finding(outcome=Outcome.UNKNOWN, evidence=text, status=0)
    if held is None:
        await asyncio.to_thread(ready.folders.refused.unlink, missing_ok=True)
        return Finding(outcome=Outcome.SUCCEEDED, evidence=f"exit 0, looked afterwards: {FREE}", status=0)
    if held.lock.id == work.lock:
        text = f"exit 0, but the lock is still there: {lock_words(held.lock)}"
        return Finding(outcome=Outcome.FAILED, evidence=text, status=0)
    text = f"exit 0, lock {work.lock} is gone; another is there by now: {lock_words(held.lock)}"
    return Finding(outcome=Outcome.SUCCEEDED, evidence=text, status=0)


async def facts(ready: Ready, work: Work) -> tuple[Precondition, ...] | None:
    """The preconditions of an unlock as they are now; None for every other operation."""
    if work.operation != "stack.unlock":
        return None
    return (_fact(work.stack, await look(ready, probe=True)),)


async def more_facts(ready: Ready, work: Work) -> tuple[Precondition, ...]:
    """What a push reads again beside the rest."""
    if work.operation != "stack.push":
        return ()
    sum_now = await asyncio.to_thread(file_sum, Path(work.file))
    return (
        Precondition(target=work.stack, fact="sha256 of the state", expected=sum_now),
        await running_fact(ready),
    )
