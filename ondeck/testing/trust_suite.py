"""The contract suite of `trust`: what every provider that enrols host keys has to hold.

Subclass it in a test module, name the provider, give a `trust` fixture, and pytest runs it.
"""

# ruff: noqa: D102 - the names of the tests are the promises
from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from ondeck.errors import Unreachable
from ondeck.inventory.model import Host, Inventory
from ondeck.reach.ports import Scanned, Trust
from ondeck.settings import Settings
from ondeck.testing.suite import PortSuite
from ondeck.text import is_safe


class TrustCase(msgspec.Struct, frozen=True, kw_only=True):
    """What a suite needs to try the enrolling of keys.

    Attributes:
        host: A host of the inventory that shows a key.
        known: The inventory's file of known hosts, empty.
        impatient: Settings whose timescale makes waiting for a stranger short.
        other: Public line of a key that is not the host's.
        strangers: Hosts that show no key: nobody there, nothing said, something else said.
        logins: How often somebody has logged in on the host.
    """

    inventory: Inventory
    settings: Settings
    impatient: Settings
    host: Host
    known: Path
    other: str
    strangers: tuple[Host, ...]
    logins: Callable[[], int]


class TrustSuite(PortSuite):
    """Promises of `ondeck.reach.ports.Trust`."""

    capability = "trust"

    async def test_a_scan_logs_in_nowhere_and_writes_nothing(self, provided: Trust, trust: TrustCase) -> None:
        found = await scan(provided, trust)
        assert (found.host, found.recorded, found.was) == (trust.host.name, "unknown", "")
        assert found.fingerprint.startswith("SHA256:")
        assert len(found.line.split()) == 2
        assert all(map(is_safe, (found.line, found.fingerprint)))
        assert trust.logins() == 0
        assert trust.known.read_bytes() == b""

    async def test_the_line_that_is_appended_makes_the_next_scan_the_same(
        self, provided: Trust, trust: TrustCase
    ) -> None:
        found = await scan(provided, trust)
        line = provided.known_hosts_line(trust.inventory, trust.host, found)
        assert "\n" not in line
        assert line.endswith(found.line)
        trust.known.write_text(f"{line}\n")
        again = await scan(provided, trust)
        assert again == msgspec.structs.replace(found, recorded="same")

    async def test_another_key_than_the_recorded_one_is_changed_and_tells_which_it_was(
        self, provided: Trust, trust: TrustCase
    ) -> None:
        found = await scan(provided, trust)
        line = provided.known_hosts_line(trust.inventory, trust.host, found)
        trust.known.write_text(line.replace(found.line, trust.other) + "\n")
        changed = await scan(provided, trust)
        assert (changed.recorded, changed.fingerprint) == ("changed", found.fingerprint)
        assert changed.was.startswith("SHA256:")
        assert changed.was != changed.fingerprint

    async def test_a_host_that_shows_no_key_is_unreachable(self, provided: Trust, trust: TrustCase) -> None:
        for stranger in trust.strangers:
            with pytest.raises(Unreachable) as error:
                await provided.scan(trust.inventory, trust.impatient, stranger)
            assert error.value.message
            assert is_safe(error.value.message)

    async def test_scans_at_the_same_time_do_not_mix(self, provided: Trust, trust: TrustCase) -> None:
        alone = await scan(provided, trust)
        first, last, *lost = await asyncio.gather(
            scan(provided, trust),
            scan(provided, trust),
            *(provided.scan(trust.inventory, trust.impatient, stranger) for stranger in trust.strangers),
            return_exceptions=True,
        )
        assert first == last == alone
        assert all(isinstance(error, Unreachable) for error in lost)


async def scan(provided: Trust, trust: TrustCase) -> Scanned:
    """A scan of the host that shows a key."""
    return await provided.scan(trust.inventory, trust.settings, trust.host)
