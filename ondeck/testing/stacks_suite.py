"""The contract suite of `stacks`: what every provider that looks at stacks has to hold.

Subclass it in a test module, name the provider, give a `stacks` fixture, and pytest runs it.
"""

# ruff: noqa: D102 - the names of the tests are the promises
from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import msgspec
import pytest

from ondeck.bench import Bench
from ondeck.errors import NoMatch
from ondeck.inventory.model import Stack
from ondeck.observe.ports import StackReader
from ondeck.observe.stacks import StackLook
from ondeck.testing.suite import PortSuite
from ondeck.text import is_safe


class StacksCase(msgspec.Struct, kw_only=True):
    """What a suite needs to try a reader of stacks.

    Attributes:
        stack: One with three resources or more, a plain output and a sensitive one; nobody holds its lock.
        broken: One of the same bench that cannot be asked.
        output: Name and value of the plain output.
        secret: Name and value of the sensitive one.
        change: Change one resource, from elsewhere.
        locked: While it is entered, a process on this machine holds the lock; gives its process id.
        left: Leave the lock of a process that is dead.
        leave_waiting: Leave a state that could not be saved.
        world: A fingerprint of everything that a look could change.
    """

    bench: Bench
    stack: Stack
    broken: Stack
    output: tuple[str, str]
    secret: tuple[str, str]
    change: Callable[[], None]
    locked: Callable[[], AbstractContextManager[int]]
    left: Callable[[], None]
    leave_waiting: Callable[[], None]
    world: Callable[[], str]


class StackReaderSuite(PortSuite):
    """Promises of `ondeck.observe.ports.StackReader`."""

    capability = "stacks"

    async def test_a_stack_that_cannot_be_asked_is_an_error_and_not_an_empty_one(
        self, provided: StackReader, stacks: StacksCase
    ) -> None:
        look = await provided.look(stacks.broken, stacks.bench)
        assert look.error
        assert not look.known
        assert not look.lock_known

    async def test_a_look_changes_nothing(self, provided: StackReader, stacks: StacksCase) -> None:
        await provided.look(stacks.stack, stacks.bench)
        before = stacks.world()
        await provided.look(stacks.stack, stacks.bench)
        assert stacks.world() == before

    async def test_a_stack_tells_its_state_its_commit_and_its_place(
        self, provided: StackReader, stacks: StacksCase
    ) -> None:
        look = await provided.look(stacks.stack, stacks.bench)
        assert look.error == ""
        assert look.serial > 0
        assert look.lineage
        assert look.resources >= 3
        assert look.outputs == 2
        assert look.commit
        assert look.workspace
        assert look.backend
        assert look.asked
        assert look.lock is None

    async def test_what_changed_between_the_last_states_is_told_newest_first(
        self, provided: StackReader, stacks: StacksCase
    ) -> None:
        first = await provided.look(stacks.stack, stacks.bench)
        stacks.change()
        second = await provided.look(stacks.stack, stacks.bench)
        assert second.serial > first.serial
        assert [seen.serial for seen in second.states[:2]] == [second.serial, first.serial]
        assert "changed" in second.states[0].changed

    async def test_a_holder_that_lives_is_told_with_its_process(
        self, provided: StackReader, stacks: StacksCase
    ) -> None:
        await provided.look(stacks.stack, stacks.bench)
        with stacks.locked() as pid:
            look = await provided.look(stacks.stack, stacks.bench)
            assert look.lock is not None
            assert look.lock.alive is True
            assert str(pid) in look.lock.why
        after = await provided.look(stacks.stack, stacks.bench)
        assert after.lock is None

    async def test_the_lock_of_a_dead_process_is_told_as_that(
        self, provided: StackReader, stacks: StacksCase
    ) -> None:
        await provided.look(stacks.stack, stacks.bench)
        stacks.left()
        look = await provided.look(stacks.stack, stacks.bench)
        assert look.lock is not None
        assert look.lock.alive is False
        assert look.lock.id
        assert look.lock.why

    async def test_a_state_that_waits_is_told_and_stays(
        self, provided: StackReader, stacks: StacksCase
    ) -> None:
        await provided.look(stacks.stack, stacks.bench)
        stacks.leave_waiting()
        for _ in range(2):
            look = await provided.look(stacks.stack, stacks.bench)
            assert len(look.waiting) == 1
            assert look.waiting[0].serial

    async def test_no_value_stands_in_a_look_and_one_output_is_revealed_to_who_asks_for_it(
        self, provided: StackReader, stacks: StacksCase
    ) -> None:
        look = await provided.look(stacks.stack, stacks.bench)
        assert stacks.secret[1] not in str(msgspec.to_builtins(look))
        for name, value in (stacks.output, stacks.secret):
            assert (await provided.reveal(stacks.stack, name, stacks.bench)).reveal() == value
        with pytest.raises(NoMatch):
            await provided.reveal(stacks.stack, "no-such-output", stacks.bench)

    async def test_every_text_is_safe_to_show(self, provided: StackReader, stacks: StacksCase) -> None:
        for stack in (stacks.stack, stacks.broken):
            look = await provided.look(stack, stacks.bench)
            assert all(map(is_safe, _texts(look)))


def _texts(look: StackLook) -> list[str]:
    states = [seen.changed for seen in look.states]
    return [
        look.error,
        look.ref,
        look.subject,
        look.backend,
        look.program,
        *look.half_done,
        *look.warnings,
        *states,
    ]
