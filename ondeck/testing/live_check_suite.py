"""The contract suite of `live_check`: what every provider that looks whether a host is fit has to hold.

Subclass it in a test module, name the provider, give a `live` fixture, and pytest runs it.
"""

# ruff: noqa: D102 - the names of the tests are the promises
from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from ondeck.inventory.model import Host
from ondeck.reach.ports import Checked, LiveCheck, Reach
from ondeck.testing.suite import PortSuite
from ondeck.text import is_safe

ROWS = {"reachable", "sudo", "clock", "state folder"}


class LiveCase(msgspec.Struct, frozen=True, kw_only=True):
    """What a suite needs to try the look at a host.

    Attributes:
        host: A host that is fit, whose inventory says that it becomes another user.
        nobody: A host that cannot be reached.
        world: A fingerprint of everything that a check could change on the host.
        lose_during: Await a check, and lose the host's connections while it is answering it.
    """

    host: Host
    nobody: Host
    reach: Reach
    world: Callable[[], str]
    lose_during: Callable[[Awaitable[Sequence[Checked]]], Awaitable[Sequence[Checked]]]


class LiveCheckSuite(PortSuite):
    """Promises of `ondeck.reach.ports.LiveCheck`."""

    capability = "live_check"

    async def test_a_fit_host_has_a_good_row_for_every_question(
        self, provided: LiveCheck, live: LiveCase
    ) -> None:
        rows = await provided.check(live.host, live.reach)
        assert {row.what for row in rows} >= ROWS
        assert [row for row in rows if row.ok is not True] == []
        assert_told(rows, live.host)

    async def test_a_check_only_reads(self, provided: LiveCheck, live: LiveCase) -> None:
        before = live.world()
        await provided.check(live.host, live.reach)
        assert live.world() == before

    async def test_a_host_that_cannot_be_reached_is_one_row_that_says_why(
        self, provided: LiveCheck, live: LiveCase
    ) -> None:
        (row,) = await provided.check(live.nobody, live.reach)
        assert (row.what, row.ok) == ("reachable", False)
        assert_told([row], live.nobody)

    async def test_what_a_lost_link_left_unasked_is_neither_good_nor_bad(
        self, provided: LiveCheck, live: LiveCase
    ) -> None:
        rows = await live.lose_during(provided.check(live.host, live.reach))
        first, *rest = rows
        assert (first.what, first.ok) == ("reachable", True)
        assert rest
        assert [row for row in rest if row.ok is not None] == []
        assert_told(rows, live.host)

    async def test_checks_at_the_same_time_do_not_mix(self, provided: LiveCheck, live: LiveCase) -> None:
        hosts = [live.host, live.nobody] * 4
        answers = await asyncio.gather(*(provided.check(host, live.reach) for host in hosts))
        for host, rows in zip(hosts, answers, strict=True):
            assert_told(rows, host)
            assert {row.ok for row in rows} == {host is live.host}


def assert_told(rows: Sequence[Checked], host: Host) -> None:
    """Every row is of this host, once, and has safe words on one line."""
    assert {row.host for row in rows} == {host.name}
    assert len({row.what for row in rows}) == len(rows)
    assert all(row.text and is_safe(row.text) and "\n" not in row.text for row in rows)
