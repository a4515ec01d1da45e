"""From a survey to a draft: which release, which hosts, in which order, and exactly what is sent."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

import msgspec

from ondeck import counting
from ondeck.bench import Bench
from ondeck.errors import BadInput, Refused
from ondeck.inventory.model import Host
from ondeck.job.plan import Action, Change, Draft, Precondition, Preflight, Request, RolloutPlan
from ondeck.job.spec import Risk
from ondeck.observe.health import declared
from ondeck.operate.batches import apart, batches, share_for
from ondeck.operate.wayback import Release, Runs, good_releases, way_back
from providers.release.archive import Archive, available, find, inspect
from providers.release.commands import commands, irreversible
from providers.release.hoststate import HostState, labelled
from providers.release.manifest import DeployParams, HostsParams, RollbackParams
from providers.release.options import ByCommand, ReleaseDir, archive_pattern, version_of
from providers.release.retention import to_remove
from providers.release.survey import Survey, counted, preflight, unread_signals
from providers.release.work import Work

P = TypeVar("P", DeployParams, RollbackParams, HostsParams)

ROLLBACK = "service.rollback"
FACT = "release running"
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
    params = _params(request, DeployParams)
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
    params = _params(request, RollbackParams)
    good = good_releases(bench.remembered, found.name)
    release, why, warnings = _where_back(params.to, found, good)
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


def _where_back(to: str, found: Survey, good: list[Release]) -> tuple[Release, str, tuple[str, ...]]:
    if to:
        version = version_of(to)
        known = next((r for r in good if r.version == version), Release(version))
        return known, "as asked", ()
    states = [found.state(host.name) for host in found.answered()]
    hosts = [
        Runs(Release(s.version, s.digest), tuple((kept.when, kept.version) for kept in s.kept))
        for s in states
    ]
    way = way_back(good, hosts)
    if way is not None and way.recorded:
        release = way.release
        strange = sorted({h.release.version for h in hosts if h.release.version and h.release not in good})
        note = f"{', '.join(strange)} runs and was never recorded as good: last good is from before it"
        return release, "last good", (note,) if strange else ()
    if way is None:
        raise _nothing_older(found, states)
    live = ", ".join(sorted({s.version for s in states if s.version}))
    warning = f"no last good release is recorded: {way.release} is the newest kept one from before {live}"
    return way.release, "newest kept", (warning,)


def _nothing_older(found: Survey, states: Sequence[HostState]) -> BadInput:
    live = {s.version for s in states if s.version}
    later = sorted(
        {(k.when, k.version) for s in states for k in s.kept if k.version not in live}, reverse=True
    )
    kept = f"; kept, but newer: {', '.join(version for _, version in later)}" if later else ""
    runs = ", ".join(sorted(live)) or "nothing"
    return BadInput(
        f"no release to go back to is known for {found.name}: it runs {runs}, and nothing older is kept",
        hint=f"name one: ondeck rollback SERVICE@ENV --to VERSION{kept}",
    )


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
    params = _params(request, HostsParams)
    verb = request.operation.rpartition(".")[2]
    if verb == "restart" and not found.options.restart_argv():
        raise BadInput(f"{found.service.name} declares neither deploy.unit nor deploy.restart")
    if verb != "restart" and not (found.deploy.drain if verb == "drain" else found.deploy.undrain):
        raise BadInput(f"{found.service.name} declares no deploy.{verb}")
    hosts, left_out = _included(found, params.leave_out)
    work = Work(
        operation=request.operation,
        service=found.service.name,
        env=found.env,
        by=request.actor,
        before={h.name: _running(found.state(h.name)) for h in hosts},
    )
    after = {"restart": "restarted", "drain": "out", "undrain": "in"}[verb]
    rollout = _rollout(found, bench, hosts, request)
    warnings = list(_warnings(found, gated=verb == "restart"))
    if verb == "restart":
        warnings += _all_out(found, rollout)
    if verb == "drain" and {h.name for h in hosts} >= set(found.members):
        warnings.append(f"this takes every host of {found.name} out of the traffic")
    return Draft(
        summary=f"{verb} {found.service.name} on {len(hosts)} of {counting.counted(len(found.hosts), 'host')}",
        risk=Risk.CHANGE,
        changes=tuple(
            Change(
                action=Action.RUN,
                target=host.name,
                address=found.service.name,
                before=found.state(host.name).label(),
                after=after,
            )
            for host in hosts
        ),
        commands=tuple(c for host in hosts for c in commands(found, host, work)),
        preconditions=_preconditions(found, hosts),
        preflight=tuple(preflight(found, 0)),
        rollout=rollout,
        lock_key=found.name,
        undo={"drain": f"ondeck undrain {found.name}", "undrain": f"ondeck drain {found.name}"}.get(verb, ""),
        warnings=tuple(warnings),
        data=msgspec.to_builtins(work),
        left_out=left_out,
        lasting=verb == "drain",
        out=found.out() if verb == "drain" else (),
    )


def _draft(request: Request, found: Survey, bench: Bench, target: Target, leave_out: bool) -> Draft:
    release = target.release
    hosts, left_out = _included(found, leave_out)
    hosts, left_out = _with_release(found, hosts, left_out, target)
    _refuse_other_builds(found, hosts, release)
    same = [h.name for h in hosts if _same(found, h.name, release)]
    back = request.operation == ROLLBACK
    keep_safe = good_releases(bench.remembered, found.name)
    work = Work(
        operation=request.operation,
        service=found.service.name,
        env=found.env,
        by=request.actor,
        release=release,
        archive=target.archive.path if target.archive else "",
        before={h.name: _running(found.state(h.name)) for h in hosts},
        present=tuple(h.name for h in hosts if found.state(h.name).has(release.version)),
        unchanged=tuple(same),
        prune={
            h.name: gone
            for h in hosts
            if (gone := to_remove(found.state(h.name), release, found.deploy.keep, keep_safe))
        },
        migrations=() if back else _migrations(found, release),
    )
    rollout = _rollout(found, bench, hosts, request)
    work = msgspec.structs.replace(work, pinned=rollout.batches[0].targets[0])
    need = 2 * target.archive.unpacked if target.archive and len(work.present) < len(hosts) else 0
    rows = [*preflight(found, need), *_release_rows(found, target)]
    notes = (
        *_failing(found, release),
        *_warnings(found, back=back),
        *_all_out(found, rollout),
        *_low_on_disk(rows),
    )
    return Draft(
        summary=f"{_summary(found, hosts)} -> {labelled(release.version, release.sha256)}"
        + (f" ({target.why})" if target.why else ""),
        risk=Risk.CHANGE,
        changes=_changes(found, hosts, work),
        commands=tuple(c for host in hosts for c in commands(found, host, work)),
        preconditions=_preconditions(found, hosts),
        preflight=tuple(rows),
        rollout=rollout,
        lock_key=found.name,
        undo=_undo(found, work),
        warnings=(*target.warnings, *notes),
        data=msgspec.to_builtins(work),
        left_out=left_out,
    )


def _params(request: Request, kind: type[P]) -> P:
    try:
        return msgspec.convert(request.params, kind, strict=False)
    except msgspec.ValidationError as error:
        raise BadInput(f"{request.operation}: {error}") from error


def _included(found: Survey, leave_out: bool) -> tuple[list[Host], dict[str, str]]:
    lost = found.lost()
    if lost and not leave_out:
        names = ", ".join(f"{host} ({error})" for host, error in lost.items())
        raise Refused(
            f"{counting.counted(len(lost), 'host')} could not be asked: {names}",
            hint="allow them to be left out",
        )
    return found.answered(), {host: f"could not be asked: {error}" for host, error in lost.items()}


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


def _same(found: Survey, host: str, release: Release) -> bool:
    return _running(found.state(host)) == release and found.seen[host].probe.ok is not False


def _running(state: HostState) -> Release:
    return Release(state.version, state.digest)


def _migrations(found: Survey, release: Release) -> tuple[str, ...]:
    done: set[str] = set()
    for host in found.answered():
        kept = found.state(host.name).has(release.version)
        done.update(kept.migrated if kept else ())
    return tuple(m.name for m in found.deploy.before if m.on != "one" or m.name not in done)


def _rollout(found: Survey, bench: Bench, hosts: list[Host], request: Request) -> RolloutPlan:
    verb = request.operation.rpartition(".")[2]
    environment = bench.inventory.environments.get(found.env)
    sizes: Sequence[str] = found.deploy.batches
    sick = found.sick() if verb in ("rollback", "restart") else []
    if request.operation == ROLLBACK and sick and len(sizes) > 1:
        # The sick ones go first and say whether it helps: no other canary is waited for.
        sizes = [s for s in sizes if s != "1"] or sizes
    check = found.service.health
    gate = f"health {check.times}x in a row on every host" if check and declared(check) else ""
    if gate and (unread := unread_signals(found.service)):
        gate += f"; {unread}"
    return RolloutPlan(
        batches=batches(
            [h.name for h in hosts],
            sizes,
            first=sick,
            keep_apart=apart(hosts),
            share=share_for(environment, verb),
            of=len(found.members),
        ),
        gate="" if verb in ("drain", "undrain") else gate,
    )


def _preconditions(found: Survey, hosts: list[Host]) -> tuple[Precondition, ...]:
    return tuple(Precondition(target=h.name, fact=FACT, expected=found.state(h.name).label()) for h in hosts)


def _changes(found: Survey, hosts: list[Host], work: Work) -> tuple[Change, ...]:
    after = labelled(work.release.version, work.release.sha256)
    result = []
    for host in hosts:
        state = found.state(host.name)
        action = Action.NO_OP if host.name in work.unchanged else Action.UPDATE
        if not state.version:
            action = Action.CREATE
        result.append(
            Change(
                action=action,
                target=host.name,
                address=found.service.name,
                before=state.label(),
                after=after,
            )
        )
        result.extend(
            Change(action=Action.DELETE, target=host.name, address=f"release {gone}", before=gone)
            for gone in work.prune.get(host.name, ())
        )
    return tuple(result)


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


def _summary(found: Survey, hosts: list[Host]) -> str:
    counts = Counter(found.state(h.name).label() for h in hosts)
    if len(counts) == 1:
        return next(iter(counts))
    return "mixed: " + ", ".join(f"{label} on {count}" for label, count in counts.most_common(3))


def _irreversible(found: Survey, names: Sequence[str]) -> list[str]:
    return [m.name for m in found.deploy.before if m.name in names and irreversible(m)]


def _undo(found: Survey, work: Work) -> str:
    blocked = _irreversible(found, work.migrations)
    if blocked:
        return f"not by itself: {', '.join(blocked)} cannot be taken back"
    before = {r.version for r in work.before.values() if r.version}
    if len(before) == 1 and before != {work.release.version}:
        return f"ondeck rollback {found.name} --to {next(iter(before))}"
    return f"ondeck rollback {found.name}"


def _warnings(found: Survey, *, back: bool = False, gated: bool = True) -> list[str]:
    result = []
    if not declared(found.service.health):
        result.append(f"{found.service.name} declares no health check: only exit statuses will be known")
    if gated and (unread := unread_signals(found.service)):
        by = "health" if declared(found.service.health) else "exit statuses"
        result.append(f"{unread}: this rollout is gated on {by} alone")
    once = _irreversible(found, [m.name for m in found.deploy.before])
    if back and once:
        result.append(f"{', '.join(once)} cannot be taken back: the older release meets what it left")
    drained = [h.name for h in found.answered() if found.state(h.name).drained]
    if drained:
        result.append(f"drained now: {', '.join(drained[:5])}; a successful change takes them back in")
    return result


def _failing(found: Survey, release: Release) -> list[str]:
    names = [
        h.name
        for h in found.answered()
        if _running(found.state(h.name)) == release and found.seen[h.name].probe.ok is False
    ]
    return [f"{release.version} fails its health check now on {', '.join(names[:5])}"] if names else []


def _all_out(found: Survey, rollout: RolloutPlan) -> list[str]:
    """Said when a batch drains every host at once: nothing serves until the first is back."""
    members = set(found.members)
    if not found.deploy.drain or len(members) < 2:
        return []
    at_once = rollout.parallel or len(members)
    whole = [n for n, batch in enumerate(rollout.batches, 1) if members <= set(batch.targets)]
    if not whole or at_once < len(members):
        return []
    return [f"batch {whole[0]} takes every host of {found.name} out of the traffic at once"]


def _low_on_disk(rows: Sequence[Preflight]) -> list[str]:
    return [f"{row.name}: {row.note}" for row in rows if row.bad and row.name.startswith(("disk", "clock"))]
