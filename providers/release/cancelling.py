"""Cancelled in the middle: what was done by then, and what the host is now, as it was seen afterwards."""

from __future__ import annotations

from ondeck.errors import OndeckError
from ondeck.operate.outcome import Outcome
from ondeck.operate.ports import Attempt, Emit, Finding
from ondeck.reach.detached import Stage
from providers.release.hoststate import HostState, why
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
        state = await on.state()
        if seen.stage in (Stage.ABSENT, Stage.UNSTARTED):
            return await _nothing_switched(on, attempt, emit, state)
    except (OndeckError, TimeoutError) as error:
        said = f"cancelled; what it is now could not be seen: {why(error)}"
        return Finding(outcome=Outcome.UNKNOWN, evidence=said)
    if back.stage not in (Stage.ABSENT, Stage.ENDED) or seen.stage is not Stage.ENDED:
        found = (seen if seen.stage is not Stage.ENDED else back).finding()
        said = f"cancelled; {found.evidence}; runs {state.label()}{_out(on, state)}"
        return Finding(outcome=Outcome.UNKNOWN, evidence=said, still_running=found.still_running)
    did = f"the step ended: {seen.finding().evidence}"
    if back.stage is Stage.ENDED:
        did += f", going back: {back.finding().evidence}"
    said = f"cancelled; {did}; runs {state.label()}, its health was not waited for{_out(on, state)}"
    return Finding(outcome=Outcome.FAILED, evidence=said, status=seen.status)


async def _nothing_switched(on: OnHost, attempt: Attempt, emit: Emit, state: HostState) -> Finding:
    kept = f"nothing was switched, runs {state.label()}"
    if state.drained is None and on.deploy.drain:
        said = f"cancelled; {kept}; nothing on the host tells whether it is drained"
        return Finding(outcome=Outcome.UNKNOWN, evidence=said)
    if state.drained != attempt.id:
        return Finding(outcome=Outcome.CANCELLED, evidence=f"cancelled; {kept}")
    wrong = await on.undrain(emit)
    if wrong:
        return Finding(outcome=Outcome.FAILED, evidence=f"cancelled; {kept}, still drained: {wrong}")
    return Finding(outcome=Outcome.CANCELLED, evidence=f"cancelled; {kept}, taken back in")


def _out(on: OnHost, state: HostState) -> str:
    if state.drained is None:
        return ", perhaps still drained" if on.deploy.drain else ""
    return f", still drained: ondeck undrain {on.work.name}" if state.drained else ""
