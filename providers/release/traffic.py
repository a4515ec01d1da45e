"""Taking a host out of the traffic and back in, so that it can be told afterwards whether that was done.

Where releases lie on the host a mark among them says who drained it. The team's own command has no such
place: there both commands are claimed steps, and their folders are the mark.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from ondeck.errors import RemoteFailed
from ondeck.job.finding import Attempt, Finding
from ondeck.job.outcome import Outcome
from ondeck.operate.ports import Emit
from ondeck.reach.detached import Detached, Stage
from providers.release import claimed, scripts
from providers.release.claimed import said
from providers.release.commands import drain_argv
from providers.release.hoststate import HostState
from providers.release.options import ByCommand, ReleaseDir

if TYPE_CHECKING:
    from providers.release.onhost import OnHost

DRAIN = ".drain"
UNDRAIN = ".undrain"
NOT_BEGUN = (Stage.ABSENT, Stage.UNSTARTED)


def steps(on: OnHost, attempt: str) -> list[Detached]:
    """The claimed steps that an attempt may have left where drain and undrain run."""
    if not isinstance(on.options, ByCommand) or not (on.deploy.drain or on.deploy.undrain):
        return []
    return [_step(on, attempt + DRAIN), _step(on, attempt + UNDRAIN)]


def _step(on: OnHost, claim: str) -> Detached:
    return Detached(on.drain_link, claim, on.settings)


async def drain(on: OnHost, attempt: Attempt, emit: Emit) -> None:
    """Take it out.

    Raises:
        RemoteFailed: The command failed, or the mark could not be written.
    """
    argv = drain_argv(on.service, on.deploy, on.host, "drain")
    if not argv:
        return
    if isinstance(on.options, ReleaseDir):
        await _mark(on, "on", attempt.id)
    wrong = await _send(on, attempt.id + DRAIN, argv, emit)
    if wrong:
        raise RemoteFailed(f"drain failed: {wrong}; nothing was switched")
    emit.step("drained")


async def undrain(on: OnHost, attempt: Attempt, emit: Emit) -> str:
    """Take it back in; answers what went wrong."""
    argv = drain_argv(on.service, on.deploy, on.host, "undrain")
    if not argv:
        return ""
    wrong = await _send(on, attempt.id + UNDRAIN, argv, emit)
    if wrong:
        return f"undrain failed: {wrong}"
    if isinstance(on.options, ReleaseDir):
        await _mark(on, "off", "")
    emit.step("taken back in")
    return ""


async def _send(on: OnHost, claim: str, argv: list[str], emit: Emit) -> str:
    seconds = on.options.seconds()
    if isinstance(on.options, ByCommand):
        ended = await claimed.run(_step(on, claim), argv, emit, on.settings.seconds(seconds))
        return "" if ended.ok else ended.said()
    done = await on.drain_link.run(argv, timeout=seconds)
    emit.output(done.stdout)
    emit.output(done.stderr, err=True)
    return "" if done.ok else said(done)


async def _mark(on: OnHost, how: str, who: str) -> None:
    assert isinstance(on.options, ReleaseDir)
    argv = scripts.argv(scripts.DRAINED, on.options.path, how, who)
    done = await on.link.run(argv, become=on.options.as_user())
    if not done.ok:
        raise RemoteFailed(f"cannot write a mark on the host: {said(done)}")


async def told(on: OnHost, attempt: Attempt, state: HostState) -> HostState:
    """The state with who drained it where only the claims of an attempt tell: this attempt, nobody, not known.

    A drain that has not begun is made impossible.
    """
    if not isinstance(on.options, ByCommand) or not on.deploy.drain:
        return state
    out = await _step(on, attempt.id + DRAIN).look(take=True)
    if out.stage in NOT_BEGUN:
        return msgspec.structs.replace(state, drained="")
    back = await _step(on, attempt.id + UNDRAIN).look()
    if out.stage is not Stage.ENDED or back.stage not in (*NOT_BEGUN, Stage.ENDED):
        return msgspec.structs.replace(state, drained=None)
    back_in = back.stage is Stage.ENDED and back.status == 0
    return msgspec.structs.replace(state, drained="" if back_in else attempt.id)


async def busy(on: OnHost, attempt: Attempt) -> Finding | None:
    """A drain or undrain of an attempt that goes on right now, where a claim tells; else None."""
    if isinstance(on.options, ByCommand) and on.deploy.drain:
        for verb in (DRAIN, UNDRAIN):
            seen = await _step(on, attempt.id + verb).look()
            if seen.stage in (Stage.RUNNING, Stage.STARTING):
                found = seen.finding()
                return msgspec.structs.replace(found, evidence=f"{verb[1:]}: {found.evidence}")
    return None


def words(on: OnHost, state: HostState) -> str:
    """What is to be said behind the state of a host that may be out of the traffic."""
    if state.drained is None:
        return ", perhaps still drained" if on.deploy.drain else ""
    return f", still drained: ondeck undrain {on.work.name}" if state.drained else ""


async def became(on: OnHost, attempt: Attempt, state: HostState) -> Finding:
    """What became of a drain or an undrain that nobody saw end."""
    drains = on.work.operation == "service.drain"
    if isinstance(on.options, ByCommand):
        seen = await _step(on, attempt.id + (DRAIN if drains else UNDRAIN)).look(take=True)
        found = seen.finding()
        text = f"{found.evidence}, {'drained' if drains else 'taken back in'}"
        return msgspec.structs.replace(found, evidence=text) if found.outcome is Outcome.SUCCEEDED else found
    by = f"marked as drained by {state.drained}" if state.drained else "not marked as drained"
    text = f"{by}; whether the command itself ended is not recorded"
    wanted = state.drained == attempt.id if drains else not state.drained
    return Finding(outcome=Outcome.UNKNOWN if wanted else Outcome.FAILED, evidence=text)
