"""A scripted operator for tests of the road: its effects are lines in counter files, its failures are asked for."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import msgspec

from ondeck.bench import Bench
from ondeck.errors import AuthFailed, LinkLost, RemoteFailed, Unreachable
from ondeck.inventory.model import Inventory
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
    Request,
    RolloutPlan,
)
from ondeck.job.spec import OperationSpec, Params, Risk, TargetKind
from ondeck.operate.ports import Emit
from ondeck.reach.detached import Detached
from ondeck.registry import Manifest


class Touch(Params, frozen=True, kw_only=True):
    """Parameters of `test.touch`.

    Attributes:
        folder: Where effects are counted: one file a target, one line an effect. A file `gateN` there
            is the word of that gate from then on.
        script: `TARGET=WORD`: fail, lost, timeout, unreachable, auth, broken, slow, silent, deaf, dead,
            check-lost, check-auth, check-broken; `ready=broken`, `finish=broken`, `reconcile=broken|running`,
            `gateN=bad|none`.
        batches: Sizes, e.g. `1,2`.
        delay: Seconds (times timescale) an effect takes.
    """

    folder: Annotated[str, msgspec.Meta(description="Where effects are counted")]
    script: Annotated[tuple[str, ...], msgspec.Meta(description="What goes wrong")] = ()
    batches: Annotated[str, msgspec.Meta(description="Sizes of the batches")] = "100"
    parallel: Annotated[int, msgspec.Meta(description="At once")] = 0
    max_failures: Annotated[int, msgspec.Meta(description="How many may fail")] = 0
    gate: Annotated[bool, msgspec.Meta(description="Ask a gate after each batch")] = False
    delay: Annotated[float, msgspec.Meta(description="Seconds an effect takes")] = 0.0
    lock: Annotated[str, msgspec.Meta(description="Lock key")] = ""
    secrets: Annotated[tuple[str, ...], msgspec.Meta(description="Secrets it needs")] = ()
    read: Annotated[bool, msgspec.Meta(description="It only reads")] = False


def _batches(sizes: str, targets: tuple[str, ...]) -> tuple[Batch, ...]:
    counts, found, left = [int(s) for s in sizes.split(",")], [], list(targets)
    while left:
        size = counts.pop(0) if len(counts) > 1 else counts[0]
        found.append(Batch(targets=tuple(left[:size])))
        left = left[size:]
    return tuple(found)


def _world(folder: str) -> str:
    path = Path(folder) / "world"
    return path.read_text() if path.exists() else "first"


class ScriptedOperator:
    """Capability `operator` of the test provider."""

    async def plan(self, request: Request, bench: Bench) -> Draft:
        """What it would do; its one precondition is the content of the file `world`."""
        params = msgspec.convert(request.params, Touch)
        world = _world(params.folder)
        return Draft(
            summary=f"touch {len(request.targets)} targets",
            risk=Risk.READ if params.read else Risk.CHANGE,
            changes=tuple(Change(action=Action.RUN, target=t, address=t) for t in request.targets),
            commands=tuple(Command(target=t, argv=("touch", t)) for t in request.targets),
            preconditions=tuple(
                Precondition(target=t, fact="world", expected=world) for t in request.targets
            ),
            rollout=RolloutPlan(
                batches=_batches(params.batches, request.targets),
                parallel=params.parallel,
                max_failures=params.max_failures,
                gate="scripted" if params.gate else "",
            ),
            lock_key=params.lock,
            undo="irreversible",
            secrets=params.secrets,
        )

    def risk_of(self, request: Request, inventory: Inventory) -> Risk:
        """What the request says of itself."""
        return Risk.READ if msgspec.convert(request.params, Touch).read else Risk.CHANGE

    @asynccontextmanager
    async def open(self, plan: Plan, bench: Bench) -> AsyncIterator[ScriptedApplying]:
        """Nothing to open; resolves its secrets."""
        for reference in plan.draft.secrets:
            (await bench.secret(reference)).reveal()
        yield ScriptedApplying(plan, bench)


class ScriptedApplying:
    """Does what the script says."""

    def __init__(self, plan: Plan, bench: Bench) -> None:
        self._params = msgspec.convert(plan.request.params, Touch)
        self._plan = plan
        self._bench = bench
        self._words = dict(line.partition("=")[::2] for line in self._params.script)
        self._folder = Path(self._params.folder)
        self._asked: dict[str, int] = {}

    async def ready(self) -> dict[str, Finding]:
        """Targets of the word `dead` cannot be opened."""
        if self._words.get("ready") == "broken":
            raise RuntimeError("scripted: a bug")
        dead = (t for t in self._plan.targets if self._words.get(t) == "dead")
        return {t: Finding(outcome=Outcome.UNREACHABLE, evidence="scripted: no route") for t in dead}

    async def check(self, target: str) -> tuple[Precondition, ...]:
        """The world now; for the word `check-X` that goes wrong from the second time it is asked."""
        self._asked[target] = again = self._asked.get(target, -1) + 1
        word = self._words.get(target, "")
        if word.startswith("check-") and (again or target not in self._plan.draft.rollout.batches[0].targets):
            self._unread(word)
        return (Precondition(target=target, fact="world", expected=_world(self._params.folder)),)

    def _unread(self, word: str) -> None:
        match word:
            case "check-lost":
                raise LinkLost("scripted: the link ended")
            case "check-auth" if not (self._folder / "lent").exists():
                raise AuthFailed("scripted: login refused")
            case "check-broken":
                raise RuntimeError("scripted: a bug")

    async def apply(self, attempt: Attempt, emit: Emit) -> Finding:
        """Count one effect and claim the attempt, as a host would."""
        word = self._words.get(attempt.target, "")
        if word == "unreachable":
            raise Unreachable("scripted: no route")
        if word == "auth" and not (self._folder / "lent").exists():
            raise AuthFailed("scripted: login refused")
        emit.step("touching")
        self._effect(attempt, "" if word == "lost" else "0")
        emit.output(f"{attempt.target} touched\n".encode())
        if self._plan.draft.secrets:
            await self._spend(attempt, emit)
        try:
            await self._work(word)
        except asyncio.CancelledError:
            if word == "silent":
                raise
            return Finding(outcome=Outcome.CANCELLED, evidence="scripted: seen to stop")
        return self._ending(word)

    async def _spend(self, attempt: Attempt, emit: Emit) -> None:
        """Hand the secrets to a command that outlives us; it tells their checksums, as `TARGET.sums` keeps them."""
        names = {f"SECRET_{at}": reference for at, reference in enumerate(self._plan.draft.secrets)}
        given = {name: await self._bench.secret(reference) for name, reference in names.items()}
        script = "".join(f'printf %s "${name}" | sha256sum\n' for name in names) + "sleep 0.3\n"
        job = Detached(await self._bench.here(), f"spend.{attempt.id}", self._bench.settings)
        told = bytearray()
        await job.launch(["sh", "-c", script], secret_env=given)
        await job.follow(lambda data, err: told.extend(data))
        emit.output(bytes(told))
        (self._folder / f"{attempt.target}.sums").write_bytes(told)

    def _effect(self, attempt: Attempt, status: str) -> None:
        # The claim is a mkdir, as on a real host: a second try with the same id has no effect.
        (self._folder / f"claim.{attempt.id}").mkdir()
        with (self._folder / f"{attempt.target}.count").open("ab") as file:
            file.write(f"{attempt.id}\n".encode())
            file.flush()
            os.fsync(file.fileno())
        if status:
            (self._folder / f"claim.{attempt.id}" / "rc").write_text(status)

    async def _work(self, word: str) -> None:
        seconds = self._bench.settings.seconds(
            self._params.delay if word not in ("slow", "silent") else 3600.0
        )
        if word != "deaf":
            await asyncio.sleep(seconds)
            return
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                continue

    def _ending(self, word: str) -> Finding:
        match word:
            case "fail":
                return Finding(outcome=Outcome.FAILED, evidence="exit 3", status=3)
            case "lie":
                return Finding(outcome=Outcome.SUCCEEDED, evidence="said so", status=3)
            case "refuse":
                raise RemoteFailed("scripted: said no")
            case "lost":
                raise LinkLost("scripted: the link ended")
            case "timeout":
                raise TimeoutError("scripted: not in time")
            case "broken":
                raise RuntimeError("scripted: a bug")
        return Finding(outcome=Outcome.SUCCEEDED, evidence="exit 0", status=0)

    async def gate(self, targets: tuple[str, ...]) -> Gate:
        """Passes unless the script says otherwise for the batch of the first target."""
        index = next(i for i, b in enumerate(self._plan.draft.rollout.batches) if targets[0] in b.targets)
        later = self._folder / f"gate{index}"
        word = later.read_text() if later.exists() else self._words.get(f"gate{index}", "")
        return Gate(
            passed={"bad": False, "none": None}.get(word, True), evidence=f"scripted: {word or 'fine'}"
        )

    async def reconcile(self, attempt: Attempt) -> Finding:
        """Look at the claim: none means not started, an exit code decides, none yet is unknown."""
        claim = self._folder / f"claim.{attempt.id}"
        if self._words.get("reconcile") == "broken":
            raise RuntimeError("scripted: a bug")
        if self._words.get("reconcile") == "running":
            said = "still running, pid 4711"
            return Finding(outcome=Outcome.UNKNOWN, evidence=said, still_running=True)
        if not claim.exists():
            return Finding(outcome=Outcome.NOT_STARTED, evidence="no claim on the host")
        if not (claim / "rc").exists():
            return Finding(outcome=Outcome.UNKNOWN, evidence="claimed, no exit code")
        status = int((claim / "rc").read_text())
        outcome = Outcome.SUCCEEDED if status == 0 else Outcome.FAILED
        return Finding(outcome=outcome, evidence=f"exit {status}", status=status)

    async def finish(self, succeeded: tuple[str, ...], emit: Callable[[str], None]) -> dict[str, str]:
        """Remember who was touched."""
        if self._words.get("finish") == "broken":
            raise KeyError("scripted: a bug")
        emit("tidied up")
        return {f"touched {self._plan.request.subject}": ",".join(succeeded)} if succeeded else {}


SPEC = OperationSpec(
    name="test.touch",
    title="Touch targets",
    target=TargetKind.HOSTS,
    params=Touch,
    risk=Risk.CHANGE,
    help="Counts an effect per target; for tests of the road.",
)

MANIFEST = Manifest(
    name="scripted",
    title="Scripted operator for tests",
    capabilities={"operator": "ondeck.testing.operators:ScriptedOperator"},
    operations=(SPEC,),
)
