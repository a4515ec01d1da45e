"""`image.pull`: the digest is found out first, and what is pulled is that digest."""

from __future__ import annotations

import msgspec

from ondeck.bench import Bench
from ondeck.errors import BadInput, Missing
from ondeck.job.finding import Attempt, Finding
from ondeck.job.outcome import Outcome
from ondeck.job.plan import Action, Change, Command, Draft, Plan, Precondition, Preflight, Request
from ondeck.job.spec import Risk
from ondeck.operate.deploys.drafting import params_of
from ondeck.operate.ports import Emit
from providers.docker.auth import login_of
from providers.docker.client import Client
from providers.docker.deploys.images import has, pull
from providers.docker.engine import engine_of
from providers.docker.registry import repository
from providers.docker.things import deeds
from providers.docker.things.params import PullParams

FACT = "image"
_PATIENCE = 3600.0
_NOT_HERE, _HERE = "not there", "there"


class Pulling(msgspec.Struct, frozen=True, kw_only=True):
    """The provider's part of a plan: with its digest, and the name that it shall have."""

    image: str
    name: str
    registry: str


async def plan(request: Request, bench: Bench) -> Draft:
    """Ask the registry through the engine which image the name stands for.

    Raises:
        BadInput: There is no such image.
        RemoteFailed: The registry cannot be asked.
    """
    params = params_of(request, PullParams)
    bare, tag = _parted(params.image)
    where = repository(bare)
    async with engine_of(deeds.cluster_of(bench, request.targets), bench) as engine:
        login = await login_of(where.registry)
        auth = {"username": login.user, "password": login.password.reveal()} if login and login.user else {}
        try:
            said = await engine.ask(lambda api: api.inspect_distribution(f"{bare}:{tag}", auth_config=auth))
        except Missing as error:
            raise BadInput(f"there is no image {params.image}") from error
        digest = str(said["Descriptor"]["digest"])
        image = f"{bare}@{digest}"
        here = await has(engine, image)
    target = request.targets[0]
    pulling = Pulling(image=image, name=f"{bare}:{tag}", registry=where.registry)
    return Draft(
        summary=f"pull {bare}:{tag} @{digest.removeprefix('sha256:')[:12]}",
        risk=Risk.CHANGE,
        changes=(
            Change(
                action=Action.NO_OP if here else Action.CREATE,
                target=target,
                address=f"image {bare}:{tag}",
                before=digest[:19] if here else "",
                after=digest[:19],
            ),
        ),
        commands=(Command(target=target, argv=("docker", "pull", image), note="over the engine's API"),),
        preconditions=(Precondition(target=target, fact=FACT, expected=_HERE if here else _NOT_HERE),),
        preflight=(Preflight(name="the registry has it", ok=1, note=digest[:19]),),
        rollout=deeds.one_by_one(request.targets),
        lock_key=f"{target} images",
        undo=f"ondeck plan image.prune {target}",
        data=msgspec.to_builtins(pulling),
    )


def _parted(image: str) -> tuple[str, str]:
    head, slash, tail = image.rpartition("/")
    name, _, tag = tail.partition(":")
    if "@" in image or not name:
        raise BadInput(f"{image!r}: write NAME:TAG")
    return f"{head}{slash}{name}", tag or "latest"


class PullDeed:
    """See `deeds.Deed`."""

    fact = FACT

    def __init__(self, pulling: Pulling) -> None:
        self._pulling = pulling

    async def state(self, engine: Client, target: str) -> str:
        """Whether it is there."""
        return _HERE if await has(engine, self._pulling.image) else _NOT_HERE

    async def do(self, engine: Client, attempt: Attempt, emit: Emit) -> Finding:
        """Pull by digest, then give it the name."""
        pulling = self._pulling
        await pull(engine, pulling.image, await login_of(pulling.registry), pulling.registry, emit, _PATIENCE)
        bare, _, tag = pulling.name.rpartition(":")
        await engine.ask(lambda api: api.tag(pulling.image, bare, tag))
        return await self.found(engine, attempt)

    async def found(self, engine: Client, attempt: Attempt) -> Finding:
        """It is there, or it is not: half an image is none."""
        if await has(engine, self._pulling.image):
            return Finding(outcome=Outcome.SUCCEEDED, evidence=f"{self._pulling.image} is there")
        return Finding(outcome=Outcome.NOT_STARTED, evidence="the image is not there")


def deed(plan: Plan) -> PullDeed:
    """The deed of a plan."""
    return PullDeed(msgspec.convert(plan.draft.data, Pulling))
