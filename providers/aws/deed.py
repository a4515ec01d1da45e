"""What the operations on things of an account have in common: claim, wait, look, and say what was seen."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import msgspec

from ondeck.bench import Bench
from ondeck.errors import BadInput, LinkLost, OndeckError, PlanStale, Unreachable
from ondeck.job.finding import Attempt, Finding
from ondeck.job.outcome import Outcome
from ondeck.job.plan import Batch, Plan, Precondition, Request, RolloutPlan
from ondeck.operate.batches import batches
from ondeck.operate.naming import thing_of
from ondeck.operate.ports import Emit
from providers.aws.calling import Calls
from providers.aws.rows import CLAIM, split

PARALLEL = 8
_PATIENCE = 30.0  # seconds without an answer while something is under way, before it is called lost
_FIRST, _LONGEST = 1.0, 10.0  # seconds between two looks
SETTLES = 20.0
"""Seconds in which a call that was sent has arrived, and shows, or never will."""


class Thing(msgspec.Struct, frozen=True):
    """A target taken apart: `acme-prod/eu-west-1/i-0abc`."""

    target: str
    account: str
    region: str
    name: str


def thing(target: str) -> Thing:
    """The parts of a target.

    Raises:
        BadInput: It is not `ACCOUNT/REGION/ID`.
    """
    account, rest = thing_of(target)
    if not rest:
        raise BadInput(f"{target!r} names no thing", hint=f"{account or 'ACCOUNT'}/REGION/ID")
    region, name = split(rest)
    return Thing(target, account, region, name)


def preconditions(target: str, facts: dict[str, str]) -> tuple[Precondition, ...]:
    """Facts in the words of a plan."""
    return tuple(Precondition(target=target, fact=fact, expected=value) for fact, value in facts.items())


def token(attempt: Attempt) -> str:
    """The attempt as a token for AWS, which takes at most 64 characters: one attempt, one token."""
    return attempt.id if len(attempt.id) <= 64 else hashlib.sha256(attempt.id.encode()).hexdigest()


def claim_tag(attempt: Attempt) -> dict[str, str]:
    """The tag by which what an attempt did is found again."""
    return {"Key": CLAIM, "Value": attempt.id[:256]}


def claims(seen: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """For the data of a plan: the claims that things carry already, by target; such a one is taken over."""
    return {"claims": {target: claim for target, claim in seen.items() if claim}}


def lock_of(noun: str, targets: Sequence[str]) -> str:
    """The key of a change on several things of one kind: a job holds one lock, and two sets may overlap."""
    return f"aws.{noun}@{targets[0].partition('/')[0]}"


def lock_alone(noun: str, target: str) -> str:
    """The key of a change of a kind that is made on one thing at a time, always."""
    return f"aws.{noun}@{target}"


def rollout(targets: tuple[str, ...], *, batch: str = "", max_failures: int = 0) -> RolloutPlan:
    """All at once, or in batches of the given size.

    Raises:
        BadInput: The size is not understood.
    """
    if not batch:
        return RolloutPlan(batches=(Batch(targets=targets),), parallel=PARALLEL, max_failures=max_failures)
    return RolloutPlan(batches=batches(targets, [batch]), parallel=PARALLEL, max_failures=max_failures)


def confirm_words(names: Sequence[str], account: str) -> str:
    """What is typed before things are destroyed: how many, and which where they are few."""
    return f"{len(names)} {' '.join(names) if len(names) <= 3 else account}"


def listed(names: Sequence[str]) -> str:
    """A few names, and how many more."""
    more = len(names) - 3
    return ", ".join(names[:3]) + (f" and {more} more" if more > 0 else "")


def subject_of(request: Request, targets: Sequence[str]) -> str:
    """Targets as they are named on a command line."""
    account = request.targets[0].partition("/")[0]
    return account + "/" + ",".join(target.removeprefix(f"{account}/") for target in targets)


@contextmanager
def under_way(target: str) -> Iterator[None]:
    """After the change was sent, not being able to look means that its outcome is not known.

    That also holds for a login that ended meanwhile, and for a look that is throttled or not allowed: what was
    sent goes on all the same.

    Raises:
        LinkLost: AWS could not be asked.
    """
    try:
        yield
    except LinkLost:
        raise
    except OndeckError as error:
        raise LinkLost(f"sent, and then AWS could not be asked: {error.message}", where=target) from error


class Deed:
    """One operation on things of an account. `do` is called once for an attempt, everything else only reads."""

    def __init__(self, plan: Plan, calls: Calls, bench: Bench) -> None:
        self.plan = plan
        self.calls = calls
        self.settings = bench.settings
        self.bench = bench

    async def facts(self, at: Thing) -> dict[str, str]:
        """What has to be as it was when the plan was made."""
        raise NotImplementedError

    async def do(self, at: Thing, attempt: Attempt, emit: Emit) -> Finding:
        """The change, and what it came to."""
        raise NotImplementedError

    async def became(self, at: Thing, attempt: Attempt) -> Finding:
        """What became of an attempt, with evidence."""
        raise NotImplementedError

    async def stop(self, at: Thing, attempt: Attempt, emit: Emit) -> Finding:
        """Cancelled: call it back where AWS can, look, and say what it is now."""
        found = await self.became(at, attempt)
        if found.still_running:
            said = f"sent already and not to be called back: {found.evidence}"
            return Finding(outcome=Outcome.FAILED, evidence=said)
        if found.outcome is Outcome.NOT_STARTED:
            return Finding(outcome=Outcome.CANCELLED, evidence=f"nothing was begun: {found.evidence}")
        return found

    def foreign(self, at: Thing, marks: Mapping[str, str], attempt: Attempt) -> str:
        """Whose claim came on a thing since the plan was made; empty when there is none but our own.

        One that the plan saw is of a job before: of what made the thing, or did not come to its end.
        """
        found = marks.get(CLAIM, "")
        shown = self.plan.draft.data.get("claims", {}).get(at.target, "")
        return "" if found in ("", shown, claim_tag(attempt)["Value"]) else found

    def must_be_free(self, at: Thing, marks: Mapping[str, str], attempt: Attempt) -> None:
        """Another attempt's claim is its only evidence: it is taken over only as the plan said.

        Raises:
            PlanStale: It came after the plan was made, and not from this job.
        """
        other = self.foreign(at, marks, attempt)
        if other and not other.startswith(f"{attempt.job}-"):
            said = f"another job is at it: it carries the tag of the attempt {other}; nothing was sent"
            raise PlanStale(said, hint="when that job is over, plan again", where=at.target)

    async def tidy(self, at: Thing, ended: Sequence[Attempt], emit: Callable[[str], None]) -> None:
        """After all outcomes are on disk: take away what only served as evidence of these attempts."""

    async def until(
        self, at: Thing, look: Callable[[], Awaitable[Finding | None]], *, within: float
    ) -> Finding:
        """Look again and again until something is to be said; from the loop, so that it can be cancelled.

        Args:
            at: What is looked at.
            look: One look; None means not yet.
            within: Seconds until it is called too late.

        Raises:
            LinkLost: AWS could not be asked for a while.
            TimeoutError: It did not end in time.
        """
        pause = _FIRST
        async with _limit(self.settings.seconds(within), f"not over within {within / 60:.0f} min"):
            while True:
                found = await self._patiently(at, look)
                if found is not None:
                    return found
                await asyncio.sleep(self.settings.seconds(pause))
                pause = min(_LONGEST, pause * 1.3)

    async def _patiently(self, at: Thing, look: Callable[[], Awaitable[Finding | None]]) -> Finding | None:
        """A network that is away for a moment is no reason to lose sight of what takes an hour."""
        loop = asyncio.get_running_loop()
        since = loop.time()
        while True:
            try:
                with under_way(at.target):
                    return await look()
            except LinkLost:
                if loop.time() - since > self.settings.seconds(_PATIENCE):
                    raise
                await asyncio.sleep(self.settings.seconds(_FIRST))


@asynccontextmanager
async def _limit(seconds: float, said: str) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise TimeoutError(said) from error


async def or_unknown(asked: Awaitable[Finding]) -> Finding:
    """What was found, or that it could not be asked: a reconcile never raises for a target."""
    try:
        return await asked
    except (OndeckError, TimeoutError) as error:
        said = error.message if isinstance(error, OndeckError) else str(error)
        return Finding(outcome=Outcome.UNKNOWN, evidence=f"could not be asked: {said}")


async def dry_run(calls: Calls, region: str, method: str, **params: Any) -> str:  # noqa: ANN401 - boto3's own
    """Ask EC2 whether it would do it; empty when it would, else why not.

    Raises:
        OndeckError: It could not be asked, or says that it is not allowed.
    """
    try:
        await calls.read(region, "ec2", method, DryRun=True, **params)
    except OndeckError as error:
        if "DryRunOperation" in error.message:
            return ""
        if isinstance(error, Unreachable) or error.message.startswith("not allowed"):
            raise
        return error.message
    return "the dry run said nothing"
