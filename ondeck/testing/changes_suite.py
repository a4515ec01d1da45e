"""The contract suite of `changes`: what every provider that tells what changed on a host has to hold.

Subclass it in a test module, name the provider, give a `changes` fixture, and pytest runs it.
"""

# ruff: noqa: D102 - the names of the tests are the promises
from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import msgspec

from ondeck.bench import Bench
from ondeck.inventory.model import Host
from ondeck.observe.ports import ChangeReader
from ondeck.observe.records import Asked, Change
from ondeck.testing.suite import PortSuite
from ondeck.text import is_safe

SECOND = 1_000_000_000
HOSTILE = b"\x1b]52;c;aGk=\x07\x9b2J\xc2\x9b2Jbad\xff"


class ChangesCase(msgspec.Struct, kw_only=True):
    """What a suite needs to try a reader of changes.

    Attributes:
        host: A host that answers every question in full.
        twin: Another such host; both may be the same machine under two names.
        nobody: A host of the same bench that cannot be reached.
        happen: Make something change on both hosts: when (ns, whole seconds), and to what.
        lose_during: Await a question, and lose the hosts' connections while they are answering it.
    """

    host: Host
    twin: Host
    nobody: Host
    bench: Bench
    happen: Callable[[int, bytes], None]
    lose_during: Callable[[Awaitable[Asked]], Awaitable[Asked]]


class ChangeReaderSuite(PortSuite):
    """Promises of `ondeck.observe.ports.ChangeReader`."""

    capability = "changes"

    async def test_a_host_that_cannot_be_asked_is_an_error_and_not_nothing_changed(
        self, provided: ChangeReader, changes: ChangesCase
    ) -> None:
        asked = await provided.changes(changes.nobody, changes.bench, since=0)
        assert asked.error
        assert is_safe(asked.error)
        assert asked.changes == ()

    async def test_a_link_lost_in_mid_answer_is_an_error_and_not_nothing_changed(
        self, provided: ChangeReader, changes: ChangesCase
    ) -> None:
        changes.happen(now() - 60 * SECOND, b"app")
        asked = await changes.lose_during(provided.changes(changes.host, changes.bench, since=0))
        assert asked.error

    async def test_a_host_that_answers_tells_all_since_a_time_oldest_first(
        self, provided: ChangeReader, changes: ChangesCase
    ) -> None:
        start = now() - 600 * SECOND
        for number, name in enumerate((b"before", b"first", b"second", b"third")):
            changes.happen(start + number * 90 * SECOND, name)
        since = start + 90 * SECOND
        asked = await provided.changes(changes.host, changes.bench, since=since)
        assert asked.error == ""
        assert names(asked) & {"before", "first", "second", "third"} == {"first", "second", "third"}
        times = [change.time for change in asked.changes]
        assert times == sorted(times)
        assert times[0] == since
        assert {(change.host, change.env) for change in asked.changes} == {
            (changes.host.name, changes.host.env)
        }
        later = await provided.changes(changes.host, changes.bench, since=since + 1)
        assert "first" not in names(later)
        assert "second" in names(later)

    async def test_nothing_since_a_time_is_an_answer_without_error(
        self, provided: ChangeReader, changes: ChangesCase
    ) -> None:
        changes.happen(now() - 60 * SECOND, b"app")
        asked = await provided.changes(changes.host, changes.bench, since=now() + 3600 * SECOND)
        assert (asked.error, asked.changes) == ("", ())

    async def test_what_acts_on_a_terminal_arrives_as_visible_text(
        self, provided: ChangeReader, changes: ChangesCase
    ) -> None:
        since = now() - 60 * SECOND
        changes.happen(since, HOSTILE)
        asked = await provided.changes(changes.host, changes.bench, since=since)
        assert any("52;c" in change.subject for change in asked.changes)
        assert all(is_safe(text) for change in asked.changes for text in texts(change))

    async def test_questions_at_the_same_time_do_not_mix(
        self, provided: ChangeReader, changes: ChangesCase
    ) -> None:
        start = now() - 900 * SECOND
        wanted: list[tuple[Host, int, set[str]]] = []
        for number in range(6):
            changes.happen(start + number * 90 * SECOND, b"app-%d" % number)
            later = {f"app-{n}" for n in range(number, 6)}
            wanted.append(((changes.host, changes.twin)[number % 2], start + number * 90 * SECOND, later))
        answers = await asyncio.gather(
            *(provided.changes(host, changes.bench, since=since) for host, since, _ in wanted)
        )
        for asked, (host, _, expected) in zip(answers, wanted, strict=True):
            assert asked.error == ""
            assert asked.source.startswith(host.name)
            assert {change.host for change in asked.changes} == {host.name}
            assert {name for name in names(asked) if name.startswith("app-")} == expected


def now() -> int:
    """This second in ns."""
    return int(time.time()) * SECOND


def names(asked: Asked) -> set[str]:
    """What something happened to."""
    return {change.subject for change in asked.changes}


def texts(change: Change) -> tuple[str, ...]:
    """Every text of a change."""
    return (change.kind, change.subject, change.text, change.host, change.who, change.env, change.job)
