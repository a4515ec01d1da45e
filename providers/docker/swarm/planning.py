"""From a look at a service of a swarm to a draft: which image or how many, and from which version index."""

from __future__ import annotations

import msgspec

from ondeck.bench import Bench
from ondeck.errors import BadInput, Missing, OndeckError, Unreachable
from ondeck.inventory.model import Cluster, Service
from ondeck.job.plan import (
    Action,
    Batch,
    Change,
    Command,
    Draft,
    Precondition,
    Preflight,
    Request,
    RolloutPlan,
)
from ondeck.job.services import DeployParams, RollbackParams
from ondeck.job.spec import Risk
from ondeck.observe.health import declared
from ondeck.operate.deploys.drafting import params_of
from ondeck.operate.deploys.state import labelled
from ondeck.operate.deploys.survey import service_of
from ondeck.operate.deploys.work import Work as Common
from ondeck.operate.wayback import Release, good_releases, last_good
from providers.docker.auth import Login, login_of
from providers.docker.client import Client
from providers.docker.deploys.options import refuse_latest, version_of
from providers.docker.engine import engine_of
from providers.docker.engine import options_of as cluster_options
from providers.docker.registry import Found, Registry
from providers.docker.swarm.options import SwarmOptions, options_of, swarm_of
from providers.docker.swarm.state import SwarmState, look
from providers.docker.things.params import ScaleParams

FACT = "service of the swarm"


class Work(Common, frozen=True, kw_only=True):
    """The provider's part of a plan.

    Attributes:
        cluster: Name of the swarm.
        index: Version index that the change starts from: the swarm refuses it from any other.
        image: `repository:version@sha256:...`; empty when the image stays.
        replicas: None when the number stays.
        force: Start every task again.
        auth: User and reference to the password, where the inventory names them.
    """

    cluster: str
    index: int
    image: str = ""
    replicas: int | None = None
    force: bool = False
    auth: tuple[str, str] | None = None


async def plan(request: Request, bench: Bench) -> Draft:
    """Look at the service and say what would be asked of the swarm.

    Raises:
        BadInput: The request makes no sense for a swarm.
        NoMatch: There is no such service.
        Unreachable, AuthFailed, RemoteFailed: The swarm or the registry cannot be asked.
    """
    service = service_of(bench, request.subject)
    _, options = options_of(service)
    cluster = swarm_of(bench, service, request.env)
    async with engine_of(cluster, bench) as engine:
        state = await look(engine, options.service)
        base = Work(
            operation=request.operation,
            service=service.name,
            env=request.env,
            by=request.actor,
            cluster=cluster.name,
            index=state.index,
            before={cluster.name: state.release},
            auth=(options.registry.user, options.registry.password) if options.registry else None,
        )
        match request.operation:
            case "service.deploy":
                version = version_of(params_of(request, DeployParams).version)
                refuse_latest(bench.inventory, request.env, version)
                found = await _resolve(options, bench, engine, version)
                return _to_release(base, state, options, service, cluster, version, found.digest)
            case "service.rollback":
                release, why = await _back(request, state, options, bench, engine, base.name)
                draft = _to_release(
                    base, state, options, service, cluster, release.version, f"sha256:{release.sha256}"
                )
                return msgspec.structs.replace(draft, summary=f"{draft.summary} ({why})")
            case "service.scale":
                return _scaled(base, state, service, cluster, params_of(request, ScaleParams).replicas)
            case "service.restart":
                return _restarted(base, state, service, cluster)
    raise BadInput(
        f"a swarm does not know {request.operation} of a service",
        hint="its nodes are drained: ondeck plan node.drain CLUSTER/NODE",
    )


async def login_for(options: SwarmOptions, bench: Bench) -> Login | None:
    """Who we are for the registry."""
    if options.registry is not None:
        return Login(options.registry.user, await bench.secret(options.registry.password))
    return await login_of(options.repository.registry)


async def _resolve(options: SwarmOptions, bench: Bench, engine: Client, version: str) -> Found:
    where = options.repository
    try:
        async with Registry(
            where.registry, await login_for(options, bench), bench.settings
        ).asked() as registry:
            try:
                return await registry.look(where.path, version)
            except Missing as error:
                known = ", ".join((await registry.newest(where.path))[:8])
                raise BadInput(
                    f"{where} has no version {version}", hint=f"there are: {known or 'none'}"
                ) from error
    except Unreachable as unreachable:
        name = f"{options.image}:{version}"
        try:
            said = await engine.ask(lambda api: api.inspect_distribution(name, auth_config={}))
        except OndeckError as error:
            raise Unreachable(
                f"{unreachable.message}; nor does the manager reach it: {error.message}"
            ) from error
        return Found(digest=str(said["Descriptor"]["digest"]))


