"""Until when a disk is full if it goes on like this: `full in 2h10m`."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from ondeck.inventory.live import HostFacts

NS = 1_000_000_000
OVER = 1800.0
"""Seconds over which the slope is taken."""
LEAST = 180.0
"""Seconds that have to be known before anything is said: one burst is no trend."""
FURTHEST = 7 * 86_400.0
"""Seconds beyond which nobody cares."""
_APART = 10.0  # seconds between two samples that are kept
_MOST = int(OVER / _APART)


class Trends:
    """How full the disks of hosts were lately. Bounded: `OVER` seconds a mount, `hosts` hosts.

    Args:
        hosts: Of so many hosts samples are kept; those that gave none for longest are let go first.
    """

    def __init__(self, hosts: int = 80) -> None:
        self._most = hosts
        self._samples: dict[str, dict[str, deque[tuple[int, float]]]] = {}

    def take(self, facts: HostFacts) -> None:
        """Take a sample of every mount."""
        kept = self._samples.pop(facts.host, {})
        self._samples[facts.host] = kept
        for mount, (used, _, _) in facts.disks.items():
            samples = kept.setdefault(mount, deque(maxlen=_MOST))
            if not samples or facts.time - samples[-1][0] >= _APART * NS:
                samples.append((facts.time, used))
        while len(self._samples) > self._most:
            del self._samples[next(iter(self._samples))]

    def full_in(self, host: str) -> dict[str, float]:
        """Seconds until full by mount; only of those that fill up within a week."""
        found = {}
        for mount, samples in self._samples.get(host, {}).items():
            slope = _slope(samples)
            left = (1.0 - samples[-1][1]) / slope if slope is not None and slope > 0 else FURTHEST + 1
            if left <= FURTHEST:
                found[mount] = left
        return found


def _slope(samples: Iterable[tuple[int, float]]) -> float | None:
    """Change a second (least squares); None with too little to say."""
    known = list(samples)
    end = known[-1][0] if known else 0
    recent = [((time - end) / NS, value) for time, value in known if end - time <= OVER * NS]
    if len(recent) < 3 or -recent[0][0] < LEAST:
        return None
    middle = sum(time for time, _ in recent) / len(recent)
    level = sum(value for _, value in recent) / len(recent)
    spread = sum((time - middle) ** 2 for time, _ in recent)
    return sum((time - middle) * (value - level) for time, value in recent) / spread
