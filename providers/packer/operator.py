"""Capability `operator` for builds: `build.run` and `build.promote`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from ondeck.bench import Bench
from ondeck.errors import BadInput, LinkLost, NoMatch, OndeckError, Unreachable
from ondeck.job.finding import Attempt, Finding, Gate
from ondeck.job.outcome import Outcome
from ondeck.job.plan import (
    Action,
    Batch,
    Change,
    Command,
    Draft,
    Plan,
    Precondition,
    Preflight,
    Request,
    RolloutPlan,
)
from ondeck.job.spec import Params, Risk
from ondeck.operate.naming import thing_of
from ondeck.operate.ports import Applying, Emit
from ondeck.reach.checkout import freshness, in_use, pin, tree_of
from ondeck.reach.detached import Detached, Look, Stage, begun
from ondeck.text import safe_line
from ondeck.times import iso
from providers.packer.ending import ended, remember
from providers.packer.options import options_of, source_of
from providers.packer.params import PromoteParams, RunParams
from providers.packer.program import Ready, set_up
from providers.packer.shelf import Made, Shelf
from providers.packer.stream import Reader

_P = TypeVar("_P", bound=Params)
_GRACE = 120.0
_KEPT = 16 << 20
_ARTIFACT = "artifact promoted"


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """The provider's part of a plan."""

    build: str
    ref: str = ""
    commit: str = ""
    version: str = ""
    builders: tuple[str, ...] = ()
    artifact: str = ""
    before: str = ""


def promoted(build: str) -> str:
    """Under which name the record keeps the artifact of a build that is in use."""
    return f"promoted {build}"


def _params(request: Request, kind: type[_P]) -> _P:
    try:
        unknown = sorted(set(request.params) - set(kind.__struct_fields__))
        if unknown:
            raise BadInput(f"{request.operation} has no parameter {unknown[0]!r}")
        return msgspec.convert(request.params, kind, strict=False)
    except msgspec.ValidationError as error:
        raise BadInput(f"{request.operation}: {error}") from error


class PackerOperator:
    """Plans and applies what the manifest names."""

    async def plan(self, request: Request, bench: Bench) -> Draft:
        """Look and say exactly what would happen; see `ondeck.operate.ports.Operator`."""
        if request.operation == "build.run":
            return await _plan_run(request, _params(request, RunParams), bench)
        if request.operation == "build.promote":
            _params(request, PromoteParams)
            return await asyncio.to_thread(_plan_promote, request, bench)
        raise BadInput(f"builds do not know the operation {request.operation!r}")

    def open(self, plan: Plan, bench: Bench) -> AbstractAsyncContextManager[Applying]:
        """Set everything up before the first change."""
        return _opened(plan, bench)


@asynccontextmanager
async def _opened(plan: Plan, bench: Bench) -> AsyncIterator[Applying]:
    work = msgspec.convert(plan.draft.data, Work)
    if plan.request.operation != "build.run":
        yield Promoting(work, bench)
        return
    running = Running(plan, work, bench)
    with contextlib.closing(running):
        yield running


async def _plan_run(request: Request, params: RunParams, bench: Bench) -> Draft:
    name = request.subject
    ready = await set_up(bench, name, ref=params.ref)
    await ready.validate()
    builders = await ready.builders()
    work = Work(
        build=name,
        ref=ready.pinned.ref,
        commit=ready.pinned.commit,
        version=ready.version,
        builders=tuple(builders),
    )
    rows = [Preflight(name="template", ok=1, note=f"valid, says packer {ready.version}")]
    if words := freshness(ready.pinned):
        rows.append(Preflight(name="commit", ok=1, note=words))
    changes = [
        Change(action=Action.RUN, target=name, address=builder, after=ready.pinned.commit[:7])
        for builder in builders or ["every builder of the template"]
    ]
    return Draft(
        summary=f"build {ready.pinned.label()}: {', '.join(builders) or 'every builder'}",
        risk=Risk.CHANGE,
        changes=tuple(changes),
        commands=(Command(target=name, argv=tuple(_argv(ready)), note="detached"),),
        preconditions=_facts(work),
        preflight=tuple(rows),
        rollout=RolloutPlan(batches=(Batch(targets=(name,)),)),
        lock_key=f"build {name}@{request.env}",
        undo="what it made stays until somebody removes it",
        warnings=ready.pinned.warnings,
        data=msgspec.to_builtins(work),
        secrets=tuple(ready.options.secret_env.values()),
    )


def _argv(ready: Ready) -> list[str]:
    words = [ready.options.binary, "build", "-machine-readable", "-color=false"]
    return [*words, *(["-force"] if ready.options.force else []), *ready.template()]


