"""Cancelled in the middle: what was done by then, and what the host is now, as it was seen afterwards."""

from __future__ import annotations

import msgspec

from ondeck.errors import OndeckError
from ondeck.job.finding import Attempt, Finding
from ondeck.job.outcome import Outcome
from ondeck.operate.deploys import migrating
from ondeck.operate.deploys.state import HostState, why
from ondeck.operate.ports import Emit
from ondeck.reach.detached import Stage
from providers.release import traffic
from providers.release.onhost import BACK, OnHost


async def after_cancel(on: OnHost, attempt: Attempt, emit: Emit) -> Finding:
    """Look at a host whose change was cancelled; one that was only drained is taken back in.

    Nothing is switched back: the release that runs, and whether it is out of the traffic, is told.
    """
    try:
        seen = await on.step(attempt.id).look(take=True)
        if seen.stage in (Stage.RUNNING, Stage.STARTING):
            seen = await on.step(attempt.id).stop()
        back = await on.step(attempt.id + BACK).look()
        state = await traffic.told(on, attempt, await on.state())
        if seen.stage in (Stage.ABSENT, Stage.UNSTARTED):
            return await _nothing_switched(on, attempt, emit, state)
    except (OndeckError, TimeoutError) as error:
        said = f"cancelled; what it is now could not be seen: {why(error)}"
        return Finding(outcome=Outcome.UNKNOWN, evidence=said)
    if back.stage not in (Stage.ABSENT, Stage.ENDED) or seen.stage is not Stage.ENDED:
        found = (seen if seen.stage is not Stage.ENDED else back).finding()
        said = f"cancelled; {found.evidence}; runs {state.label()}{traffic.words(on, state)}"
        return Finding(outcome=Outcome.UNKNOWN, evidence=said, still_running=found.still_running)
    did = f"the step ended: {seen.finding().evidence}"
    if back.stage is Stage.ENDED:
        did += f", going back: {back.finding().evidence}"
    said = f"cancelled; {did}; runs {state.label()}, its health was not waited for{traffic.words(on, state)}"
    return Finding(outcome=Outcome.FAILED, evidence=said, status=seen.status)


async def _nothing_switched(on: OnHost, attempt: Attempt, emit: Emit, state: HostState) -> Finding:
    begun = await migrating.ran(on, attempt)
    wrong = back = ""
    not_known = state.drained is None and bool(on.deploy.drain)
    if state.drained == attempt.id:
        wrong = await on.undrain(attempt, emit)
        back = f", still drained: {wrong}" if wrong else ", taken back in"
    elif not_known:
        back = "; whether it is drained is not known"
    if begun:
        found = migrating.became(begun, f"runs {state.label()}{back}")
        outcome = Outcome.UNKNOWN if not_known else found.outcome
        return msgspec.structs.replace(found, outcome=outcome, evidence=f"cancelled; {found.evidence}")
    text = f"cancelled; nothing was switched, runs {state.label()}{back}"
    if not_known:
        return Finding(outcome=Outcome.UNKNOWN, evidence=text)
    return Finding(outcome=Outcome.FAILED if wrong else Outcome.CANCELLED, evidence=text)
