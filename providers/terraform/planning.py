"""From a request to a draft: the program's own plan, kept as a file, and what it says."""

from __future__ import annotations

import asyncio
import secrets
import time
from pathlib import Path

import msgspec

from ondeck.bench import Bench
from ondeck.counting import counted
from ondeck.errors import Refused, RemoteFailed
from ondeck.job.plan import Action, Batch, Change, Command, Draft, Preflight, Request, RolloutPlan
from ondeck.job.spec import Risk
from ondeck.reach.checkout import freshness
from ondeck.times import ago
from providers.terraform import planfile
from providers.terraform import state as states
from providers.terraform.holder import created
from providers.terraform.params import ApplyParams, DestroyParams, PlanParams
from providers.terraform.planfile import Counts
from providers.terraform.program import words_of
from providers.terraform.state import Seen
from providers.terraform.stream import LockInfo, Reader, read_all
from providers.terraform.work import Ready, Work, file_sum, preconditions, set_up

_ERRORS = 8 << 20


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """What a look for drift found, and when (ns)."""

    at: int
    counts: Counts = Counts()
    addresses: tuple[str, ...] = ()


class RefusedBy(msgspec.Struct, frozen=True, kw_only=True):
    """The lock that kept us out, and when that was (ns)."""

    at: int
    lock: LockInfo


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """The program's plan, read."""

    file: Path
    sum: str
    changes: tuple[Change, ...]
    counts: Counts
    warnings: tuple[str, ...]


def lock_of(stack: str, env: str) -> str:
    """What nobody else may change meanwhile."""
    return f"stack {stack}@{env}"


def one_target(stack: str) -> RolloutPlan:
    """A stack is one target."""
    return RolloutPlan(batches=(Batch(targets=(stack,)),))


async def plan_only(request: Request, params: PlanParams, bench: Bench) -> Draft:
    """`stack.plan`: what apply would do, or what changed outside; it changes nothing."""
    stack = request.subject
    ready = await set_up(bench, stack, await bench.here(), ref=params.ref)
    seen = (await ready.state()).seen
    extra = [f"-target={address}" for address in params.only]
    extra += ["-refresh-only"] if params.drift else []
    extra += ["-destroy"] if params.destroy else []
    extra += ["-lock=false"] if params.unlocked else []
    planned = await _planned(ready, stack, extra, drift=params.drift)
    planned.file.unlink(missing_ok=True)
    words = _drift_words(planned.counts) if params.drift else planned.counts.words()
    warnings = (*_warnings(ready), *planned.warnings)
    return Draft(
        summary=f"plan of {ready.pinned.label()}: {words}",
        risk=Risk.READ,
        changes=planned.changes or (_nothing(stack),),
        commands=(Command(target=stack, argv=(ready.program.binary, "plan", *extra), note="a read"),),
        rollout=one_target(stack),
        lock_key="",
        warnings=warnings,
        data=msgspec.to_builtins(_work(request, ready, seen, counts=planned.counts)),
    )


def _drift_words(counts: Counts) -> str:
    return "nothing changed outside" if not counts.total else f"{counts.total} changed outside"


async def plan_apply(request: Request, params: ApplyParams, bench: Bench) -> Draft:
    """`stack.apply`: exactly the plan file that this makes is what will be applied."""
    extra = [f"-target={address}" for address in params.only]
    extra += [f"-replace={address}" for address in params.replace]
    extra += ["-refresh-only"] if params.drift else []
    return await _to_apply(request, bench, extra, ref=params.ref, drift=params.drift)


async def plan_destroy(request: Request, params: DestroyParams, bench: Bench) -> Draft:
    """`stack.destroy`: as apply, of a plan that destroys."""
    extra = ["-destroy", *(f"-target={address}" for address in params.only)]
    return await _to_apply(request, bench, extra)


async def _to_apply(
    request: Request, bench: Bench, extra: list[str], *, ref: str = "", drift: bool = False
) -> Draft:
    stack = request.subject
    ready = await set_up(bench, stack, await bench.here(), ref=ref)
    seen = (await ready.state()).seen
    planned = await _planned(ready, stack, extra, drift=drift)
    work = _work(request, ready, seen, counts=planned.counts, plan=str(planned.file), sum=planned.sum)
    destroyed = planned.counts.destroyed
    destroys = request.operation == "stack.destroy"
    argv = apply_argv(ready, planned.file)
    return Draft(
        summary=f"{ready.pinned.label()}: {planned.counts.words()}",
        risk=Risk.DESTROY if destroys else Risk.CHANGE,
        changes=planned.changes or (_nothing(stack),),
        commands=(Command(target=stack, argv=tuple(argv), note="detached, exactly this plan file"),),
        preconditions=preconditions(work),
        preflight=_preflight(ready, seen),
        rollout=one_target(stack),
        lock_key=lock_of(stack, request.env),
        undo="irreversible"
        if destroyed
        else f"plan again at the commit before: --ref {ready.pinned.commit[:7]}~1",
        warnings=(*_warnings(ready), *planned.warnings),
        data=msgspec.to_builtins(work),
        secrets=tuple(ready.options.secret_env.values()),
        confirm=f"{stack} {destroyed}" if destroyed or destroys else "",
    )


