"""`image.prune`: exactly the images that the plan names, and never one that a service keeps or a container uses."""

from __future__ import annotations

import time

import msgspec

from ondeck.bench import Bench
from ondeck.counting import counted, size
from ondeck.errors import BadInput, Missing
from ondeck.job.finding import Attempt, Finding
from ondeck.job.outcome import Outcome
from ondeck.job.plan import Action, Change, Command, Draft, Plan, Precondition, Preflight, Request
from ondeck.job.spec import Risk
from ondeck.operate.deploys.drafting import params_of
from ondeck.operate.deploys.uncut import last
from ondeck.operate.ports import Emit
from ondeck.operate.wayback import good_releases
from ondeck.times import span
from providers.docker import calls
from providers.docker.client import Client, Conflict
from providers.docker.engine import engine_of
from providers.docker.lists.images import Image, images
from providers.docker.things import deeds
from providers.docker.things.params import PruneParams

FACT = "images to remove"


class Pruning(msgspec.Struct, frozen=True, kw_only=True):
    """The provider's part of a plan: ids of images, and every name of each that has to go first."""

    gone: dict[str, tuple[str, ...]] = {}


def kept(image: Image, good: frozenset[str]) -> str:
    """Why an image stays; empty when nothing holds it."""
    if image.used:
        return f"{counted(image.used, 'container')} of it"
    digests = {name.partition("@sha256:")[2] for name in image.names} & good
    return "a good release of a service" if digests else ""


def good_digests(bench: Bench) -> frozenset[str]:
    """Digests that some service may go back to, as the record knows them."""
    return frozenset(
        release.sha256
        for service in bench.inventory.services.values()
        for env in service.on
        for release in good_releases(bench.remembered, f"{service.name}@{env}")
        if release.sha256
    )


async def plan(request: Request, bench: Bench) -> Draft:
    """Name every image that would go.

    Raises:
        BadInput: There is nothing to remove.
    """
    params = params_of(request, PruneParams)
    before = time.time_ns() - int(span(params.older, what="older") * 1e9)
    target = request.targets[0]
    good = good_digests(bench)
    async with engine_of(deeds.cluster_of(bench, request.targets), bench) as engine:
        there = await images(engine)
    free = [one for one in there if not kept(one, good)]
    gone = [one for one in free if (one.dangling or params.tagged) and one.created < before]
    held = [one for one in there if kept(one, good)]
    if not gone:
        raise BadInput(
            f"nothing on {target} can be removed: {counted(len(there), 'image')}, {len(held)} in use or kept",
            hint="images with a name go with --tagged, younger ones with --older 0s" if free else "",
        )
    pruning = Pruning(gone={one.id: one.names for one in gone})
    return Draft(
        summary=f"remove {counted(len(gone), 'image')}, {size(sum(one.size for one in gone))} before shared layers",
        risk=Risk.DESTROY,
        changes=tuple(
            Change(action=Action.DELETE, target=target, address=f"image {one.short}", before=one.label)
            for one in gone
        ),
        commands=tuple(
            Command(
                target=target, argv=("docker", "rmi", *(one.names or (one.id,))), note="over the engine's API"
            )
            for one in gone
        ),
        preconditions=(Precondition(target=target, fact=FACT, expected=_listed(pruning.gone)),),
        preflight=(Preflight(name="in use or kept for a way back", ok=len(held), note="stay"),),
        rollout=deeds.one_by_one(request.targets),
        lock_key=f"{target} images",
        undo="irreversible",
        data=msgspec.to_builtins(pruning),
    )


def _listed(ids: dict[str, tuple[str, ...]]) -> str:
    return ", ".join(sorted(one[:12] for one in ids))


class PruneDeed:
    """See `deeds.Deed`."""

    fact = FACT

    def __init__(self, pruning: Pruning, good: frozenset[str]) -> None:
        self._pruning = pruning
        self._good = good

    async def state(self, engine: Client, target: str) -> str:
        """Those of the plan that are there and that nothing uses."""
        there = {one.id: one.names for one in await images(engine) if not kept(one, self._good)}
        return _listed({one: names for one, names in there.items() if one in self._pruning.gone})

    async def do(self, engine: Client, attempt: Attempt, emit: Emit) -> Finding:
        """Remove name by name; the engine refuses what came into use meanwhile."""
        stay: list[str] = []
        for one, names in self._pruning.gone.items():
            try:
                for name in names or (f"sha256:{one}",):
                    await last(calls.remove_image(engine, name))
            except Conflict as error:
                stay.append(f"{one[:12]}: {error.message}")
                continue
            except Missing:
                pass  # it went with its last name
            emit.step(f"removed {one[:12]}")
        if stay:
            return Finding(outcome=Outcome.FAILED, evidence=f"stay: {'; '.join(stay[:5])}")
        return await self.found(engine, attempt)

    async def found(self, engine: Client, attempt: Attempt) -> Finding:
        """Which of them are still there."""
        there = {one.id for one in await images(engine)} & set(self._pruning.gone)
        number = len(self._pruning.gone)
        if not there:
            return Finding(outcome=Outcome.SUCCEEDED, evidence=f"{counted(number, 'image')} removed")
        text = f"{len(there)} of {counted(number, 'image')} still there"
        outcome = Outcome.NOT_STARTED if len(there) == number else Outcome.FAILED
        return Finding(outcome=outcome, evidence=text)


def deed(plan: Plan, bench: Bench) -> PruneDeed:
    """The deed of a plan."""
    return PruneDeed(msgspec.convert(plan.draft.data, Pruning), good_digests(bench))
