"""What every reader of credentials promises, as tests: subclass `CredentialsSuite`, give it a `stand`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from ondeck.bench import Bench
from ondeck.inventory.model import Inventory
from ondeck.observe.credentials import Credential, CredentialState
from ondeck.observe.ports import CredentialReader
from ondeck.testing.suite import PortSuite
from ondeck.text import is_safe


class Stand(msgspec.Struct, frozen=True, kw_only=True):
    """A system that we have a credential for.

    Attributes:
        inventory: One that uses it.
        bench: Makes a bench over an inventory.
        values: What must stand in no row: tokens, keys.
        breaks: Makes it impossible to ask (the server goes, the agent dies).
        at_hand: Whether it has rows without anything of it in the inventory, because it is at hand here.
    """

    inventory: Inventory
    bench: Callable[[Inventory], Bench]
    values: tuple[str, ...]
    breaks: Callable[[], None]
    at_hand: bool = False


class CredentialsSuite(PortSuite):
    """The promises of `CredentialReader`."""

    capability = "credentials"

    def _rows(self, provided: CredentialReader, stand: Stand, inventory: Inventory) -> list[Credential]:
        return list(asyncio.run(provided.credentials(stand.bench(inventory))))

    def test_what_is_good_is_said_to_be_good(self, provided: CredentialReader, stand: Stand) -> None:
        """With its end where it has one."""
        rows = self._rows(provided, stand, stand.inventory)
        assert any(row.state in (CredentialState.GOOD, CredentialState.ENDING) for row in rows)
        for row in rows:
            assert is_safe(f"{row.what}{row.of}{row.text}{row.renew}")
            assert "\n" not in f"{row.what}{row.of}{row.text}{row.renew}"

    def test_no_value_is_in_a_row(self, provided: CredentialReader, stand: Stand) -> None:
        """Not in any text of it."""
        said = repr(self._rows(provided, stand, stand.inventory))
        assert not [value for value in stand.values if value in said]

    def test_what_could_not_be_asked_is_never_good(self, provided: CredentialReader, stand: Stand) -> None:
        """A row says so; nothing is raised."""
        stand.breaks()
        rows = self._rows(provided, stand, stand.inventory)
        assert rows or stand.at_hand
        assert not [row for row in rows if row.state is CredentialState.GOOD]
        assert all(row.text for row in rows)

    def test_an_inventory_without_it_has_no_row(self, provided: CredentialReader, stand: Stand) -> None:
        """What nobody uses is nobody's worry."""
        if stand.at_hand:
            return
        bare = msgspec.structs.replace(
            stand.inventory, secrets={}, backups={}, accounts={}, stacks={}, clusters={}, services={}
        )
        assert self._rows(provided, stand, bare) == []
