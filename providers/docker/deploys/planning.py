"""From a survey to a draft: which image by its digest, which hosts, in which order, and exactly what is asked."""

from __future__ import annotations

import msgspec

from ondeck import counting
from ondeck.bench import Bench
from ondeck.errors import BadInput, Missing, OndeckError, Refused, Unreachable
from ondeck.inventory.model import Host
from ondeck.job.plan import Command, Draft, Preflight, Request
from ondeck.job.services import DeployParams, HostsParams, RollbackParams
from ondeck.job.spec import Risk
from ondeck.operate.deploys import drafting
from ondeck.operate.deploys.back import where_back
from ondeck.operate.deploys.doors import door_argv
from ondeck.operate.deploys.drafting import ROLLBACK
from ondeck.operate.deploys.retention import to_remove
from ondeck.operate.deploys.state import labelled
from ondeck.operate.deploys.survey import Survey, counted, preflight
from ondeck.operate.wayback import Release, good_releases
from providers.docker.deploys.commands import around, before, change, pruning
from providers.docker.deploys.options import (
    DockerOptions,
    refuse_latest,
    spec_of,
    stop_first,
    version_of,
)
from providers.docker.deploys.survey import state_of
from providers.docker.deploys.work import Way, Work
from providers.docker.engine import engine_of
from providers.docker.logins import login_for
from providers.docker.registry import Found, Registry

