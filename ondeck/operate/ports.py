"""The port of changing. A provider that can plan, apply and reconcile gets form, diff, guard,
progress, audit, command line and runbook step without writing any of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, runtime_checkable

import msgspec

from ondeck.bench import Bench
from ondeck.inventory.model import Inventory
from ondeck.inventory.secretrefs import Reference
from ondeck.job.finding import Attempt, Finding, Gate
from ondeck.job.plan import Draft, Plan, Precondition, Request
from ondeck.job.spec import Risk
from ondeck.secret import Secret
from ondeck.settings import Settings


class Emit(Protocol):
    """How an applying provider tells what happens on a target while it happens."""

    def output(self, data: bytes, *, err: bool = False) -> None:
        """Output of the target's command: goes to `out/TARGET`, bounded."""
        ...

    def step(self, text: str) -> None:
        """A line of progress, e.g. `switched to 2.14.0`; recorded as an event."""
        ...

    def moved(self, done: float, total: float, unit: str = "") -> None:
        """How far it is, e.g. bytes of bytes with unit `B`; told at most twice a second, total 0 is not known."""
        ...


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


@runtime_checkable
class StopsGently(Protocol):
    """An `Applying` whose tool has to come to a safe point of its own before it ends, as Terraform does.

    Attributes:
        stop_seconds: How long a stop may take, in seconds before timescale, before it is given up.

    Being cancelled, its `apply` asks the tool once and waits; being cancelled again, it makes the tool leave.
    """

    stop_seconds: float

    async def ask_to_stop(self, target: str) -> str:
        """Ask what runs on a target to stop at its next safe point; its `apply` goes on and tells what was seen.

        Returns:
            What was done about it, for the job's log; empty when nothing runs there.
        """
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


class SecretQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """One reference, and all that is needed to know what it stands for.

    Attributes:
        options: Of its scheme in the section `secrets:` of the inventory.
        root: The inventory's folder; relative paths begin there.
        environ: Variables of who asks.
        inner: What another reference stands for (`env:VAULT_TOKEN`); raises as `SecretReader.read` does.
    """

    reference: Reference
    options: Mapping[str, Any]
    root: str
    environ: Mapping[str, str]
    settings: Settings
    inner: Callable[[str], Secret]

    def __repr__(self) -> str:
        # Not its variables: among them are secrets.
        return f"SecretQuestion({str(self.reference)!r})"


class SecretReader(Protocol):
    """Capability `secrets`, of the provider that serves a scheme (`secret.scheme`)."""

    def read(self, question: SecretQuestion) -> Secret:
        """The value, with its end where it has one. Blocks: it is called in a thread.

        Nobody is asked for anything, on no terminal and in no window; what is locked is not there. No
        error's text holds a value or a part of one.

        Raises:
            Missing: It is not there, or who we are may not read it.
            BadInput: The reference or the options make no sense.
            Unreachable: What would know it did not answer.
        """
        ...


class SecretStore(Protocol):
    """Capability `secret_store`: secrets that ondeck may keep for its user; asked by `ondeck creds` alone."""

    def wants(self, question: SecretQuestion) -> str:
        """What has to be typed before it opens (`password of FILE`); empty when nothing has, or nothing would help."""
        ...

    def unlock(self, question: SecretQuestion, password: Secret) -> None:
        """Open it for this process with what was typed.

        Raises:
            Missing: It does not open with that.
        """
        ...

    def keep(self, question: SecretQuestion, value: Secret) -> str:
        """Keep a value under a reference, in place of what was there; says where.

        Raises:
            Missing: There is nothing that keeps it.
            BadInput: The reference cannot name one, or the value cannot be kept as it is.
        """
        ...

    def forget(self, question: SecretQuestion) -> str:
        """Forget it; says where.

        Raises:
            Missing: It is not there, or nothing keeps secrets here.
        """
        ...
