"""`instance.tag`: tags of instances set and removed, each shown with what it is now."""

from __future__ import annotations

from ondeck.bench import Bench
from ondeck.errors import BadInput
from ondeck.job.finding import Attempt, Finding
from ondeck.job.outcome import Outcome
from ondeck.job.plan import Action, Change, Command, Draft, Precondition, Request
from ondeck.job.spec import Risk
from ondeck.operate.ports import Emit
from providers.aws import instances
from providers.aws.calling import Calls, each
from providers.aws.deed import Deed, Thing, lock_of, preconditions, rollout, thing
from providers.aws.params import TagParams
from providers.aws.rows import CLAIM, called, tags, text

ABSENT = "absent"


def wanted(params: TagParams) -> dict[str, str | None]:
    """Tag -> value to be, None for one that goes.

    Raises:
        BadInput: Nothing is asked for, or something that is no tag.
    """
    found: dict[str, str | None] = {}
    for pair in params.put:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise BadInput(f"{pair!r} is not KEY=VALUE")
        found[key] = value
    for key in params.remove:
        if key in found:
            raise BadInput(f"tag {key!r} cannot be set and removed at once")
        found[key] = None
    for key, text_of in found.items():
        if key.lower().startswith("aws:") or key == CLAIM or len(key) > 128 or len(text_of or "") > 256:
            raise BadInput(f"{key!r} is no tag that can be set here")
    if not found:
        raise BadInput("no tag to set or remove", hint="--put Role=web, --remove Old")
    return found


async def plan(request: Request, params: TagParams, calls: Calls, bench: Bench) -> Draft:
    """Each tag as it is and as it will be.

    Raises:
        BadInput: No tag is named, or one that cannot be set.
        OndeckError: No instance could be asked.
    """
    goal = wanted(params)

    async def one(target: str) -> tuple[str, dict[str, str]]:
        at = thing(target)
        instance = await instances.one(calls, at.region, at.name)
        return called(instance, at.name), tags(instance)

    seen, bad = await each(request.targets, one)
    if not seen:
        raise next(iter(bad.values()))
    changes: list[Change] = []
    facts: list[Precondition] = []
    for target, (name, now) in seen.items():
        for key, value in goal.items():
            before, after = now.get(text(key), ABSENT), ABSENT if value is None else text(value)
            action = Action.NO_OP if before == after else Action.DELETE if value is None else Action.UPDATE
            changes.append(
                Change(
                    action=action,
                    target=target,
                    address=f"{name} tag {text(key)}",
                    before=before,
                    after=after,
                )
            )
        facts += preconditions(target, _facts(goal, now))
    targets = tuple(seen)
    return Draft(
        summary=f"tags {', '.join(map(text, goal))} of {len(targets)} instance{'s' if len(targets) != 1 else ''}",
        risk=Risk.CHANGE,
        changes=tuple(changes),
        commands=tuple(
            Command(target=t, argv=("aws", "ec2", "create-tags", "--region", thing(t).region,
                                    "--resources", thing(t).name), note=", ".join(map(text, goal))) for t in targets
        ),
        preconditions=tuple(facts),
        rollout=rollout(targets),
        lock_key=lock_of("instance", targets),
        undo="instance.tag with what was there: the plan names it",
        left_out={target: error.message for target, error in bad.items()},
        data={"tags": goal},
    )  # fmt: skip


def _facts(goal: dict[str, str | None], now: dict[str, str]) -> dict[str, str]:
    return {f"tag {text(key)}": now.get(text(key), ABSENT) for key in goal}


class Tagging(Deed):
    """Applies one plan; to do it twice changes nothing more."""

    def _goal(self) -> dict[str, str | None]:
        goal: dict[str, str | None] = self.plan.draft.data["tags"]
        return goal

    async def facts(self, at: Thing) -> dict[str, str]:
        """The tags that it names."""
        return _facts(self._goal(), tags(await instances.one(self.calls, at.region, at.name)))

    async def do(self, at: Thing, attempt: Attempt, emit: Emit) -> Finding:
        """Set, remove, read back."""
        goal = self._goal()
        put = [{"Key": key, "Value": value} for key, value in goal.items() if value is not None]
        gone = [{"Key": key} for key, value in goal.items() if value is None]
        if put:
            await self.calls.change(at.region, "ec2", "create_tags", Resources=[at.name], Tags=put)
        if gone:
            await self.calls.change(at.region, "ec2", "delete_tags", Resources=[at.name], Tags=gone)
        return await self.until(at, lambda: self._look(at), within=60.0)

    async def _look(self, at: Thing) -> Finding | None:
        found = await self._as_wanted(at)
        return Finding(outcome=Outcome.SUCCEEDED, evidence="tags read back") if found else None

    async def _as_wanted(self, at: Thing) -> bool:
        now = await self.facts(at)
        return now == {f"tag {text(k)}": ABSENT if v is None else text(v) for k, v in self._goal().items()}

    async def became(self, at: Thing, attempt: Attempt) -> Finding:
        """The tags tell."""
        now = await self.facts(at)
        said = ", ".join(f"{key} is {value}" for key, value in now.items())
        if await self._as_wanted(at):
            return Finding(outcome=Outcome.SUCCEEDED, evidence=said)
        before = {
            p.fact: p.expected
            for p in self.plan.draft.preconditions
            if p.target == at.target and p.fact.startswith("tag ")
        }
        outcome = Outcome.NOT_STARTED if now == before else Outcome.FAILED
        return Finding(outcome=outcome, evidence=said)