def _facts(work: Work) -> tuple[Precondition, ...]:
    facts = ((f"commit of {work.ref or 'HEAD'}", work.commit), ("program", work.version))
    return tuple(Precondition(target=work.build, fact=fact, expected=value) for fact, value in facts)


def _plan_promote(request: Request, bench: Bench) -> Draft:
    name, artifact = thing_of(request.subject)
    if "," in artifact and len(request.targets) > 1:
        raise BadInput("one artifact is promoted at a time")
    made = _made(bench, name, artifact)
    before = bench.remembered(promoted(name))
    work = Work(build=name, artifact=made.id, before=before)
    target = request.targets[0]
    if before.partition(" ")[0] == made.id:
        raise BadInput(f"{made.id} is promoted already")
    change = Change(
        action=Action.UPDATE, target=target, address=_ARTIFACT, before=before or "none", after=made.id
    )
    return Draft(
        summary=f"{made.id}, built by {made.builder} from {made.commit[:7]} at {iso(made.at)}",
        risk=Risk.CHANGE,
        changes=(change,),
        preconditions=(Precondition(target=target, fact=_ARTIFACT, expected=before or "none"),),
        rollout=RolloutPlan(batches=(Batch(targets=(target,)),)),
        lock_key=f"build {name}@{request.env}",
        undo=f"ondeck build promote {name}/{before.partition(' ')[0]}" if before else "promote another one",
        data=msgspec.to_builtins(work),
    )


def _made(bench: Bench, name: str, artifact: str) -> Made:
    known = Shelf(bench.work_folder("packer", name)).made()
    found = next((one for one in known if one.id == artifact), None)
    if found is None:
        near = ", ".join(dict.fromkeys(one.id for one in known[:5])) or "none yet"
        raise NoMatch(f"build {name} made no artifact {artifact!r}", hint=f"there are: {near}")
    return found


class Running:
    """`build.run`: one detached run of the program."""

    def __init__(self, plan: Plan, work: Work, bench: Bench) -> None:
        self._plan = plan
        self._work = work
        self._bench = bench
        self._set: Ready | None = None
        self._ended: list[Attempt] = []
        self._uses = contextlib.ExitStack()

    def close(self) -> None:
        """Let go of the checkout."""
        self._uses.close()

    async def _ready(self) -> Ready:
        if self._set is None or self._set.link.closed:
            pinned = "" if self._work.commit.startswith("tree-") else self._work.commit
            found = await set_up(self._bench, self._work.build, ref=pinned)
            self._uses.enter_context(in_use(tree_of(found.folder, found.pinned)))
            self._set = found
        return self._set

    async def ready(self) -> dict[str, Finding]:
        """The checkout is there, the program answers, the secrets are there."""
        try:
            await (await self._ready()).secret_env()
        except (OndeckError, TimeoutError) as error:
            outcome = Outcome.UNREACHABLE if isinstance(error, (LinkLost, Unreachable)) else Outcome.FAILED
            said = error.message if isinstance(error, OndeckError) else "no answer in time"
            return {self._work.build: Finding(outcome=outcome, evidence=said)}
        return {}

    async def check(self, target: str) -> tuple[Precondition, ...]:
        """Commit and program as they are now."""
        ready = await self._ready()
        source = source_of(self._bench.inventory, options_of(ready.build))
        pinned = await pin(ready.link, source, self._work.ref)
        return _facts(msgspec.structs.replace(self._work, commit=pinned.commit, version=ready.version))

    async def apply(self, attempt: Attempt, emit: Emit) -> Finding:
        """Build, and remember what was made.

        Raises:
            LinkLost: It was begun and nobody saw its end.
        """
        ready = await self._ready()
        job = Detached(ready.link, attempt.id, self._bench.settings)
        reader = Reader()
        try:
            await job.launch(
                self._plan.draft.commands[0].argv,
                env=ready.env(),
                secret_env=await ready.secret_env(),
                cwd=str(ready.folder),
                kept=_KEPT,
            )
            with begun(attempt.target):
                await job.follow(_teller(reader, emit, len(self._work.builders)))
                look = await job.look()
        except asyncio.CancelledError:
            return await self._stopped(attempt, job, reader)
        with begun(attempt.target):
            return await self._final(attempt, look, reader)

    async def _stopped(self, attempt: Attempt, job: Detached, reader: Reader) -> Finding:
        """Interrupt its whole group: its leader alone only wraps the real one and ignores it (seen with 1.6.6).

        Raises:
            LinkLost: Not known whether it stopped.
        """
        look = await job.stop(signal="INT", grace=_GRACE)
        with begun(attempt.target):
            if look.stage is Stage.ENDED:
                reader = Reader()
                await job.follow(_taker(reader))
            return await self._final(attempt, look, reader)

    async def _final(self, attempt: Attempt, look: Look, reader: Reader) -> Finding:
        reader.end()
        ready = await self._ready()
        found = ended(look, reader, self._work.builders)
        if look.stage is Stage.ENDED:
            self._ended.append(attempt)
            made = await asyncio.to_thread(remember, ready, attempt.job, reader)
            if made and found.outcome is not Outcome.UNKNOWN:
                names = ", ".join(one.id for one in made[:4])
                found = msgspec.structs.replace(found, evidence=safe_line(f"{found.evidence}; made {names}"))
        return found

    async def gate(self, targets: tuple[str, ...]) -> Gate:
        """A build has no gate: exit status and errors are all there is."""
        return Gate(passed=True, evidence="no gate")

    async def reconcile(self, attempt: Attempt) -> Finding:
        """Read the job folder: how it ended and what it made."""
        ready = await self._ready()
        job = Detached(ready.link, attempt.id, self._bench.settings)
        look = await job.look(take=True)
        reader = Reader()
        if look.stage is Stage.ENDED:
            await job.follow(_taker(reader))
        elif look.stage is not Stage.GONE and look.stage is not Stage.REBOOTED:
            return look.finding()
        return await self._final(attempt, look, reader)

    async def finish(self, succeeded: tuple[str, ...], emit: Callable[[str], None]) -> dict[str, str]:
        """Remove the folders of what ended."""
        ready = await self._ready()
        for attempt in self._ended:
            try:
                await Detached(ready.link, attempt.id, self._bench.settings).forget()
            except (OndeckError, TimeoutError) as error:
                emit(f"job folder {attempt.id} stays: {error}")
        return {}


