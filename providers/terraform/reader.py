"""Capability `stacks`: everything that is known of a stack, without taking its lock."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import msgspec

from ondeck.bench import Bench
from ondeck.errors import NoMatch, OndeckError, RemoteFailed
from ondeck.inventory.model import Stack
from ondeck.observe.stacks import Drift, StackLock, StackLook, StateSeen, StateWaiting
from ondeck.reach.checkout import behind
from ondeck.secret import Secret
from ondeck.text import safe_line
from providers.terraform import planning, reads, unlocking
from providers.terraform import state as states
from providers.terraform.folders import Folders
from providers.terraform.holder import created
from providers.terraform.state import Seen
from providers.terraform.unlocking import Held
from providers.terraform.work import Ready, folders_of, set_up

LOOK = 60.0
"""Seconds that a look at one stack may take; what is set up for the first time fetches providers meanwhile."""
_SHOWN = 6


class TerraformStacks:
    """Looks at stacks of Terraform and OpenTofu."""

    async def look(self, stack: Stack, bench: Bench) -> StackLook:
        """All that is known of a stack; see `ondeck.observe.ports.StackReader`."""
        now = time.time_ns()
        known: dict[str, Any] = {"stack": stack.name, "env": stack.env, "asked": now}
        try:
            known |= await asyncio.to_thread(_remembered, folders_of(bench, stack.name))
            await self._ask(stack, bench, known)
        except (OndeckError, TimeoutError, OSError) as error:
            said = error.message if isinstance(error, OndeckError) else str(error) or "no answer in time"
            known["error"] = safe_line(said)
        return StackLook(**known)

    async def _ask(self, stack: Stack, bench: Bench, known: dict[str, Any]) -> None:
        """Ask the program, for a bounded time: what is known by then stays known.

        Raises:
            RemoteFailed: It took too long, or something failed.
        """
        step = ""

        def at(what: str) -> None:
            nonlocal step
            step = what

        seconds = bench.settings.seconds(LOOK)
        limit = asyncio.timeout(seconds)
        try:
            async with limit:
                at("this machine")
                ready = await set_up(bench, stack.name, await bench.here(), at=at)
                at("git")
                known |= await self._of_commit(ready, bench, stack)
                at("the lock")
                known |= await _of_lock(ready)
                at(f"{ready.program.binary} state pull ({ready.backend.words()})")
                seen = (await ready.state()).seen
                known |= _of_state(seen) | await asyncio.to_thread(_remembered, ready.folders)
        except TimeoutError:
            if not limit.expired():
                raise
            # Only looks are bounded so: what an operation sets up takes as long as it takes.
            raise RemoteFailed(f"no answer within {seconds:.0f} s, it hung in: {step}") from None

    async def _of_commit(self, ready: Ready, bench: Bench, stack: Stack) -> dict[str, Any]:
        pinned = ready.pinned
        applied = bench.remembered(f"stack {stack.name}").partition(" ")[0]
        return {
            "ref": safe_line(pinned.ref),
            "commit": pinned.commit,
            "subject": pinned.subject,
            "applied": applied,
            "behind": await behind(ready.program.link, pinned, applied),
            "fetched": pinned.fetched if "/" in pinned.ref else 0,
            "warnings": pinned.warnings,
            "workspace": ready.options.workspace,
            "backend": ready.backend.words(),
            "program": f"{ready.program.stack.kind} {ready.version}",
        }

    async def reveal(self, stack: Stack, output: str, bench: Bench) -> Secret:
        """The value of one output in clear.

        Raises:
            NoMatch: There is no such output.
        """
        ready = await set_up(bench, stack.name, await bench.here())
        found = await reads.outputs(ready)
        if output not in found:
            raise NoMatch(f"no output {output!r}", hint=f"there are: {', '.join(sorted(found)) or 'none'}")
        value = found[output].get("value")
        return Secret(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _of_state(seen: Seen) -> dict[str, Any]:
    return {
        "serial": seen.serial,
        "lineage": seen.lineage,
        "resources": len(seen.resources),
        "outputs": seen.outputs,
        "half_done": tuple(seen.tainted()),
    }


async def _of_lock(ready: Ready) -> dict[str, Any]:
    local = ready.backend.local_state(ready.options.workspace) is not None
    held = await unlocking.look(ready, probe=False)
    if held is not None or local:
        return {"lock": _lock(held, 0) if held else None, "lock_known": True}
    refused = await asyncio.to_thread(_stored, ready.folders.refused, planning.RefusedBy)
    if refused is None:
        return {"lock": None, "lock_known": False}
    last = await asyncio.to_thread(unlocking.of_process, ready, refused.lock)
    return {"lock": _lock(last, refused.at), "lock_known": False}


def _lock(held: Held, seen: int) -> StackLock:
    return StackLock(
        id=held.lock.id,
        who=held.lock.who,
        operation=held.lock.operation.removeprefix("OperationType").lower(),
        since=created(held.lock),
        alive=held.alive,
        why=held.why,
        job=held.job,
        seen=seen,
    )


def _remembered(folders: Folders) -> dict[str, Any]:
    """What lies in the work folder: known also while the program cannot be asked."""
    history = states.history(folders.seen)
    drift = _stored(folders.drift, planning.Drift)
    return {
        "states": tuple(_seen(history, at) for at in range(min(_SHOWN, len(history)))),
        "waiting": tuple(_waiting(path, history) for path in folders.errored()),
        "drift": Drift(at=drift.at, count=drift.counts.total, addresses=drift.addresses) if drift else None,
    }


def _seen(history: list[Seen], at: int) -> StateSeen:
    one = history[at]
    before = history[at + 1] if at + 1 < len(history) else None
    changed = ""
    if before is not None:
        changed = states.between(before, one).words() if before.lineage == one.lineage else "another state"
    return StateSeen(
        serial=one.serial, at=one.at, resources=len(one.resources), outputs=one.outputs, changed=changed
    )


def _waiting(path: Path, history: list[Seen]) -> StateWaiting:
    at = path.stat().st_mtime_ns
    try:
        seen = states.seen_of(states.decoded(path.read_bytes()), at)
    except (OSError, OndeckError) as error:
        return StateWaiting(path=str(path), at=at, differs=safe_line(f"cannot be read: {error}"))
    differs = states.between(history[0], seen).words() if history else ""
    return StateWaiting(path=str(path), at=at, serial=seen.serial, differs=differs)


def _stored(path: Path, kind: type[Any]) -> Any:  # noqa: ANN401 - of the kind that was asked for
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError):
        return None
