"""What the bad hosts have in common and the others have not: `az-b, instance c5.large`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from ondeck.inventory.model import Host


class Trait(msgspec.Struct, frozen=True):
    """Something that marks the bad hosts out.

    Attributes:
        name: `az`, `group`, `version`, `kernel`, ...
        bad: Share of the bad hosts that have it, 0 to 1.
        others: Share of the others that have it.
    """

    name: str
    value: str
    bad: float
    others: float

    def text(self) -> str:
        """Such as `az b`, or `az b (20% of the others too)`."""
        too = f" ({self.others:.0%} of the others too)" if self.others else ""
        return f"{self.name} {self.value}{too}"


def in_common(
    hosts: Mapping[str, Host], bad: Iterable[str], *, more: Mapping[str, Mapping[str, str]] | None = None
) -> list[Trait]:
    """Traits that nearly all bad hosts (80 %) and few others (25 %) have, the clearest first.

    Args:
        hosts: The hosts that are compared, such as those of one service.
        bad: Names of the bad ones; one alone has nothing in common with anybody.
        more: Further traits by host, such as `{"web-1": {"version": "2.15.0"}}`.
    """
    chosen = {name for name in bad if name in hosts}
    others = [name for name in hosts if name not in chosen]
    if len(chosen) < 2 or not others:
        return []
    with_bad: Counter[tuple[str, str]] = Counter()
    with_others: Counter[tuple[str, str]] = Counter()
    for name, host in hosts.items():
        traits = {("group", group) for group in host.groups} | set(host.labels.items())
        traits |= {("via", host.via)} if host.via else set()
        traits |= set((more or {}).get(name, {}).items())
        (with_bad if name in chosen else with_others).update(traits)
    found = [
        Trait(name, value, count / len(chosen), with_others[name, value] / len(others))
        for (name, value), count in with_bad.items()
    ]
    found = [trait for trait in found if trait.bad >= 0.8 and trait.others <= 0.25]
    found.sort(key=lambda trait: (trait.others - trait.bad, trait.name, trait.value))
    return found
