"""What providers list of what lives in a place: from it views, `ondeck get`, help and menus are made."""

from __future__ import annotations

import msgspec

from ondeck.inventory import places
from ondeck.inventory.model import Inventory, Place
from ondeck.job.spec import TargetKind


class ListSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of live things, e.g. `containers`.

    Attributes:
        name: Plural, one word; what is typed behind `:` and `ondeck get`.
        title: For headings: `Containers`.
        of: In what kind of place they live.
        kinds: Which kinds of that place have them, e.g. `("docker", "swarm")`.
        columns: Titles in capitals, the first one names the thing.
        operations: Names of the operations that are offered on one of them.
        every: Seconds after which a list that somebody looks at is asked for again.
    """

    name: str
    title: str
    of: TargetKind
    kinds: tuple[str, ...]
    columns: tuple[str, ...]
    operations: tuple[str, ...] = ()
    every: float = 10.0

    def places(self, inventory: Inventory) -> tuple[Place, ...]:
        """Every place of the inventory that has them."""
        return tuple(places.serving(inventory, self.of.section, self.kinds))
