"""Live things for a made-up session: two engines with boxes; one answers, one was lost after an answer."""

from __future__ import annotations

import msgspec

from ondeck.inventory.model import Cluster, Inventory
from ondeck.job.listing import ListSpec
from ondeck.observe.asking import Question
from ondeck.observe.resources import Listing, Resource, ResourceState
from tests.tui.stage import NOW, S
from tests.unit.test_places import BOXES
from tui.app.views import Known

Boxes = tuple[Inventory, dict[str, tuple[ListSpec, ...]], dict[Question, Known]]


def boxes(inventory: Inventory) -> Boxes:
    """The inventory with the engines, the kinds that are listed, and what is known of them."""
    clusters = {name: Cluster(name=name, kind="crate", env="prod") for name in ("eng-1", "eng-2")}
    rows = (
        Resource(name="shop", cells=("shop", "up 3h"), state=ResourceState.GOOD),
        Resource(name="mail", cells=("mail", "exited 1"), state=ResourceState.BAD),
    )
    known = {
        Question("resources", "clusters", place, "boxes"): Known(
            answer=Listing(kind="boxes", place=place, rows=rows, asked=NOW - 5 * S),
            asked=NOW - 5 * S,
            error=error,
        )
        for place, error in (("eng-1", ""), ("eng-2", "connection refused"))
    }
    known[Question("describe", "clusters", "eng-1", "boxes", "shop")] = Known(
        answer={"image": "shop:2", "ports": [80, 443]}, asked=NOW - S
    )
    return msgspec.structs.replace(inventory, clusters=clusters), {"boxes": (BOXES,)}, known
