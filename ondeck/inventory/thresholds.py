"""Where figures of a host turn to warn and to bad when the inventory says nothing else."""

from __future__ import annotations

from math import inf

from ondeck.inventory.model import Threshold

# Percent; load for each core; seconds for the clock. A host's own thresholds stand before them. A machine that is
# busy does its work: by itself that is never bad, unless the inventory says from where on.
DEFAULTS: dict[str, Threshold] = {
    "disk": Threshold(warn=80, bad=90),
    "inodes": Threshold(warn=80, bad=90),
    "memory": Threshold(warn=90, bad=97),
    "cpu": Threshold(warn=90, bad=inf),
    "load": Threshold(warn=4, bad=inf),
    "clock": Threshold(warn=5, bad=30),
}
