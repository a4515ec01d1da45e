"""What apply needs to know of a plan, as plain data in the draft; and a stack that is set up to be worked on."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from ondeck.bench import Bench
from ondeck.errors import RemoteFailed
from ondeck.job.plan import Precondition
from ondeck.reach.checkout import Pinned, check_out, pin
from ondeck.reach.ports import Link
from providers.terraform import state as states
from providers.terraform.folders import Folders
from providers.terraform.options import Options, options_of, source_of, stack_of
from providers.terraform.planfile import Counts
from providers.terraform.program import Backend, Program
from providers.terraform.state import Seen, State


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """The provider's part of a plan.

    Attributes:
        module: The root module in the checkout.
        plan: The plan file; empty where the operation has none.
        sum: sha256 of that file.
        seen: `serial N of LINEAGE` when the plan was made.
        words: Arguments of the program, for operations without a plan file.
        lock: Id of the lock to break.
        file: State to push.
        vars: The file of variables that the command reads when it is applied; empty when it reads none.
        vars_sum: sha256 of that file.
    """

    operation: str
    stack: str
    ref: str = ""
    commit: str = ""
    module: str = ""
    plan: str = ""
    sum: str = ""
    seen: str = ""
    workspace: str = "default"
    version: str = ""
    counts: Counts = Counts()
    words: tuple[str, ...] = ()
    lock: str = ""
    file: str = ""
    vars: str = ""
    vars_sum: str = ""


class Now(msgspec.Struct, frozen=True, kw_only=True):
    """A state as it was read: parsed, what is kept of it, and its bytes; no state is None."""

    state: State | None
    seen: Seen
    raw: bytes


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """A stack whose checkout is there and set up."""

    program: Program
    options: Options
    folders: Folders
    pinned: Pinned
    module: Path
    version: str
    backend: Backend

    async def state(self) -> Now:
        """The state as it is now; what was seen of it is remembered.

        Raises:
            RemoteFailed: It cannot be read.
        """
        found, raw = await self.program.pull(self.module)
        seen = await asyncio.to_thread(self._remember, found)
        return Now(state=found, seen=seen, raw=raw)

    def _remember(self, found: State | None) -> Seen:
        seen = states.seen_of(found, time.time_ns())
        states.remember(self.folders.seen, seen)
        return seen


def keep_copy(folders: Folders, now: Now, why: str) -> Path | None:
    """Keep a copy of a state beside the older ones; where it lies, None when there is no state."""
    if not now.raw.strip():
        return None
    file = folders.states / f"{now.seen.serial:06d}-{why}.tfstate"
    states.write_private(file, now.raw)
    for spare in folders.spare_states():
        spare.unlink(missing_ok=True)
    return file


def copy_before(folders: Folders, attempt: str) -> Seen | None:
    """What the state was before an attempt, from its copy; None when there is none."""
    for file in folders.states.glob(f"*-before-{attempt}.tfstate"):
        try:
            return states.seen_of(states.decoded(file.read_bytes()), 0)
        except (OSError, RemoteFailed):
            return None
    return None


def folders_of(bench: Bench, stack: str) -> Folders:
    """The work folder of a stack."""
    return Folders(bench.work_folder("terraform", stack))


def _quiet(step: str) -> None:
    del step


async def set_up(
    bench: Bench,
    name: str,
    link: Link,
    *,
    ref: str = "",
    workspace: bool = True,
    at: Callable[[str], None] = _quiet,
) -> Ready:
    """Pin the commit, check it out, set it up; changes nothing of the stack and nothing in anybody's tree.

    Args:
        bench: What we work with.
        name: The stack.
        link: To this machine.
        ref: In place of the stack's own.
        workspace: The workspace has to be there.
        at: Told what is done next.

    Raises:
        BadInput: The stack's options are wrong, or it has no such ref or workspace.
        Missing: The program or git is not installed, or too old.
        RemoteFailed: It cannot be set up.
    """
    stack = stack_of(bench.inventory, name)
    options = options_of(stack)
    folders = folders_of(bench, name)
    program = Program(bench, stack, options, link, folders)
    at(f"{program.binary} version")
    version = await program.version()
    source = source_of(bench.inventory, options)
    at("git")
    pinned = await pin(link, source, ref or options.ref)
    at(f"the checkout of {pinned.label()}")
    module = await check_out(link, source, pinned, folders.trees, bench.settings, holds=folders.holds)
    at(f"{program.binary} init")
    backend = await program.ready(module, version)
    if workspace:
        at(f"{program.binary} workspace list")
        await program.check_workspace(module)
    return Ready(
        program=program,
        options=options,
        folders=folders,
        pinned=pinned,
        module=module,
        version=version,
        backend=backend,
    )


def preconditions(work: Work) -> tuple[Precondition, ...]:
    """What must still be so when it starts, as it was when the plan was made."""
    facts = [("state", work.seen), ("workspace", work.workspace), ("program", work.version)]
    facts.append((f"commit of {work.ref or 'HEAD'}", work.commit))
    if work.plan:
        facts.append(("sha256 of the plan file", work.sum))
    if work.vars:
        facts.append(("sha256 of the variables", work.vars_sum))
    return tuple(Precondition(target=work.stack, fact=fact, expected=value) for fact, value in facts)


def file_sum(path: Path) -> str:
    """sha256 of a file; empty when it is not there."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
