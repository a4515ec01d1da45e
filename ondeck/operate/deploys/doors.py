"""Drain and undrain as claimed steps: their folders on the host are what tells later whether they ran."""

from __future__ import annotations

import msgspec

from ondeck.errors import RemoteFailed
from ondeck.inventory.model import Deploy, Host, Service
from ondeck.job.finding import Attempt, Finding
from ondeck.job.outcome import Outcome
from ondeck.observe.health import filled
from ondeck.operate.deploys import claimed
from ondeck.operate.ports import Emit
from ondeck.reach.detached import Detached, Stage
from ondeck.reach.ports import Link
from ondeck.settings import Settings

DRAIN = ".drain"
UNDRAIN = ".undrain"
NOT_BEGUN = (Stage.ABSENT, Stage.UNSTARTED)


def door_argv(service: Service, deploy: Deploy, host: Host, verb: str) -> list[str]:
    """The drain or undrain command of a host; empty when there is none.

    Raises:
        BadInput: A placeholder in it is not known.
    """
    values = {"host": host.name, "address": host.address or host.name}
    values |= {"service": service.name, "env": host.env, "version": ""}
    return [filled(word, values) for word in (deploy.drain if verb == "drain" else deploy.undrain)]


class Doors(msgspec.Struct, frozen=True, kw_only=True):
    """The way of one host into and out of the traffic.

    Attributes:
        link: Where the commands run: the host, or the one that `drain_on` names.
        seconds: How long a command may take, before timescale.
    """

    host: Host
    service: Service
    deploy: Deploy
    link: Link
    settings: Settings
    seconds: float

    @property
    def declared(self) -> bool:
        """Whether the service names any of the two."""
        return bool(self.deploy.drain or self.deploy.undrain)

    def step(self, claim: str) -> Detached:
        """The claimed step of a command."""
        return Detached(self.link, claim, self.settings)

    def steps(self, attempt: str) -> list[Detached]:
        """The claimed steps that an attempt may have left."""
        return [self.step(attempt + DRAIN), self.step(attempt + UNDRAIN)] if self.declared else []

    async def drain(self, attempt: Attempt, emit: Emit) -> None:
        """Take it out.

        Raises:
            RemoteFailed: The command failed.
        """
        wrong = await self._run(attempt, "drain", emit)
        if wrong is not None and wrong:
            raise RemoteFailed(f"drain failed: {wrong}; nothing was switched")
        if wrong is not None:
            emit.step("drained")

    async def undrain(self, attempt: Attempt, emit: Emit) -> str:
        """Take it back in; answers what went wrong."""
        wrong = await self._run(attempt, "undrain", emit)
        if wrong:
            return f"undrain failed: {wrong}"
        if wrong is not None:
            emit.step("taken back in")
        return ""

    async def _run(self, attempt: Attempt, verb: str, emit: Emit) -> str | None:
        """What went wrong, empty when nothing did; None where there is no such command."""
        argv = door_argv(self.service, self.deploy, self.host, verb)
        if not argv:
            return None
        ended = await claimed.run(
            self.step(f"{attempt.id}.{verb}"), argv, emit, self.settings.seconds(self.seconds)
        )
        return "" if ended.ok else ended.said()

    async def drained(self, attempt: Attempt) -> str | None:
        """Whether this attempt left it drained: its id, empty when it did not, None when nobody knows.

        A drain that has not begun is made impossible.
        """
        if not self.deploy.drain:
            return ""
        out = await self.step(attempt.id + DRAIN).look(take=True)
        if out.stage in NOT_BEGUN:
            return ""
        back = await self.step(attempt.id + UNDRAIN).look()
        if out.stage is not Stage.ENDED or back.stage not in (*NOT_BEGUN, Stage.ENDED):
            return None
        return "" if back.stage is Stage.ENDED and back.status == 0 else attempt.id

    async def busy(self, attempt: Attempt) -> Finding | None:
        """A drain or undrain of an attempt that goes on right now; else None."""
        if not self.deploy.drain:
            return None
        for verb in (DRAIN, UNDRAIN):
            seen = await self.step(attempt.id + verb).look()
            if seen.stage in (Stage.RUNNING, Stage.STARTING):
                found = seen.finding()
                return msgspec.structs.replace(found, evidence=f"{verb[1:]}: {found.evidence}")
        return None

    async def became(self, attempt: Attempt, *, drains: bool) -> Finding:
        """What became of a drain or an undrain alone that nobody saw end."""
        seen = await self.step(attempt.id + (DRAIN if drains else UNDRAIN)).look(take=True)
        found = seen.finding()
        if found.outcome is not Outcome.SUCCEEDED:
            return found
        text = f"{found.evidence}, {'drained' if drains else 'taken back in'}"
        return msgspec.structs.replace(found, evidence=text)
