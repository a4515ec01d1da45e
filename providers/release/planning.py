"""From a survey to a draft: which release, which hosts, in which order, and exactly what is sent."""

from __future__ import annotations

import asyncio
from collections import Counter

import msgspec

from ondeck import counting
from ondeck.bench import Bench
from ondeck.errors import BadInput
from ondeck.inventory.model import Host
from ondeck.job.plan import Draft, Preflight, Request
from ondeck.job.services import DeployParams, HostsParams, RollbackParams
from ondeck.job.spec import Risk
from ondeck.operate.deploys import drafting
from ondeck.operate.deploys.back import where_back
from ondeck.operate.deploys.drafting import ROLLBACK
from ondeck.operate.deploys.retention import to_remove
from ondeck.operate.deploys.state import labelled
from ondeck.operate.deploys.survey import Survey, counted, preflight
from ondeck.operate.wayback import Release, good_releases
from providers.release.archive import Archive, available, find, inspect
from providers.release.commands import commands
from providers.release.options import ByCommand, ReleaseDir, archive_pattern, version_of
from providers.release.work import Work

_SHOWN = 8  # versions in a hint, newest first


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """The release that a draft leads to.

    Attributes:
        archive: None when it is not on the bastion (any more) or there is none by design.
        why: In brackets behind the version: `last good`.
    """

    release: Release
    archive: Archive | None = None
    why: str = ""
    warnings: tuple[str, ...] = ()


async def deploy(request: Request, found: Survey, bench: Bench) -> Draft:
    """Plan `service.deploy`."""
    params = drafting.params_of(request, DeployParams)
    version = version_of(params.version)
    if isinstance(found.options, ByCommand):
        return _draft(request, found, bench, Target(release=Release(version)), params.leave_out)
    pattern = archive_pattern(bench.inventory, found.options)
    path = find(pattern, version)
    if path is None:
        there = await asyncio.to_thread(available, pattern)
        raise BadInput(
            f"there is no archive of {found.service.name} {version} on the bastion",
            hint=f"looked for {pattern.name.replace('${version}', version)} in {pattern.parent}; "
            + (f"there are: {', '.join(there[:_SHOWN])}" if there else "there is none"),
        )
    archive = await asyncio.to_thread(inspect, path)
    target = Target(release=Release(version, archive.sha256), archive=archive)
    return _draft(request, found, bench, target, params.leave_out)


async def rollback(request: Request, found: Survey, bench: Bench) -> Draft:
    """Plan `service.rollback`: to a named release, the last good one, or the newest that is kept."""
    params = drafting.params_of(request, RollbackParams)
    good = good_releases(bench.remembered, found.name)
    release, why, warnings = where_back(params.to, found, good, version_of)
    archive = None
    if isinstance(found.options, ReleaseDir):
        path = find(archive_pattern(bench.inventory, found.options), release.version)
        if path is not None:
            archive = await asyncio.to_thread(inspect, path)
        release = _with_digest(release, found, archive)
        if archive is not None and archive.sha256 != release.sha256:
            archive = None
    target = Target(release=release, archive=archive, why=why, warnings=warnings)
    return _draft(request, found, bench, target, params.leave_out)


def _with_digest(release: Release, found: Survey, archive: Archive | None) -> Release:
    """The release with its digest, from the record, the hosts or the archive, in this order."""
    if release.sha256:
        return release
    digests = Counter(
        kept.sha256
        for host in found.answered()
        if (kept := found.state(host.name).has(release.version)) is not None
    )
    if len(digests) > 1:
        raise BadInput(
            f"{release.version} is not the same build on all hosts: {', '.join(d[:12] for d in digests)}",
            hint="deploy a version that is",
        )
    digest = next(iter(digests), archive.sha256 if archive else "")
    if not digest:
        raise BadInput(f"release {release.version} is neither on a host nor on the bastion")
    return Release(release.version, digest)


def restart(request: Request, found: Survey, bench: Bench) -> Draft:
    """Plan `service.restart`, `service.drain` or `service.undrain`."""
    params = drafting.params_of(request, HostsParams)
    verb = request.operation.rpartition(".")[2]
    if verb == "restart" and not found.options.restart_argv():
        raise BadInput(f"{found.service.name} declares neither deploy.unit nor deploy.restart")
    if verb != "restart" and not (found.deploy.drain if verb == "drain" else found.deploy.undrain):
        raise BadInput(f"{found.service.name} declares no deploy.{verb}")
    hosts, left_out = drafting.included(found, params.leave_out)
    work = Work(
        operation=request.operation,
        service=found.service.name,
        env=found.env,
        by=request.actor,
        before={h.name: found.state(h.name).release for h in hosts},
    )
    sent = [c for host in hosts for c in commands(found, host, work)]
    clock = not isinstance(found.options, ByCommand)
    return drafting.same_release(request, found, bench, hosts, left_out, work, sent, clock)


