"""The links of one job: all opened before the first change, held, made again for reconciling."""

from __future__ import annotations

import asyncio

from ondeck.bench import Bench
from ondeck.errors import BadInput, OndeckError, Unreachable
from ondeck.inventory.model import Host
from ondeck.job.finding import Finding
from ondeck.job.outcome import Outcome
from ondeck.job.plan import Plan
from ondeck.reach.ports import Become, Link


def become_of(user: str) -> Become | None:
    """The user that a parameter names; `sudo` and `yes` mean root."""
    if not user:
        return None
    return Become("root" if user in ("sudo", "yes", "true") else user)


def host_of(bench: Bench, target: str) -> Host:
    """The host of a target's name.

    Raises:
        BadInput: The inventory does not have it.
    """
    try:
        return bench.inventory.hosts[target]
    except KeyError:
        raise BadInput(f"no host {target!r} in the inventory", hint="ondeck get hosts") from None


class Links:
    """Links by target."""

    def __init__(self, targets: tuple[str, ...], bench: Bench) -> None:
        self._targets = targets
        self._bench = bench
        self._links: dict[str, Link] = {}

    @classmethod
    def of(cls, plan: Plan, bench: Bench) -> Links:
        """For a plan's targets."""
        return cls(plan.targets, bench)

    async def open(self) -> dict[str, Finding]:
        """Open them all; the transport caps how many at once. Who could not be reached, with why."""
        found = await asyncio.gather(*(self._try(target) for target in self._targets))
        return {target: finding for target, finding in zip(self._targets, found, strict=True) if finding}

    async def _try(self, target: str) -> Finding | None:
        try:
            await self.get(target)
        except Unreachable as error:
            hint = f"; {error.hint.splitlines()[0]}" if error.hint else ""
            said = f"{error.reason.value}: {error.message}{hint}"
            return Finding(outcome=Outcome.UNREACHABLE, evidence=said)
        except OndeckError as error:
            return Finding(outcome=Outcome.NOT_STARTED, evidence=error.message)
        return None

    async def get(self, target: str) -> Link:
        """A link that is alive; a dead one is replaced.

        Raises:
            Unreachable: The host is not reached.
        """
        link = self._links.get(target)
        if link is not None and not link.closed:
            return link
        if link is not None:
            await link.aclose()
        host = host_of(self._bench, target)
        self._links[target] = await self._bench.reach(host.transport).connect(host)
        return self._links[target]

    async def aclose(self) -> None:
        """Let them all go."""
        links, self._links = list(self._links.values()), {}
        await asyncio.gather(*(link.aclose() for link in links), return_exceptions=True)