def _taker(reader: Reader) -> Callable[[bytes, bool], None]:
    def take(data: bytes, err: bool) -> None:
        if err:
            reader.plain(data)
        else:
            reader.feed(data)

    return take


def _teller(reader: Reader, emit: Emit, builders: int) -> Callable[[bytes, bool], None]:
    done = 0

    def take(data: bytes, err: bool) -> None:
        nonlocal done
        if err:
            reader.plain(data)
            emit.output(data, err=True)
            return
        for said in reader.feed(data):
            emit.output(f"{said.text}\n".encode())
            if said.ended:
                done += 1
                emit.step(said.text)
                emit.moved(min(done, builders), builders, "builders")

    return take


class Promoting:
    """`build.promote`: nothing runs; the record keeps it when the job has succeeded."""

    def __init__(self, work: Work, bench: Bench) -> None:
        self._work = work
        self._bench = bench
        self._target = f"{work.build}/{work.artifact}"

    async def ready(self) -> dict[str, Finding]:
        """Nothing has to be opened."""
        return {}

    async def check(self, target: str) -> tuple[Precondition, ...]:
        """What is promoted now."""
        now = self._bench.remembered(promoted(self._work.build)) or "none"
        return (Precondition(target=target, fact=_ARTIFACT, expected=now),)

    async def apply(self, attempt: Attempt, emit: Emit) -> Finding:
        """Hold that its files, where it has some, are what they are said to be there."""
        made = await asyncio.to_thread(_made, self._bench, self._work.build, self._work.artifact)
        gone = await asyncio.to_thread(lambda: [file for file in made.files if not Path(file).exists()])
        if gone:
            return Finding(outcome=Outcome.FAILED, evidence=safe_line(f"its file is gone: {gone[0]}"))
        return Finding(
            outcome=Outcome.SUCCEEDED, evidence=f"{made.id} is the one to use from now on", status=0
        )

    async def gate(self, targets: tuple[str, ...]) -> Gate:
        """None."""
        return Gate(passed=True, evidence="no gate")

    async def reconcile(self, attempt: Attempt) -> Finding:
        """What the record keeps tells it."""
        now = self._bench.remembered(promoted(self._work.build))
        if now.partition(" ")[0] == self._work.artifact:
            return Finding(outcome=Outcome.SUCCEEDED, evidence=f"the record says {now}", status=0)
        return Finding(outcome=Outcome.NOT_STARTED, evidence=f"the record says {now or 'none'}")

    async def finish(self, succeeded: tuple[str, ...], emit: Callable[[str], None]) -> dict[str, str]:
        """Keep it in the record."""
        if not succeeded:
            return {}
        made = await asyncio.to_thread(_made, self._bench, self._work.build, self._work.artifact)
        return {promoted(self._work.build): f"{made.id} {made.commit} {made.builder}"}