_TIMES_ROOM = 2
"""An image is fetched packed and lies unpacked beside it: room for twice what is fetched."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """The release that a draft leads to.

    Attributes:
        found: What the registry says of it; None when it could not be asked or does not have it.
        why: In brackets behind the version: `last good`.
        unasked: Why the registry did not say anything; empty when it did.
    """

    release: Release
    found: Found | None = None
    why: str = ""
    warnings: tuple[str, ...] = ()
    unasked: str = ""


async def deploy(request: Request, found: Survey, bench: Bench) -> Draft:
    """Plan `service.deploy`."""
    params = drafting.params_of(request, DeployParams)
    version = version_of(params.version)
    refuse_latest(bench.inventory, found.env, version)
    image = await _resolve(found, bench, version)
    release = Release(version, image.digest.removeprefix("sha256:"))
    return _draft(request, found, bench, Target(release=release, found=image), params.leave_out)


async def _resolve(found: Survey, bench: Bench, version: str) -> Found:
    """The digest behind a tag: asked of the registry from here, else through the engine of a host.

    Raises:
        BadInput: The registry has no such version.
        AuthFailed, Unreachable, RemoteFailed: It cannot be asked, from here or from a host.
    """
    options: DockerOptions = found.options
    where = options.repository
    login = await login_for(options, bench)
    try:
        async with Registry(where.registry, login, bench.settings).asked() as registry:
            try:
                return await registry.look(where.path, version)
            except Missing as error:
                there = await _others(registry, where.path)
                raise BadInput(f"{where} has no version {version}", hint=there) from error
    except Unreachable as error:
        return await _through_a_host(found, bench, version, error)


async def _others(registry: Registry, path: str) -> str:
    try:
        known = await registry.newest(path)
    except OndeckError:
        return "ask: `ondeck get` and the registry"
    return f"there are: {', '.join(known[:8])}" if known else "there is no version of it at all"


async def _through_a_host(found: Survey, bench: Bench, version: str, why: Unreachable) -> Found:
    """Hosts often reach a registry that the bastion does not."""
    options: DockerOptions = found.options
    host = found.answered()[0]
    name = f"{options.image}:{version}"
    async with engine_of(host, bench, options.socket) as engine:
        try:
            said = await engine.ask(lambda api: api.inspect_distribution(name, auth_config={}))
        except Missing as error:
            raise BadInput(f"{options.repository} has no version {version}") from error
        except OndeckError as error:
            raise Unreachable(
                f"{why.message}; nor does the engine of {host.name} say anything of it: {error.message}",
                where=why.where,
            ) from error
    platforms = [f"{p.get('os', '')}/{p.get('architecture', '')}" for p in said.get("Platforms") or ()]
    return Found(digest=str(said["Descriptor"]["digest"]), platforms=tuple(platforms))


async def rollback(request: Request, found: Survey, bench: Bench) -> Draft:
    """Plan `service.rollback`: to a named version, the last good one, or the newest that is kept."""
    params = drafting.params_of(request, RollbackParams)
    good = good_releases(bench.remembered, found.name)
    release, why, warnings = where_back(params.to, found, good, version_of)
    release = await _with_digest(release, found, bench)
    options: DockerOptions = found.options
    where, image, unasked = options.repository, None, ""
    try:
        login = await login_for(options, bench)
        async with Registry(where.registry, login, bench.settings).asked() as registry:
            image = await registry.look(where.path, f"sha256:{release.sha256}")
    except OndeckError as error:
        # What the hosts keep is enough to go back.
        unasked = error.message
    target = Target(release=release, found=image, why=why, warnings=warnings, unasked=unasked)
    return _draft(request, found, bench, target, params.leave_out)


async def _with_digest(release: Release, found: Survey, bench: Bench) -> Release:
    """The release with its digest, from the record, the hosts or the registry, in this order."""
    if release.sha256:
        return release
    kept = (found.state(host.name).has(release.version) for host in found.answered())
    digests = {one.sha256 for one in kept if one is not None and one.sha256}
    if len(digests) > 1:
        raise BadInput(
            f"{release.version} is not the same image on all hosts: {', '.join(sorted(d[:12] for d in digests))}",
            hint="deploy a version that is",
        )
    if digests:
        return Release(release.version, digests.pop())
    image = await _resolve(found, bench, release.version)
    return Release(release.version, image.digest.removeprefix("sha256:"))


def same(request: Request, found: Survey, bench: Bench) -> Draft:
    """Plan `service.restart`, `service.drain` or `service.undrain`."""
    params = drafting.params_of(request, HostsParams)
    verb = request.operation.rpartition(".")[2]
    if verb != "restart" and not (found.deploy.drain if verb == "drain" else found.deploy.undrain):
        raise BadInput(f"{found.service.name} declares no deploy.{verb}")
    hosts, left_out = drafting.included(found, params.leave_out)
    if verb == "restart":
        idle = [h.name for h in hosts if not state_of(found, h.name).live]
        if idle:
            raise BadInput(
                f"nothing of {found.name} runs on {', '.join(idle[:5])}: there is nothing to restart"
            )
    ways = {}
    for host in hosts:
        live = state_of(found, host.name).live
        spec = spec_of(bench.inventory, found.service, found.options, host, found.state(host.name).version)
        ways[host.name] = Way(
            spec=spec, was=tuple(one.id for one in live), started=live[0].started if live else ""
        )
    work = Work(
        operation=request.operation,
        service=found.service.name,
        env=found.env,
        by=request.actor,
        before={h.name: found.state(h.name).release for h in hosts},
        ways=ways,
    )
    commands = [c for host in hosts for c in _commands(found, host, work)]
    return drafting.same_release(request, found, bench, hosts, left_out, work, commands)


def _draft(request: Request, found: Survey, bench: Bench, target: Target, leave_out: bool) -> Draft:
    hosts, left_out = drafting.included(found, leave_out)
    _refuse_platform(found, hosts, target)
    hosts, left_out = _able(found, hosts, left_out, target)
    _refuse_other_images(found, hosts, target.release)
    work = _work(request, found, bench, target, hosts)
    rollout = drafting.rollout_of(found, bench, hosts, request)
    if not rollout.gate:
        options: DockerOptions = found.options
        rollout = msgspec.structs.replace(
            rollout, gate=f"each container lives {options.must_live():g} s, no restart"
        )
    work = msgspec.structs.replace(work, pinned=rollout.batches[0].targets[0])
    missing = [h.name for h in hosts if h.name not in work.present]
    need = _TIMES_ROOM * work.size if missing else 0
    rows = [*preflight(found, need), *_rows(found, target, hosts)]
    back = request.operation == ROLLBACK
    notes = (
        *drafting.failing(found, target.release),
        *drafting.warnings_of(found, back=back),
        *_downtime(found, work, hosts),
        *drafting.all_out(found, rollout),
        *drafting.low_on_disk(rows),
    )
    return Draft(
        summary=f"{drafting.summary_of(found, hosts)} -> {labelled(target.release.version, target.release.sha256)}"
        + (f" ({target.why})" if target.why else ""),
        risk=Risk.CHANGE,
        changes=drafting.changes_of(found, hosts, work),
        commands=tuple(c for host in hosts for c in _commands(found, host, work)),
        preconditions=drafting.preconditions(found, hosts),
        preflight=tuple(rows),
        rollout=rollout,
        lock_key=found.name,
        undo=drafting.undo_of(found, work),
        warnings=(*target.warnings, *notes),
        data=msgspec.to_builtins(work),
        secrets=tuple(sorted({*work.secrets.values(), *((work.login[1],) if work.login else ())})),
        left_out=left_out,
    )


def _work(request: Request, found: Survey, bench: Bench, target: Target, hosts: list[Host]) -> Work:
    options: DockerOptions = found.options
    release, back = target.release, request.operation == ROLLBACK
    good = good_releases(bench.remembered, found.name)
    states = {h.name: state_of(found, h.name) for h in hosts}
    ways = {}
    for host in hosts:
        state = states[host.name]
        spec = spec_of(bench.inventory, found.service, options, host, release.version)
        kept = state.stopped(release.sha256) if back else None
        ways[host.name] = Way(
            spec=spec,
            kept=kept.id if kept else "",
            kept_started=kept.started if kept else "",
            was=tuple(one.id for one in state.live),
            started=state.live[0].started if state.live else "",
            stop_first=stop_first(options, spec),
        )
    return Work(
        operation=request.operation,
        service=found.service.name,
        env=found.env,
        by=request.actor,
        release=release,
        image=f"{options.image}@sha256:{release.sha256}",
        size=target.found.size if target.found else 0,
        registry=options.repository.registry,
        ways=ways,
        secrets=options.secrets,
        login=(options.registry.user, options.registry.password) if options.registry else None,
        before={h.name: states[h.name].release for h in hosts},
        present=tuple(h.name for h in hosts if release.sha256 in states[h.name].images),
        unchanged=tuple(h.name for h in hosts if drafting.runs_already(found, h.name, release)),
        prune={
            h.name: gone
            for h in hosts
            if (gone := to_remove(states[h.name], release, found.deploy.keep, good))
        },
        migrations=() if back else tuple(m.name for m in found.deploy.before),
    )


def _able(
    found: Survey, hosts: list[Host], left_out: dict[str, str], target: Target
) -> tuple[list[Host], dict[str, str]]:
    """Where the registry does not have it (any more), only hosts that keep the image can run it."""
    if target.found is not None:
        return hosts, left_out
    digest = target.release.sha256
    able = [h for h in hosts if digest in state_of(found, h.name).images]
    if not able:
        raise BadInput(
            f"image {target.release.version} {digest[:12]} is on none of the hosts, and {target.unasked}",
            hint="push it again, or roll back to another version: --to",
        )
    why = f"the image is not on it, and {target.unasked}"
    return able, left_out | {h.name: why for h in hosts if h not in able}


def _refuse_platform(found: Survey, hosts: list[Host], target: Target) -> None:
    if target.found is None or not target.found.platforms:
        return
    built = target.found.platforms
    wrong = {h.name: p for h in hosts if (p := state_of(found, h.name).platform) not in built}
    if wrong:
        names = ", ".join(f"{name} is {platform}" for name, platform in list(wrong.items())[:5])
        raise Refused(
            f"{target.release.version} is built for {', '.join(built)}, but {names}",
            hint="build it for that platform too, or take the hosts out of the selection: -l",
        )


def _refuse_other_images(found: Survey, hosts: list[Host], release: Release) -> None:
    other = [
        h.name
        for h in hosts
        if (kept := found.state(h.name).has(release.version))
        and kept.sha256
        and kept.sha256 != release.sha256
    ]
    if other:
        raise BadInput(
            f"{release.version} on {', '.join(other[:5])} is another image: the tag was moved since it was deployed",
            hint="give the new build a version of its own",
        )


def _rows(found: Survey, target: Target, hosts: list[Host]) -> list[Preflight]:
    digest, version = target.release.sha256, target.release.version
    present: dict[str, bool | None] = {
        name: None if seen.state is None else digest in state_of(found, name).images
        for name, seen in found.seen.items()
    }
    there = sum(1 for answer in present.values() if answer)
    if target.found is None:
        row = counted(f"image {version} {digest[:12]} present", present, "not there")
        rows = [msgspec.structs.replace(row, note="; ".join(filter(None, (row.note, target.unasked))))]
    else:
        size = f"{target.found.size / 1e6:.1f} MB, " if target.found.size else ""
        note = f"{size}on {counting.counted(there, 'host')} already, pulled by the others before any stop"
        rows = [Preflight(name=f"image {version} {digest[:12]} in the registry", ok=1, note=note)]
        if target.found.platforms:
            platforms = {h.name: state_of(found, h.name).platform in target.found.platforms for h in hosts}
            rows.append(
                counted(f"built for {', '.join(target.found.platforms)}", {**platforms}, "another platform")
            )
    return rows


def _downtime(found: Survey, work: Work, hosts: list[Host]) -> list[str]:
    if not any(work.ways[h.name].stop_first for h in hosts if h.name not in work.unchanged):
        return []
    if found.deploy.drain:
        return []
    return [
        "a port of the host is published: each host is down from the stop of the old to the start of the new"
    ]


def _commands(found: Survey, host: Host, work: Work) -> list[Command]:
    """Everything that is asked of one host, in its order."""
    if host.name in work.unchanged:
        return []
    doors = {verb: door_argv(found.service, found.deploy, host, verb) for verb in ("drain", "undrain")}
    state = state_of(found, host.name)
    return [
        Command(target=host.name, argv=tuple(argv), note=note)
        for argv, note in (
            *before(found.service, host, work),
            *around(found.deploy, work, doors, change(found.service, state, host, work)),
            *pruning(found.options, state, work.prune.get(host.name, ())),
        )
        if argv
    ]