def _draft(request: Request, found: Survey, bench: Bench, target: Target, leave_out: bool) -> Draft:
    release = target.release
    hosts, left_out = drafting.included(found, leave_out)
    hosts, left_out = _with_release(found, hosts, left_out, target)
    _refuse_other_builds(found, hosts, release)
    same = [h.name for h in hosts if drafting.runs_already(found, h.name, release)]
    back = request.operation == ROLLBACK
    keep_safe = good_releases(bench.remembered, found.name)
    work = Work(
        operation=request.operation,
        service=found.service.name,
        env=found.env,
        by=request.actor,
        release=release,
        archive=target.archive.path if target.archive else "",
        before={h.name: found.state(h.name).release for h in hosts},
        present=tuple(h.name for h in hosts if found.state(h.name).has(release.version)),
        unchanged=tuple(same),
        prune={
            h.name: gone
            for h in hosts
            if (gone := to_remove(found.state(h.name), release, found.deploy.keep, keep_safe))
        },
        migrations=() if back else _migrations(found, release),
    )
    rollout = drafting.rollout_of(found, bench, hosts, request)
    work = msgspec.structs.replace(work, pinned=rollout.batches[0].targets[0])
    need = 2 * target.archive.unpacked if target.archive and len(work.present) < len(hosts) else 0
    rows = [
        *preflight(found, need, clock=not isinstance(found.options, ByCommand)),
        *_release_rows(found, target),
    ]
    notes = (
        *drafting.failing(found, release),
        *drafting.warnings_of(found, back=back),
        *drafting.all_out(found, rollout),
        *drafting.low_on_disk(rows),
    )
    return Draft(
        summary=f"{drafting.summary_of(found, hosts)} -> {labelled(release.version, release.sha256)}"
        + (f" ({target.why})" if target.why else ""),
        risk=Risk.CHANGE,
        changes=drafting.changes_of(found, hosts, work),
        commands=tuple(c for host in hosts for c in commands(found, host, work)),
        preconditions=drafting.preconditions(found, hosts),
        preflight=tuple(rows),
        rollout=rollout,
        lock_key=found.name,
        undo=drafting.undo_of(found, work),
        warnings=(*target.warnings, *notes),
        data=msgspec.to_builtins(work),
        left_out=left_out,
    )


def _with_release(
    found: Survey, hosts: list[Host], left_out: dict[str, str], target: Target
) -> tuple[list[Host], dict[str, str]]:
    """Without an archive only hosts that keep the release can get it."""
    if isinstance(found.options, ByCommand) or target.archive is not None:
        return hosts, left_out
    version = target.release.version
    able = [h for h in hosts if found.state(h.name).has(version)]
    if not able:
        raise BadInput(f"release {version} is on none of the hosts and its archive is not on the bastion")
    without = {
        h.name: f"{version} is not kept on it and its archive is not on the bastion"
        for h in hosts
        if h not in able
    }
    return able, left_out | without


def _refuse_other_builds(found: Survey, hosts: list[Host], release: Release) -> None:
    other = [
        h.name
        for h in hosts
        if (kept := found.state(h.name).has(release.version)) and kept.sha256 != release.sha256
    ]
    if other:
        raise BadInput(
            f"{release.version} on {', '.join(other[:5])} is another build: a release is never replaced",
            hint="give the new build a version of its own",
        )


def _migrations(found: Survey, release: Release) -> tuple[str, ...]:
    done: set[str] = set()
    for host in found.answered():
        kept = found.state(host.name).has(release.version)
        done.update(kept.migrated if kept else ())
    return tuple(m.name for m in found.deploy.before if m.on != "one" or m.name not in done)


def _release_rows(found: Survey, target: Target) -> list[Preflight]:
    if isinstance(found.options, ByCommand):
        return []
    version = target.release.version
    present = {
        name: None if seen.state is None else seen.state.has(version) is not None
        for name, seen in found.seen.items()
    }
    if target.archive is None:
        return [counted(f"release {version} present", present, "not kept")]
    there = sum(1 for answer in present.values() if answer)
    on = counting.counted(there, "host")
    size = f"{target.archive.size / 1e6:.1f} MB, {target.archive.entries} entries, on {on} already"
    return [Preflight(name=f"archive {version}, checksum {target.archive.sha256[:12]}", ok=1, note=size)]
