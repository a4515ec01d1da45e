"""What became of an attempt that nobody saw end: read from its claim, the link, the mark and the health."""

from __future__ import annotations

from ondeck.operate.outcome import Outcome
from ondeck.operate.ports import Attempt, Finding
from ondeck.operate.wayback import Release
from ondeck.reach.detached import Look, Stage
from providers.release.hoststate import HostState
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
        return _drained(on, attempt, state)
    seen = await on.step(attempt.id).look(take=True)
    if seen.stage in (Stage.RUNNING, Stage.STARTING):
        return seen.finding()
    back = await on.step(attempt.id + BACK).look()
    runs = f"runs {state.label()}"
    if seen.stage in (Stage.ABSENT, Stage.UNSTARTED):
        return _not_started(on, attempt, state, runs)
    if back.stage is not Stage.ABSENT:
        return await _went_back(on, back, state, seen)
    if seen.stage is not Stage.ENDED or seen.status != 0:
        found = seen.finding()
        outcome = Outcome.FAILED if seen.stage is Stage.ENDED else Outcome.UNKNOWN
        return Finding(outcome=outcome, evidence=f"{found.evidence}; {runs}{_out(state)}", status=seen.status)
    return await _ended(on, state, runs)


async def _ended(on: OnHost, state: HostState, runs: str) -> Finding:
    """The step ended with 0: the link, the health and the drain have to agree."""
    wanted = on.work.release
    if wanted.version and not _is(on, state, wanted):
        return Finding(outcome=Outcome.FAILED, evidence=f"exit 0, but it {runs} now", status=0)
    verdict = await on.healthy()
    text = f"exit 0, {runs}, {verdict.text}"
    if verdict.ok is None:
        return Finding(outcome=Outcome.UNKNOWN, evidence=f"{text}{_out(state)}", status=0)
    if not verdict.ok or state.drained:
        return Finding(outcome=Outcome.FAILED, evidence=f"{text}{_out(state)}", status=0)
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
    return Finding(outcome=outcome, evidence=text + _out(state), status=seen.status)


def _not_started(on: OnHost, attempt: Attempt, state: HostState, runs: str) -> Finding:
    """Nothing was switched; but it may have been drained already."""
    if state.drained == attempt.id:
        text = f"nothing was switched, {runs}; drained and not taken back in: ondeck undrain {on.work.name}"
        return Finding(outcome=Outcome.FAILED, evidence=text)
    return Finding(outcome=Outcome.NOT_STARTED, evidence=f"no claim on the host, {runs}")


def _drained(on: OnHost, attempt: Attempt, state: HostState) -> Finding:
    if isinstance(on.options, ByCommand) or state.drained is None:
        return Finding(outcome=Outcome.UNKNOWN, evidence="nothing on the host tells whether it is drained")
    said = f"marked as drained by {state.drained}" if state.drained else "not marked as drained"
    text = f"{said}; whether the command itself ended is not recorded"
    wanted = state.drained == attempt.id if on.work.operation == "service.drain" else not state.drained
    return Finding(outcome=Outcome.UNKNOWN if wanted else Outcome.FAILED, evidence=text)


def _out(state: HostState) -> str:
    return ", still drained" if state.drained else ""
