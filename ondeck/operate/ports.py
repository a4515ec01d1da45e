"""The port of changing. A provider that can plan, apply and reconcile gets form, diff, guard,
progress, audit, command line and runbook step without writing any of them.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol, runtime_checkable

import msgspec

from ondeck.inventory.model import Inventory
from ondeck.operate.outcome import Outcome
from ondeck.operate.plan import Draft, Plan, Precondition, Request
from ondeck.operate.spec import Risk
from ondeck.reach.ports import Reach
from ondeck.secret import Secret
from ondeck.settings import Settings


class Bench(Protocol):
    """What a provider works with: handed in, never looked up."""

    @property
    def inventory(self) -> Inventory:
        """The inventory as the job or the face knows it."""
        ...

    @property
    def settings(self) -> Settings:
        """Settings of this process."""
        ...

    def reach(self, transport: str) -> Reach:
        """The reach of a transport (`host.transport`), one object for the whole process.

        Raises:
            Missing: No installed provider carries it.
        """
        ...

    def secret(self, reference: str) -> Secret:
        """A secret that was resolved before the first change.

        Raises:
            Missing: It was not declared in the draft.
        """
        ...

    def remembered(self, key: str) -> str:
        """A fact the record keeps between jobs, e.g. `last-good checkout@prod`; empty when unknown."""
        ...


class Emit(Protocol):
    """How an applying provider tells what happens on a target while it happens."""

    def output(self, data: bytes, *, err: bool = False) -> None:
        """Output of the target's command: goes to `out/TARGET`, bounded."""
        ...

    def step(self, text: str) -> None:
        """A line of progress, e.g. `switched to 2.14.0`; recorded as an event."""
        ...


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """How an attempt ended, or what was found out about one later.

    Attributes:
        outcome: SUCCEEDED only on an observed exit status 0 or the API's own success.
        evidence: What was seen: `exit 0`, `release link -> 2.14.0, boot id same`.
        status: Exit status, when there was one.
        still_running: Reconcile found it alive: outcome is UNKNOWN for now.
    """

    outcome: Outcome
    evidence: str
    status: int | None = None
    still_running: bool = False


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """What the gate after a batch says; `passed=None` means no data, which pauses."""

    passed: bool | None
    evidence: str


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One try on one target: the id is the claim on the host, unique for ever.

    Attributes:
        id: `JOB-TARGET-N`, only `[A-Za-z0-9._-]`; opaque, because a target's name may be shortened in it.
        job: The job it belongs to.
    """

    id: str
    job: str
    target: str


class Applying(Protocol):
    """A plan whose connections are open and whose secrets are there. One per job.

    Every method but `apply` only reads.
    """

    async def ready(self) -> dict[str, Finding]:
        """Targets that could not be opened or may not be touched, with why. Called once, first."""
        ...

    async def check(self, target: str) -> tuple[Precondition, ...]:
        """The target's preconditions as they are now, in the plan's order and words."""
        ...

    async def apply(self, attempt: Attempt, emit: Emit) -> Finding:
        """Do it on one target, once.

        Being cancelled means: stop the remote work really, look, and return what was seen: CANCELLED
        only where the stop was observed and nothing is left half done, else FAILED with what the target
        is now, or UNKNOWN. A CancelledError that is let through says nothing, so it is unknown.
        Exceptions of `ondeck.errors` are understood: Unreachable -> unreachable, LinkLost -> unknown,
        RemoteFailed -> failed, TimeoutError -> timed out.
        """
        ...

    async def gate(self, targets: tuple[str, ...]) -> Gate:
        """Look at a batch that was applied; waits as long as the plan's health rules say."""
        ...

    async def reconcile(self, attempt: Attempt) -> Finding:
        """Find out with evidence what became of an attempt whose outcome is unknown."""
        ...

    async def finish(self, succeeded: tuple[str, ...], emit: Callable[[str], None]) -> dict[str, str]:
        """After the last batch: tidy up; returns facts to remember (`last-good checkout@prod`)."""
        ...


class Operator(Protocol):
    """Capability `operator`: plans and applies the operations that its manifest names."""

    async def plan(self, request: Request, bench: Bench) -> Draft:
        """Look (reads only) and say exactly what would happen.

        Raises:
            BadInput: The parameters make no sense for this target.
            Unreachable: No target at all could be asked.
        """
        ...

    def open(self, plan: Plan, bench: Bench) -> AbstractAsyncContextManager[Applying]:
        """Open and hold every connection of the plan, before the first change."""
        ...


@runtime_checkable
class TellsRisk(Protocol):
    """An operator whose drafts may say less than their operation's risk; others are held to that risk."""

    def risk_of(self, request: Request, inventory: Inventory) -> Risk:
        """How dangerous a request is, from the request and the inventory alone: asked again before it starts.

        Raises:
            BadInput: The parameters make no sense.
        """
        ...
