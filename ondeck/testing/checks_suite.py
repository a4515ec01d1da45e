"""The contract suite of `checks`: what every provider that asks members has to hold.

Subclass it in a test module, name the provider, give a `checks` fixture, and pytest runs it.
"""

# ruff: noqa: D102 - the names of the tests are the promises
from __future__ import annotations

import asyncio

import msgspec
import pytest

from ondeck.bench import Bench
from ondeck.errors import OndeckError
from ondeck.inventory.model import Check
from ondeck.observe.ports import CheckReader
from ondeck.testing.suite import PortSuite
from ondeck.text import is_safe

PATIENCE = 20.0


class CheckCase(msgspec.Struct, frozen=True, kw_only=True):
    """What a suite needs to try a check.

    Attributes:
        check: Its target is a name that no resolver knows: only the given addresses can be asked.
        fine: Address of a member that serves what is wanted, until `ends` (ns).
        wrong: Addresses of members that serve something that is not to be trusted for the name.
        mute: Addresses of members that cannot be asked: nobody there, or somebody who speaks something else.
    """

    check: Check
    bench: Bench
    fine: str
    ends: int
    wrong: tuple[str, ...]
    mute: tuple[str, ...]


class CheckReaderSuite(PortSuite):
    """Promises of `ondeck.observe.ports.CheckReader`."""

    capability = "checks"

    async def test_a_member_is_asked_by_its_own_address(
        self, provided: CheckReader, checks: CheckCase
    ) -> None:
        found = await provided.ask(checks.check, checks.fine, checks.bench)
        assert (found.ends, found.problem) == (checks.ends, "")
        assert found.serial

    async def test_what_is_not_to_be_trusted_says_why_and_until_when(
        self, provided: CheckReader, checks: CheckCase
    ) -> None:
        for address in checks.wrong:
            found = await provided.ask(checks.check, address, checks.bench)
            assert found.problem
            assert found.ends
            assert all(map(is_safe, (found.problem, found.issuer, found.serial)))

    async def test_a_member_that_cannot_be_asked_is_an_error_and_no_answer(
        self, provided: CheckReader, checks: CheckCase
    ) -> None:
        for address in checks.mute:
            async with asyncio.timeout(PATIENCE):
                with pytest.raises(OndeckError):
                    await provided.ask(checks.check, address, checks.bench)

    async def test_members_that_are_asked_at_once_do_not_mix(
        self, provided: CheckReader, checks: CheckCase
    ) -> None:
        order = (checks.fine, *checks.wrong) * 3
        found = await asyncio.gather(*(provided.ask(checks.check, a, checks.bench) for a in order))
        assert [not one.problem for one in found] == [a == checks.fine for a in order]
