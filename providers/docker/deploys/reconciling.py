"""What became of an attempt that nobody saw end: read from its container, what runs, the doors and the health."""

from __future__ import annotations

import time

import msgspec

from ondeck.errors import Refused
from ondeck.job.finding import Attempt, Finding
from ondeck.job.outcome import Outcome
from ondeck.operate.deploys import migrating
from providers.docker.deploys.onhost import OnHost
from providers.docker.deploys.state import Container, DockerState, inspect

_MARGIN = 3.0
"""Seconds beyond the grace of a stop after which a request that was on its way has come to something."""


async def reconcile(on: OnHost, attempt: Attempt) -> Finding:
    """The outcome with its evidence; changes nothing that runs, but makes a late start impossible.

    Raises:
        LinkLost, Unreachable, TimeoutError: The host cannot be asked now.
        RemoteFailed: It answered with an error.
    """
    operation = on.work.operation
    if operation in ("service.drain", "service.undrain"):
        return await on.doors.became(attempt, drains=operation == "service.drain")
    if (busy := await on.doors.busy(attempt)) is not None:
        return busy
    mine = await on.mine(attempt)
    if mine is None and not await _taken(on, attempt):
        mine = await on.mine(attempt)
    state = await on.state()
    state = msgspec.structs.replace(state, drained=await on.doors.drained(attempt))
    if mine is None:
        return await not_started(on, attempt, state, "no container of the attempt on the host")
    if operation == "service.restart":
        return await _restarted(on, mine, state)
    if mine.claim:
        return await not_started(on, attempt, state, "the attempt's name was taken before it started")
    if not _was_started(on, mine):
        return await _made_only(on, attempt, mine, state)
    found = await _started(on, mine, state)
    if found.outcome is Outcome.SUCCEEDED:
        return found
    return msgspec.structs.replace(found, evidence=f"{found.evidence}{migrating.stays(on)}")


async def _taken(on: OnHost, attempt: Attempt) -> bool:
    """Whether the name is held now, so that nothing can start under it any more."""
    try:
        await on.hold(attempt)
    except Refused:
        return False
    return True


def words(on: OnHost, state: DockerState) -> str:
    """What is to be said behind the state of a host that may be out of the traffic."""
    if state.drained is None:
        return ", perhaps still drained" if on.deploy.drain else ""
    return f", still drained: ondeck undrain {on.work.name}" if state.drained else ""


def _was_started(on: OnHost, mine: Container) -> bool:
    """A kept container was started in its first life too: only a new start counts."""
    return mine.begun and mine.started != on.way.kept_started


def _young(mine: Container, state: DockerState, grace: float) -> bool:
    """Whether a request that was sent for it may still be worked on by the engine."""
    age = time.time() + (state.offset or 0.0) - mine.created / 1e9
    return age < grace + _MARGIN


def runs(on: OnHost, state: DockerState) -> str:
    """What runs, in words; nothing is said loudly."""
    if state.live:
        return f"runs {state.label()}"
    return f"NOTHING of {on.work.name} runs on it"


async def _made_only(on: OnHost, attempt: Attempt, mine: Container, state: DockerState) -> Finding:
    """Its container was made and not started (yet)."""
    if not on.way.kept and _young(mine, state, on.way.spec.stop_grace):
        text = "its container is made; a stop or start may be under way"
        return Finding(outcome=Outcome.UNKNOWN, evidence=text, still_running=True)
    if not state.live and on.way.was:
        text = f"its container was made and not started, what ran is stopped: {runs(on, state)}{words(on, state)}"
        return Finding(outcome=Outcome.FAILED, evidence=text)
    return await not_started(on, attempt, state, "its container was made and never started")


async def not_started(on: OnHost, attempt: Attempt, state: DockerState, how: str) -> Finding:
    """Nothing was switched; but what comes before may have been done already."""
    not_known = state.drained is None and bool(on.deploy.drain)
    if begun := await migrating.ran(on, attempt):
        found = migrating.became(begun, f"{runs(on, state)}{words(on, state)}")
        return msgspec.structs.replace(found, outcome=Outcome.UNKNOWN) if not_known else found
    text = f"nothing was switched, {runs(on, state)}{words(on, state)}"
    if state.drained:
        return Finding(outcome=Outcome.FAILED, evidence=text)
    if not_known:
        return Finding(outcome=Outcome.UNKNOWN, evidence=text)
    return Finding(outcome=Outcome.NOT_STARTED, evidence=f"{how}, {runs(on, state)}")


async def _started(on: OnHost, mine: Container, state: DockerState) -> Finding:
    """It was started: it has to be the only one that runs, healthy, and in the traffic."""
    others = [one for one in state.live if one.id != mine.id]
    if not mine.running:
        back = f"; went back, {runs(on, state)}" if others else f"; {runs(on, state)}"
        text = f"its container was started and ended: {mine.ended()}{back}{words(on, state)}"
        return Finding(outcome=Outcome.FAILED, evidence=text)
    verdict = await on.healthy(mine)
    text = f"{runs(on, state)}, {verdict.text}"
    if others:
        names = ", ".join(one.version for one in others)
        text += f"; {names} runs beside it"
        return Finding(outcome=Outcome.FAILED, evidence=f"{text}{words(on, state)}")
    not_known = state.drained is None and bool(on.deploy.drain)
    if verdict.ok is None or (verdict.ok and not_known):
        return Finding(outcome=Outcome.UNKNOWN, evidence=f"{text}{words(on, state)}")
    if not verdict.ok or state.drained:
        return Finding(outcome=Outcome.FAILED, evidence=f"{text}{words(on, state)}")
    return Finding(outcome=Outcome.SUCCEEDED, evidence=text)


async def _restarted(on: OnHost, mine: Container, state: DockerState) -> Finding:
    """A restart: what ran has to have another start time than in the plan."""
    was = await inspect(on.engine, on.way.was[0]) if on.way.was else None
    if was is None:
        text = f"what ran is not there any more; {runs(on, state)}{words(on, state)}"
        return Finding(outcome=Outcome.FAILED, evidence=text)
    if was.started == on.way.started:
        if _young(mine, state, on.way.spec.stop_grace):
            return Finding(outcome=Outcome.UNKNOWN, evidence="a restart may be under way", still_running=True)
        text = f"it was not restarted, {runs(on, state)}{words(on, state)}"
        begun = bool(state.drained) or not was.running
        return Finding(outcome=Outcome.FAILED if begun else Outcome.NOT_STARTED, evidence=text)
    verdict = await on.healthy(was)
    text = f"restarted, {verdict.text}{words(on, state)}"
    not_known = state.drained is None and bool(on.deploy.drain)
    if verdict.ok is None or (verdict.ok and not_known):
        return Finding(outcome=Outcome.UNKNOWN, evidence=text)
    good = verdict.ok and not state.drained
    return Finding(outcome=Outcome.SUCCEEDED if good else Outcome.FAILED, evidence=text)