async def _back(
    request: Request, state: SwarmState, options: SwarmOptions, bench: Bench, engine: Client, name: str
) -> tuple[Release, str]:
    to = params_of(request, RollbackParams).to
    good = good_releases(bench.remembered, name)
    if to:
        version = version_of(to)
        known = next((r for r in good if r.version == version and r.sha256), None)
        if known is None:
            found = await _resolve(options, bench, engine, version)
            known = Release(version, found.digest.removeprefix("sha256:"))
        return known, "as asked"
    release = last_good(good, [state.release])
    if release is None:
        raise BadInput(
            f"no good release of {name} is recorded but what runs",
            hint=f"name one: ondeck rollback {name} --to VERSION",
        )
    return release, "last good"


def _to_release(
    base: Work,
    state: SwarmState,
    options: SwarmOptions,
    service: Service,
    cluster: Cluster,
    version: str,
    digest: str,
) -> Draft:
    release = Release(version, digest.removeprefix("sha256:"))
    same = state.release == release and state.settled
    image = f"{options.image}:{version}@{digest}"
    work = msgspec.structs.replace(
        base, release=release, image=image, unchanged=(cluster.name,) if same else ()
    )
    words = ("docker", "service", "update", f"--image={image}", state.name)
    draft = _draft(work, state, service, cluster, words, labelled(version, release.sha256), same=same)
    return msgspec.structs.replace(
        draft,
        summary=f"{labelled(state.version, state.digest)} -> {labelled(version, release.sha256)}",
        undo=f"ondeck rollback {base.name}",
    )


def _scaled(base: Work, state: SwarmState, service: Service, cluster: Cluster, replicas: int) -> Draft:
    if "Replicated" not in (state.spec.get("Mode") or {}):
        raise BadInput(f"{state.name} runs once on every node: it has no number of replicas")
    same = state.wanted == replicas and state.settled
    work = msgspec.structs.replace(base, replicas=replicas, unchanged=(cluster.name,) if same else ())
    words = ("docker", "service", "scale", f"{state.name}={replicas}")
    draft = _draft(work, state, service, cluster, words, f"{replicas} tasks", same=same)
    warnings = draft.warnings
    if replicas == 0:
        warnings = (*warnings, f"nothing of {base.name} will run any more")
    return msgspec.structs.replace(
        draft,
        summary=f"scale {service.name} from {state.wanted} to {replicas} tasks",
        undo=f"ondeck scale {base.name} {state.wanted}",
        warnings=warnings,
    )


def _restarted(base: Work, state: SwarmState, service: Service, cluster: Cluster) -> Draft:
    work = msgspec.structs.replace(base, force=True)
    words = ("docker", "service", "update", "--force", state.name)
    draft = _draft(work, state, service, cluster, words, "every task started again")
    return msgspec.structs.replace(
        draft, summary=f"restart {service.name}: {state.wanted} tasks, as its update says"
    )


def _draft(
    work: Work,
    state: SwarmState,
    service: Service,
    cluster: Cluster,
    words: tuple[str, ...],
    after: str,
    *,
    same: bool = False,
) -> Draft:
    target = cluster.name
    warnings = []
    if state.update in ("updating", "rollback_started", "paused", "rollback_paused"):
        warnings.append(f"its last update is {state.update}: {state.told()}")
    if service.health is not None and declared(service.health) and not cluster_options(cluster).host:
        warnings.append("its health check is not asked: the cluster names no host to ask from")
    action = Action.RUN if work.force else Action.UPDATE
    before = f"{state.wanted} tasks" if work.replicas is not None else labelled(state.version, state.digest)
    return Draft(
        summary="",
        risk=Risk.CHANGE,
        changes=(
            Change(
                action=Action.NO_OP if same else action,
                target=target,
                address=state.name,
                before=before,
                after=after,
            ),
        ),
        commands=()
        if same
        else (Command(target=target, argv=words, note="over the managers' API, with the index"),),
        preconditions=(Precondition(target=target, fact=FACT, expected=state.label()),),
        preflight=(
            Preflight(name="the manager answers", ok=1),
            Preflight(
                name="converged now", ok=int(state.settled), bad=int(not state.settled), note=state.told()
            ),
        ),
        rollout=RolloutPlan(
            batches=(Batch(targets=(target,), why="the swarm replaces its tasks as the service says"),),
            gate="the update is completed and every task runs it",
        ),
        lock_key=work.name,
        warnings=tuple(warnings),
        data=msgspec.to_builtins(work),
        secrets=(work.auth[1],) if work.auth else (),
    )
