"""What became of an attempt that nobody saw end: read from its claim, the link, the mark and the health."""

from __future__ import annotations

import msgspec

from ondeck.job.finding import Attempt, Finding
from ondeck.job.outcome import Outcome
from ondeck.operate.deploys import migrating
from ondeck.operate.deploys.state import HostState
from ondeck.operate.wayback import Release
from ondeck.reach.detached import Look, Stage
from providers.release import traffic
from providers.release.onhost import BACK, OnHost
from providers.release.options import ByCommand

_CLAIMED = ("service.deploy", "service.rollback", "service.restart")


async def reconcile(on: OnHost, attempt: Attempt) -> Finding:
    """The outcome with its evidence; only reads, but makes a late start impossible.

    Raises:
        LinkLost, Unreachable, TimeoutError: The host cannot be asked now.
        RemoteFailed: It answered with an error.
    """
    state = await on.state()
    if on.work.operation not in _CLAIMED:
        return await traffic.became(on, attempt, state)
    seen = await on.step(attempt.id).look(take=True)
    if seen.stage in (Stage.RUNNING, Stage.STARTING):
        return seen.finding()
    if (busy := await traffic.busy(on, attempt)) is not None:
        return busy
    state = await traffic.told(on, attempt, state)
    if seen.stage in (Stage.ABSENT, Stage.UNSTARTED):
        return await _not_started(on, attempt, state)
    back = await on.step(attempt.id + BACK).look()
    if back.stage is not Stage.ABSENT:
        found = await _went_back(on, back, state, seen)
    elif seen.stage is Stage.ENDED and seen.status == 0:
        found = await _ended(on, state)
    else:
        outcome = Outcome.FAILED if seen.stage is Stage.ENDED else Outcome.UNKNOWN
        text = f"{seen.finding().evidence}; runs {state.label()}{traffic.words(on, state)}"
        found = Finding(outcome=outcome, evidence=text, status=seen.status)
    if found.outcome is Outcome.SUCCEEDED:
        return found
    return msgspec.structs.replace(found, evidence=f"{found.evidence}{migrating.stays(on)}")


async def _ended(on: OnHost, state: HostState) -> Finding:
    """The step ended with 0: the link, the health and the drain have to agree."""
    wanted, runs = on.work.release, f"runs {state.label()}"
    if wanted.version and not _is(on, state, wanted):
        return Finding(outcome=Outcome.FAILED, evidence=f"exit 0, but it {runs} now", status=0)
    verdict = await on.healthy()
    text = f"exit 0, {runs}, {verdict.text}"
    not_known = state.drained is None and bool(on.deploy.drain)
    if verdict.ok is None or (verdict.ok and not_known):
        return Finding(outcome=Outcome.UNKNOWN, evidence=f"{text}{traffic.words(on, state)}", status=0)
    if not verdict.ok or state.drained:
        return Finding(outcome=Outcome.FAILED, evidence=f"{text}{traffic.words(on, state)}", status=0)
    return Finding(outcome=Outcome.SUCCEEDED, evidence=text, status=0)


def _is(on: OnHost, state: HostState, release: Release) -> bool:
    if isinstance(on.options, ByCommand):
        return state.version == release.version
    return Release(state.version, state.digest) == release


async def _went_back(on: OnHost, back: Look, state: HostState, seen: Look) -> Finding:
    if back.stage in (Stage.RUNNING, Stage.STARTING):
        return back.finding()
    verdict = await on.healthy()
    how = "healthy" if verdict.ok else f"not known to be healthy: {verdict.text}"
    text = (
        f"{seen.finding().evidence}, then went back: {back.finding().evidence}; runs {state.label()}, {how}"
    )
    outcome = Outcome.FAILED if back.stage is Stage.ENDED else Outcome.UNKNOWN
    return Finding(outcome=outcome, evidence=text + traffic.words(on, state), status=seen.status)


async def _not_started(on: OnHost, attempt: Attempt, state: HostState) -> Finding:
    """Nothing was switched; but what comes before may have been done already."""
    runs = f"runs {state.label()}"
    out = state.drained == attempt.id
    not_known = state.drained is None and bool(on.deploy.drain)
    if begun := await migrating.ran(on, attempt):
        found = migrating.became(begun, f"{runs}{traffic.words(on, state)}")
        return msgspec.structs.replace(found, outcome=Outcome.UNKNOWN) if not_known else found
    if out:
        text = f"nothing was switched, {runs}; drained and not taken back in: ondeck undrain {on.work.name}"
        return Finding(outcome=Outcome.FAILED, evidence=text)
    if not_known:
        text = f"nothing was switched, {runs}{traffic.words(on, state)}"
        return Finding(outcome=Outcome.UNKNOWN, evidence=text)
    return Finding(outcome=Outcome.NOT_STARTED, evidence=f"no claim on the host, {runs}")
