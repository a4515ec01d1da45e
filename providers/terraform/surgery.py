"""Operations on the state alone: move, forget, import, push a state, and init; a copy is kept before each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from ondeck.bench import Bench
from ondeck.errors import BadInput, NoMatch, Refused
from ondeck.job.finding import Finding
from ondeck.job.outcome import Outcome
from ondeck.job.plan import Action, Change, Command, Draft, Precondition, Request
from ondeck.job.spec import Risk
from ondeck.operate.ports import Emit
from ondeck.reach.detached import Look, Stage
from ondeck.text import decode, safe_line
from providers.terraform import state as states
from providers.terraform.holder import attempt_in
from providers.terraform.params import AddressParams, ImportParams, InitParams, MoveParams, PushParams
from providers.terraform.planning import lock_of, lock_words, one_target
from providers.terraform.program import errors_in, words_of
from providers.terraform.progress import Progress
from providers.terraform.state import NO_STATE, Seen
from providers.terraform.stream import LOCKED, lock_info, unframed
from providers.terraform.work import Ready, Work, file_sum, preconditions, set_up

NO_RUN = "none"
Make = Callable[[Request, Bench], Awaitable[Draft]]


async def _ready(request: Request, bench: Bench) -> tuple[Ready, Seen]:
    ready = await set_up(bench, request.subject, await bench.here())
    return ready, (await ready.state()).seen


def work_of(request: Request, ready: Ready, seen: Seen, words: list[str], *, file: str = "") -> Work:
    """What apply has to know of an operation that has no plan file."""
    given = ready.program.vars_file()
    named = given is not None and f"-var-file={given}" in words
    return Work(
        operation=request.operation,
        stack=request.subject,
        ref=ready.pinned.ref,
        commit=ready.pinned.commit,
        module=str(ready.module),
        seen=seen.label(),
        workspace=ready.options.workspace,
        version=ready.version,
        words=tuple(words),
        file=file,
        vars=str(given) if named else "",
        vars_sum=file_sum(given) if given is not None and named else "",
    )


def draft_of(
    request: Request, ready: Ready, work: Work, change: Change, *, risk: Risk, summary: str, **more: object
) -> Draft:
    """A draft of one run of the program that changes the state."""
    stack = request.subject
    fields: dict[str, object] = {
        "lock_key": lock_of(stack, request.env),
        "undo": f"the state from before is kept in {ready.folders.states}: ondeck stack push {stack} --file COPY",
        "preconditions": preconditions(work),
        **more,
    }
    return Draft(
        summary=safe_line(summary),
        risk=risk,
        changes=(change,),
        commands=(Command(target=stack, argv=(ready.program.binary, *work.words), note="detached"),),
        rollout=one_target(stack),
        warnings=ready.pinned.warnings,
        data=msgspec.to_builtins(work),
        secrets=tuple(ready.options.secret_env.values()),
        **fields,  # type: ignore[arg-type]
    )


def _there(seen: Seen, address: str, stack: str) -> None:
    if address not in seen.resources:
        within = [name for name in seen.resources if name.startswith((f"{address}[", f"{address}."))]
        if not within:
            raise NoMatch(
                f"no resource {address!r} in the state of {stack}", hint=f"ondeck stack state {stack}"
            )


async def plan_move(request: Request, params: MoveParams, bench: Bench) -> Draft:
    """`stack.mv`: another address for what is there; nothing of it changes."""
    ready, seen = await _ready(request, bench)
    _there(seen, params.address, request.subject)
    if params.to in seen.resources:
        raise BadInput(f"{params.to!r} is in the state already")
    words = ["state", "mv", *ready.program.waiting(), params.address, params.to]
    change = Change(
        action=Action.UPDATE,
        target=request.subject,
        address=safe_line(params.address),
        before=safe_line(params.address),
        after=safe_line(params.to),
    )
    work = work_of(request, ready, seen, words)
    said = f"move {params.address} to {params.to}"
    return draft_of(request, ready, work, change, risk=Risk.CHANGE, summary=said)


async def plan_forget(request: Request, params: AddressParams, bench: Bench) -> Draft:
    """`stack.rm`: it leaves the state and stays in the world; nothing keeps it any more."""
    ready, seen = await _ready(request, bench)
    _there(seen, params.address, request.subject)
    words = ["state", "rm", *ready.program.waiting(), params.address]
    change = Change(
        action=Action.DELETE,
        target=request.subject,
        address=safe_line(params.address),
        before="in the state",
        after="there still, kept by nothing",
    )
    work = work_of(request, ready, seen, words)
    said = f"forget {params.address}: it is not destroyed"
    return draft_of(request, ready, work, change, risk=Risk.DESTROY, summary=said)


async def plan_import(request: Request, params: ImportParams, bench: Bench) -> Draft:
    """`stack.import`: what is there already comes into the state."""
    ready, seen = await _ready(request, bench)
    if params.address in seen.resources:
        raise BadInput(
            f"{params.address!r} is in the state already", hint=f"ondeck stack show {request.subject}"
        )
    program = ready.program
    words = ["import", "-input=false", "-no-color", *program.waiting(), *program.variables()]
    words += [params.address, params.id]
    change = Change(
        action=Action.CREATE,
        target=request.subject,
        address=safe_line(params.address),
        before="not in the state",
        after=safe_line(f"id {params.id}"),
    )
    work = work_of(request, ready, seen, words)
    said = f"import {params.id} as {params.address}"
    return draft_of(request, ready, work, change, risk=Risk.CHANGE, summary=said)


async def plan_push(request: Request, params: PushParams, bench: Bench) -> Draft:
    """`stack.push`: a state that could not be saved goes where it belongs.

    Raises:
        Refused: A run of ours works on this stack now.
        NoMatch: None waits, or there is no such file.
        BadInput: Several wait, or it is of another lineage.
    """
    ready, seen = await _ready(request, bench)
    busy = await running_fact(ready)
    if busy.expected != NO_RUN:
        raise Refused(
            f"the state of {request.subject} is worked on now: {busy.expected}",
            hint="let it come to its end, then plan the push again",
        )
    file = _which(ready, params.file)
    raw = await asyncio.to_thread(_bytes, file)
    pushed = states.seen_of(states.decoded(raw), time.time_ns())
    if seen.lineage and pushed.lineage != seen.lineage:
        raise BadInput(f"{file} is of another state: {pushed.label()}, stored is {seen.label()}")
    words = ["state", "push", *ready.program.waiting(), *(["-force"] if params.force else []), str(file)]
    work = work_of(request, ready, seen, words, file=str(file))
    change = Change(
        action=Action.UPDATE,
        target=request.subject,
        address="state",
        before=seen.label(),
        after=pushed.label(),
        diff="\n".join(_lines(states.between(seen, pushed))),
    )
    older = pushed.serial <= seen.serial
    summary = f"push {file.name}: {states.between(seen, pushed).words()}"
    draft = draft_of(
        request,
        ready,
        work,
        change,
        risk=Risk.DESTROY,
        summary=summary,
        # The apply that could not save it keeps the stack's own lock, because nobody knows how it ended. That
        # none runs now is a precondition instead.
        lock_key=f"state of {lock_of(request.subject, request.env)}",
    )
    fact = Precondition(target=request.subject, fact="sha256 of the state", expected=file_sum(file))
    warnings = list(draft.warnings)
    if older:
        force = "forced: " if params.force else "will be refused without --force: "
        warnings.append(f"{force}the stored state is not older ({seen.label()})")
    return msgspec.structs.replace(
        draft, preconditions=(*draft.preconditions, fact, busy), warnings=tuple(warnings)
    )


async def running_fact(ready: Ready) -> Precondition:
    """Whether a job of ours runs the program on this stack now, as a precondition."""
    found = await asyncio.to_thread(attempt_in, ready.folders.work)
    said = f"attempt {found.attempt} runs, pid {found.pid}" if found else NO_RUN
    return Precondition(target=ready.program.stack.name, fact="runs of ours", expected=said)


def _which(ready: Ready, named: str) -> Path:
    if named:
        file = Path(named).expanduser()
        if not file.is_absolute():
            file = ready.folders.states / named
        if not file.is_file():
            raise NoMatch(f"there is no file {file}")
        return file
    waiting = ready.folders.errored()
    if not waiting:
        raise NoMatch(
            f"no state of {ready.program.stack.name} waits to be pushed", hint="name one: --file COPY"
        )
    if len(waiting) > 1:
        raise BadInput("several states wait: say which", hint="\n".join(f"--file {path}" for path in waiting))
    return waiting[0]


def _bytes(file: Path) -> bytes:
    return file.read_bytes()


def _lines(found: states.Between) -> list[str]:
    return [
        *(f"-{name}" for name in found.removed),
        *(f"+{name}" for name in found.added),
        *(f"~{name}" for name in found.changed),
    ]


async def plan_init(request: Request, params: InitParams, bench: Bench) -> Draft:
    """`stack.init`: set the checkout up again, and make the workspace where there is none."""
    ready = await set_up(bench, request.subject, await bench.here(), workspace=False)
    upgrade = " -upgrade" if params.upgrade else ""
    change = Change(
        action=Action.RUN,
        target=request.subject,
        address="checkout",
        after=f"init{upgrade}, workspace {ready.options.workspace}",
    )
    work = work_of(
        request, ready, Seen(serial=0, lineage="", at=0), ["init", *(["-upgrade"] if upgrade else [])]
    )
    work = msgspec.structs.replace(work, seen="")
    said = f"init{upgrade} of {ready.pinned.label()}, workspace {ready.options.workspace}"
    return draft_of(
        request,
        ready,
        work,
        change,
        risk=Risk.CHANGE,
        summary=said,
        preconditions=(),
        undo="nothing to take back",
    )


async def set_up_again(ready: Ready, emit: Emit, *, upgrade: bool) -> Finding:
    """Run `init`; make the workspace."""
    program = ready.program
    emit.output((await program.init(ready.module, ready.version, upgrade=upgrade)).encode())
    wanted = ready.options.workspace
    if wanted != "default":
        listed = await program.run(ready.module, "workspace", "list", workspace=False)
        if wanted not in [line.lstrip("* ").strip() for line in decode(listed.stdout).splitlines()]:
            made = await program.run(ready.module, "workspace", "new", "-no-color", wanted, workspace=False)
            if not made.ok:
                said = f"exit {made.status}: {words_of(made)}"
                return Finding(outcome=Outcome.FAILED, evidence=said, status=made.status)
            emit.step(f"made workspace {wanted}")
    return Finding(outcome=Outcome.SUCCEEDED, evidence="init ended with 0", status=0)


async def final(ready: Ready, work: Work, look: Look, progress: Progress) -> Finding:
    """The outcome of a run that changes the state alone: its exit status, and what the state is now."""
    found = look.finding()
    if look.stage is not Stage.ENDED or look.status is None:
        return found
    if look.status != 0:
        text = unframed(decode(bytes(progress.said)))
        if LOCKED in text and (lock := lock_info(text)) is not None:
            evidence = f"exit {look.status}: the state is locked: {lock_words(lock)}; nothing was changed"
            return Finding(outcome=Outcome.NOT_STARTED, evidence=evidence, status=look.status)
        return Finding(
            outcome=Outcome.FAILED, evidence=f"{found.evidence}: {errors_in(text)}", status=look.status
        )
    now = (await ready.state()).seen
    if now.label() == work.seen or now.label() == NO_STATE:
        text = f"exit 0, but the state is as before, {now.label()}"
        return Finding(outcome=Outcome.UNKNOWN, evidence=text, status=0)
    if work.operation == "stack.push":
        await asyncio.to_thread(_pushed, ready, Path(work.file))
    text = f"exit 0, state {work.seen.partition(' of ')[0]} -> serial {now.serial}"
    return Finding(outcome=Outcome.SUCCEEDED, evidence=text, status=0)


def _pushed(ready: Ready, file: Path) -> None:
    """What waited is kept with the copies: it is never deleted, and waits no more."""
    if file in ready.folders.errored():
        file.rename(ready.folders.states / f"pushed-{time.time_ns()}.tfstate")
