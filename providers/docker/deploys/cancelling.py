"""Cancelled in the middle: what was done by then, and what the host is now, as it was seen afterwards."""

from __future__ import annotations

import msgspec

from ondeck.errors import OndeckError
from ondeck.job.finding import Attempt, Finding
from ondeck.job.outcome import Outcome
from ondeck.operate.deploys import migrating
from ondeck.operate.deploys.state import why
from ondeck.operate.ports import Emit
from providers.docker.deploys.onhost import OnHost
from providers.docker.deploys.reconciling import runs, words
from providers.docker.deploys.state import DockerState, inspect


async def after_cancel(on: OnHost, attempt: Attempt, emit: Emit) -> Finding:
    """Look at a host whose change was cancelled; one that was only drained is taken back in.

    Nothing is switched back: what runs, and whether it is out of the traffic, is told.
    """
    try:
        state = await on.state()
        state = msgspec.structs.replace(state, drained=await on.doors.drained(attempt))
        if not await _switched(on, attempt):
            return await _nothing_switched(on, attempt, emit, state)
    except (OndeckError, TimeoutError) as error:
        said = f"cancelled; what it is now could not be seen: {why(error)}"
        return Finding(outcome=Outcome.UNKNOWN, evidence=said)
    said = f"cancelled; {runs(on, state)}, its health was not waited for{words(on, state)}"
    return Finding(outcome=Outcome.FAILED, evidence=said)


async def _switched(on: OnHost, attempt: Attempt) -> bool:
    if on.work.operation == "service.restart":
        was = await inspect(on.engine, on.way.was[0]) if on.way.was else None
        return was is None or was.started != on.way.started
    mine = await on.mine(attempt)
    return mine is not None and not mine.claim and mine.begun and mine.started != on.way.kept_started


async def _nothing_switched(on: OnHost, attempt: Attempt, emit: Emit, state: DockerState) -> Finding:
    begun = await migrating.ran(on, attempt)
    wrong = back = ""
    not_known = state.drained is None and bool(on.deploy.drain)
    if state.drained == attempt.id:
        wrong = await on.doors.undrain(attempt, emit)
        back = f", still drained: {wrong}" if wrong else ", taken back in"
    elif not_known:
        back = "; whether it is drained is not known"
    if begun:
        found = migrating.became(begun, f"{runs(on, state)}{back}")
        outcome = Outcome.UNKNOWN if not_known else found.outcome
        return msgspec.structs.replace(found, outcome=outcome, evidence=f"cancelled; {found.evidence}")
    text = f"cancelled; nothing was switched, {runs(on, state)}{back}"
    if not_known:
        return Finding(outcome=Outcome.UNKNOWN, evidence=text)
    return Finding(outcome=Outcome.FAILED if wrong else Outcome.CANCELLED, evidence=text)
