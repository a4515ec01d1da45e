"""`s3.delete`: exactly these objects or versions, no prefixes."""

from __future__ import annotations

from ondeck.bench import Bench
from ondeck.counting import counted
from ondeck.errors import BadInput
from ondeck.job.finding import Attempt, Finding
from ondeck.job.outcome import Outcome
from ondeck.job.plan import Action, Change, Command, Draft, Request
from ondeck.job.spec import Risk
from ondeck.operate.ports import Emit
from providers.aws.calling import Calls, each
from providers.aws.copying import ABSENT, OBJECT, object_fact
from providers.aws.deed import Deed, Thing, confirm_words, lock_of, preconditions, rollout, thing
from providers.aws.params import DeleteParams
from providers.aws.rows import object_of, text


async def plan(request: Request, params: DeleteParams, calls: Calls, bench: Bench) -> Draft:
    """Look at each object; what is not there is left out.

    Raises:
        BadInput: None of them is there, or a name is none of an object.
        OndeckError: S3 could not be asked.
    """
    for target in request.targets:
        _, key, _ = object_of(thing(target).name)
        if not key or key.endswith("/"):
            raise BadInput(f"{target!r} names no object: prefixes are never deleted")

    async def one(target: str) -> str:
        return (await object_fact(calls, thing(target)))[0]

    seen, bad = await each(request.targets, one)
    if not seen:
        raise next(iter(bad.values()))
    todo = {target: fact for target, fact in seen.items() if fact != ABSENT}
    left_out = {target: error.message for target, error in bad.items()}
    left_out |= {target: "is not there" for target, fact in seen.items() if fact == ABSENT}
    if not todo:
        raise BadInput(f"nothing to delete: {'; '.join(left_out.values())}")
    targets = tuple(todo)
    names = [text(thing(target).name.partition("/")[2]) for target in targets]
    return Draft(
        summary=f"delete {counted(len(targets), 'object')}",
        risk=Risk.DESTROY,
        changes=tuple(
            Change(action=Action.DELETE, target=t, address=text(thing(t).name), before=fact, after=_after(t))
            for t, fact in todo.items()
        ),
        commands=tuple(Command(target=t, argv=_argv(thing(t))) for t in targets),
        preconditions=tuple(p for t, fact in todo.items() for p in preconditions(t, {OBJECT: fact})),
        rollout=rollout(targets),
        lock_key=lock_of("s3", targets),
        undo="the version before, where the bucket keeps versions; else irreversible",
        left_out=left_out,
        confirm=confirm_words(names, thing(targets[0]).account),
    )


def _after(target: str) -> str:
    return "gone" if object_of(thing(target).name)[2] else "gone, or hidden by a delete marker"


def _argv(at: Thing) -> tuple[str, ...]:
    bucket, key, version = object_of(at.name)
    more = ("--version-id", version) if version else ()
    return ("aws", "s3api", "delete-object", "--region", at.region, "--bucket", bucket, "--key", key, *more)


class Removing(Deed):
    """Applies one plan; to delete what is gone changes nothing."""

    async def facts(self, at: Thing) -> dict[str, str]:
        """ETag and size, or that it is not there."""
        return {OBJECT: (await object_fact(self.calls, at))[0]}

    async def do(self, at: Thing, attempt: Attempt, emit: Emit) -> Finding:
        """Delete, look."""
        if (await self.facts(at))[OBJECT] == ABSENT:
            return Finding(outcome=Outcome.SUCCEEDED, evidence="it is gone already")
        bucket, key, version = object_of(at.name)
        more = {"VersionId": version} if version else {}
        answer = await self.calls.change(at.region, "s3", "delete_object", Bucket=bucket, Key=key, **more)
        marker = text(answer.get("VersionId")) if answer.get("DeleteMarker") and not version else ""

        async def look() -> Finding | None:
            if (await self.facts(at))[OBJECT] != ABSENT:
                return None
            said = (
                f"hidden by delete marker {marker}: delete that to have it back" if marker else "it is gone"
            )
            return Finding(outcome=Outcome.SUCCEEDED, evidence=said)

        return await self.until(at, look, within=60.0)

    async def became(self, at: Thing, attempt: Attempt) -> Finding:
        """Gone or there; S3 shows at once what was done."""
        fact = (await self.facts(at))[OBJECT]
        if fact == ABSENT:
            return Finding(outcome=Outcome.SUCCEEDED, evidence="it is gone")
        return Finding(outcome=Outcome.NOT_STARTED, evidence=f"it is there: {fact}")