def apply_argv(ready: Ready, plan: Path) -> list[str]:
    """The command that applies exactly one plan file."""
    words = [ready.program.binary, "apply", "-json", "-input=false", *ready.program.waiting()]
    if ready.options.parallelism:
        words.append(f"-parallelism={ready.options.parallelism}")
    return [*words, str(plan)]


def _work(request: Request, ready: Ready, seen: Seen, **more: object) -> Work:
    return Work(
        operation=request.operation,
        stack=request.subject,
        ref=ready.pinned.ref,
        commit=ready.pinned.commit,
        module=str(ready.module),
        seen=seen.label(),
        workspace=ready.options.workspace,
        version=ready.version,
        **more,  # type: ignore[arg-type]
    )


async def _planned(ready: Ready, stack: str, extra: list[str], *, drift: bool) -> Planned:
    """Run `plan` and read what it says.

    Raises:
        Refused: Somebody holds the lock of the state.
        RemoteFailed: It failed.
    """
    program = ready.program
    file = ready.folders.plans / f"{secrets.token_hex(8)}.tfplan"
    words = ["plan", "-json", "-input=false", "-detailed-exitcode", f"-out={file}", *program.waiting()]
    if ready.options.parallelism:
        words.append(f"-parallelism={ready.options.parallelism}")
    _tidy(ready, file)
    done = await program.run(ready.module, *words, *program.variables(), *extra, limit=256 << 20)
    reader = await asyncio.to_thread(read_all, done.stdout)
    if (lock := reader.lock) is not None:
        raise locked(ready, stack, lock)
    if done.status not in (0, 2) or not file.exists():
        raise RemoteFailed(f"plan of {stack}: {reader.trouble() or words_of(done)}")
    if "-lock=false" not in extra:
        ready.folders.refused.unlink(missing_ok=True)
    file.chmod(0o600)
    shown = await program.show(ready.module, file)
    return await asyncio.to_thread(_read, ready, stack, file, shown, reader, drift)


def _read(ready: Ready, stack: str, file: Path, shown: bytes, reader: Reader, drift: bool) -> Planned:
    plan = planfile.decoded(shown)
    drifted = planfile.drift_of(plan, stack)
    found = Drift(
        at=time.time_ns(),
        counts=planfile.counts_of(drifted),
        addresses=tuple(change.address for change in drifted[:50]),
    )
    states.write_private(ready.folders.drift, msgspec.json.encode(found))
    changes = drifted if drift else planfile.changes_of(plan, stack)
    return Planned(
        file=file,
        sum=file_sum(file),
        changes=changes,
        counts=planfile.counts_of(changes),
        warnings=tuple(warning.line() for warning in reader.warnings[:10]),
    )


def _tidy(ready: Ready, file: Path) -> None:
    """Plan files that nobody can start any more: a plan is good for an hour, and they hold values in clear."""
    for old in file.parent.glob("*.tfplan"):
        if time.time() - old.stat().st_mtime > 7200:
            old.unlink(missing_ok=True)


def locked(ready: Ready, stack: str, lock: LockInfo) -> Refused:
    """That somebody holds the lock, remembered for whoever looks at the stack."""
    found = RefusedBy(at=time.time_ns(), lock=lock)
    states.write_private(ready.folders.refused, msgspec.json.encode(found))
    return Refused(
        f"the state of {stack} is locked: {lock_words(lock)}",
        hint=f"wait for it; what it is: ondeck get stacks {stack}; break it: ondeck stack unlock {stack}",
    )


def lock_words(lock: LockInfo) -> str:
    """`apply by dave@bastion for 11m, id 7948284f-...`; what is not told is named as such."""
    what = lock.operation.removeprefix("OperationType").lower() or "something"
    since = created(lock)
    when = f" for {ago(since, time.time_ns())}" if since else ""
    return f"{what} by {lock.who or 'somebody it does not tell'}{when}, id {lock.id or '?'}"


def _nothing(stack: str) -> Change:
    return Change(action=Action.NO_OP, target=stack, address=stack)


def _warnings(ready: Ready) -> tuple[str, ...]:
    found = list(ready.pinned.warnings)
    if words := ready.program.own_state(Path(ready.pinned.top) / ready.pinned.module):
        found.append(words)
    waiting = ready.folders.errored()
    if waiting:
        found.append(
            f"{counted(len(waiting), 'state')} could not be saved and waits: {waiting[0]}; "
            f"push it first: ondeck stack push {ready.program.stack.name}"
        )
    if ready.program.unpinned(ready.module):
        found.append("no .terraform.lock.hcl in the commit: versions of providers are not pinned")
    return tuple(found)


def _preflight(ready: Ready, seen: Seen) -> tuple[Preflight, ...]:
    tainted = seen.tainted()
    rows = [
        Preflight(
            name="state",
            ok=1,
            note=f"{seen.label()}, {ready.backend.words()}, workspace {ready.options.workspace}",
        ),
        Preflight(name="program", ok=1, note=f"{ready.program.binary} {ready.version}"),
    ]
    if words := freshness(ready.pinned):
        rows.append(Preflight(name="commit", ok=1, note=words))
    if tainted:
        rows.append(Preflight(name="whole", bad=len(tainted), note=f"tainted: {', '.join(tainted[:5])}"))
    return tuple(rows)
