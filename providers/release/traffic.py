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
from ondeck.operate.deploys.claimed import said
from ondeck.operate.deploys.doors import Doors, door_argv
from ondeck.operate.deploys.state import HostState
from ondeck.operate.ports import Emit
from ondeck.reach.detached import Detached
from providers.release import scripts
from providers.release.options import ByCommand, ReleaseDir

if TYPE_CHECKING:
    from providers.release.onhost import OnHost


def _doors(on: OnHost) -> Doors:
    return Doors(
        host=on.host,
        service=on.service,
        deploy=on.deploy,
        link=on.drain_link,
        settings=on.settings,
        seconds=on.options.seconds(),
    )


def steps(on: OnHost, attempt: str) -> list[Detached]:
    """The claimed steps that an attempt may have left where drain and undrain run."""
    return _doors(on).steps(attempt) if isinstance(on.options, ByCommand) else []


async def drain(on: OnHost, attempt: Attempt, emit: Emit) -> None:
    """Take it out.

    Raises:
        RemoteFailed: The command failed, or the mark could not be written.
    """
    if isinstance(on.options, ByCommand):
        await _doors(on).drain(attempt, emit)
        return
    argv = door_argv(on.service, on.deploy, on.host, "drain")
    if not argv:
        return
    await _mark(on, "on", attempt.id)
    wrong = await _send(on, argv, emit)
    if wrong:
        raise RemoteFailed(f"drain failed: {wrong}; nothing was switched")
    emit.step("drained")


async def undrain(on: OnHost, attempt: Attempt, emit: Emit) -> str:
    """Take it back in; answers what went wrong."""
    if isinstance(on.options, ByCommand):
        return await _doors(on).undrain(attempt, emit)
    argv = door_argv(on.service, on.deploy, on.host, "undrain")
    if not argv:
        return ""
    wrong = await _send(on, argv, emit)
    if wrong:
        return f"undrain failed: {wrong}"
    await _mark(on, "off", "")
    emit.step("taken back in")
    return ""


async def _send(on: OnHost, argv: list[str], emit: Emit) -> str:
    done = await on.drain_link.run(argv, timeout=on.options.seconds())
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
    return msgspec.structs.replace(state, drained=await _doors(on).drained(attempt))


async def busy(on: OnHost, attempt: Attempt) -> Finding | None:
    """A drain or undrain of an attempt that goes on right now, where a claim tells; else None."""
    return await _doors(on).busy(attempt) if isinstance(on.options, ByCommand) else None


def words(on: OnHost, state: HostState) -> str:
    """What is to be said behind the state of a host that may be out of the traffic."""
    if state.drained is None:
        return ", perhaps still drained" if on.deploy.drain else ""
    return f", still drained: ondeck undrain {on.work.name}" if state.drained else ""


async def became(on: OnHost, attempt: Attempt, state: HostState) -> Finding:
    """What became of a drain or an undrain that nobody saw end."""
    drains = on.work.operation == "service.drain"
    if isinstance(on.options, ByCommand):
        return await _doors(on).became(attempt, drains=drains)
    by = f"marked as drained by {state.drained}" if state.drained else "not marked as drained"
    text = f"{by}; whether the command itself ended is not recorded"
    wanted = state.drained == attempt.id if drains else not state.drained
    return Finding(outcome=Outcome.UNKNOWN if wanted else Outcome.FAILED, evidence=text)
