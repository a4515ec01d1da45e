"""The commands before a deploy. Each is a claimed step of its own: a lost link cannot hide that it ran."""

from __future__ import annotations

from typing import Protocol

import msgspec

from ondeck.errors import LinkLost, RemoteFailed
from ondeck.inventory.model import Deploy, Host, Migration
from ondeck.job.finding import Attempt, Finding
from ondeck.job.outcome import Outcome
from ondeck.operate.deploys import claimed
from ondeck.operate.deploys.doors import NOT_BEGUN
from ondeck.operate.deploys.drafting import irreversible
from ondeck.operate.deploys.uncut import uncut
from ondeck.operate.deploys.work import Work
from ondeck.operate.ports import Emit
from ondeck.reach.detached import Detached, Look, Stage
from ondeck.settings import Settings


class Target(Protocol):
    """One host of a deploy, as far as its commands before it are concerned."""

    @property
    def host(self) -> Host:
        """The host."""
        ...

    @property
    def deploy(self) -> Deploy:
        """With the commands."""
        ...

    @property
    def work(self) -> Work:
        """Which of them have to run."""
        ...

    @property
    def settings(self) -> Settings:
        """For waiting times."""
        ...

    def seconds(self) -> float:
        """How long one may take, before timescale."""
        ...

    def step(self, claim: str) -> Detached:
        """The claimed step of a command."""
        ...

    def before_argv(self, name: str) -> list[str]:
        """The command of that name."""
        ...

    async def has_run(self, name: str) -> bool | None:
        """Whether a mark on the host says that it ran for this release; None where nothing marks that."""
        ...


class Ran(msgspec.Struct, frozen=True):
    """A command before the deploy that was begun in an attempt."""

    migration: Migration
    look: Look

    def text(self) -> str:
        """`migrate: exit 0, cannot be taken back`."""
        ever = ", cannot be taken back" if irreversible(self.migration) else ""
        return f"{self.migration.name}: {self.look.finding().evidence}{ever}"


def mine(on: Target) -> list[Migration]:
    """Those that this target runs, by the plan."""
    found = [m for m in on.deploy.before if m.name in on.work.migrations]
    return [m for m in found if m.on != "one" or on.host.name == on.work.pinned]


def steps(on: Target, attempt: str) -> list[Detached]:
    """The claimed steps that an attempt may have left."""
    return [_step(on, attempt, migration) for migration in mine(on)]


def _step(on: Target, attempt: str, migration: Migration) -> Detached:
    return on.step(f"{attempt}.before{on.deploy.before.index(migration)}")


async def migrate(on: Target, attempt: Attempt, emit: Emit, pinned: Target | None) -> None:
    """Run what has not run for this release; a cancel waits for the end of each.

    Raises:
        RemoteFailed: One failed, or one that runs elsewhere has not run; nothing was switched.
        LinkLost: Not known what became of one.
    """
    for migration in on.deploy.before:
        name = migration.name
        if name not in on.work.migrations or await on.has_run(name):
            continue
        if migration.on == "one" and pinned is not None:
            if await pinned.has_run(name) is False:
                raise RemoteFailed(f"{name} has not run: it runs once, with {pinned.host.name}")
            continue
        emit.step(f"runs {name}")
        seconds = on.settings.seconds(on.seconds())
        ended = await uncut(
            claimed.run(_step(on, attempt.id, migration), on.before_argv(name), emit, seconds)
        )
        if ended.look.stage is not Stage.ENDED:
            raise LinkLost(f"{name}: {ended.look.finding().evidence}; nothing was switched")
        if not ended.ok:
            ever = ", cannot be taken back" if irreversible(migration) else ""
            raise RemoteFailed(f"{name} failed: {ended.said()}{ever}; nothing was switched")


async def ran(on: Target, attempt: Attempt) -> list[Ran]:
    """What was begun in an attempt, read from the claims; what was not begun cannot begin any more."""
    found = []
    for migration in mine(on):
        look = await _step(on, attempt.id, migration).look(take=True)
        if look.stage not in NOT_BEGUN:
            found.append(Ran(migration, look))
    return found


def stays(on: Target) -> str:
    """What a switched host keeps of them whatever it runs now: `; migrate cannot be taken back`."""
    names = [m.name for m in mine(on) if irreversible(m)]
    return f"; {', '.join(names)} cannot be taken back" if names else ""


def became(begun: list[Ran], behind: str) -> Finding:
    """What an attempt came to that began these and switched nothing; something was done, so never `not started`.

    Args:
        begun: At least one.
        behind: Words on the state of the host.
    """
    text = f"{', '.join(one.text() for one in begun)}; nothing was switched, {behind}"
    last = begun[-1].look
    if last.stage is not Stage.ENDED:
        found = last.finding()
        return Finding(outcome=Outcome.UNKNOWN, evidence=text, still_running=found.still_running)
    return Finding(outcome=Outcome.FAILED, evidence=text, status=last.status)
