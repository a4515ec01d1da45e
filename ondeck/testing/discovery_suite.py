"""The contract of `ondeck.observe.ports.DiscoveryReader` as tests: subclass it and give a `case`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
import pytest

from ondeck.bench import Bench
from ondeck.errors import BadInput, OndeckError
from ondeck.inventory.discovering import Discovered, Entry, merged
from ondeck.observe.ports import DiscoveryReader
from ondeck.testing.suite import PortSuite
from ondeck.text import is_safe


class DiscoveryCase(msgspec.Struct, frozen=True, kw_only=True):
    """A source that knows something.

    Attributes:
        entry: How the inventory names it.
        bench: What the reader works with; its inventory has the entry's environment.
        hosts: Names of the hosts that it knows.
        clusters: Names of the clusters that it knows.
        breaks: Makes it impossible to ask.
    """

    entry: Entry
    bench: Bench
    breaks: Callable[[], None]
    hosts: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ()


class DiscoverySuite(PortSuite):
    """The promises of `DiscoveryReader`."""

    capability = "discovery"

    def _asked(self, provided: DiscoveryReader, case: DiscoveryCase) -> Discovered:
        return asyncio.run(provided.discover(case.entry, case.bench))

    def test_what_is_there_is_found(self, provided: DiscoveryReader, case: DiscoveryCase) -> None:
        """With when it was asked, and nothing else."""
        answer = self._asked(provided, case)
        assert (answer.error, answer.partly) == ("", False)
        assert answer.asked > 0
        assert sorted(host.name for host in answer.hosts) == sorted(case.hosts)
        assert sorted(cluster.name for cluster in answer.clusters) == sorted(case.clusters)

    def test_an_answer_can_be_kept_and_joins_an_inventory(
        self, provided: DiscoveryReader, case: DiscoveryCase
    ) -> None:
        """As plain data; every host says where it comes from."""
        answer = self._asked(provided, case)
        again = msgspec.json.decode(msgspec.json.encode(answer), type=Discovered)
        whole = merged(case.bench.inventory, [(case.entry, again)])
        for name in case.hosts:
            assert whole.hosts[name].env == case.entry.env
            assert whole.hosts[name].origin == answer.source
        assert set(case.clusters) <= set(whole.clusters)

    def test_texts_are_safe(self, provided: DiscoveryReader, case: DiscoveryCase) -> None:
        """Whatever somebody called a host."""
        answer = self._asked(provided, case)
        for host in answer.hosts:
            said = (host.name, host.address, *host.groups, *host.also, *host.labels.values())
            assert all(is_safe(text) and "\n" not in text for text in said)

    def test_a_source_that_cannot_be_asked_is_an_error_and_never_an_empty_answer(
        self, provided: DiscoveryReader, case: DiscoveryCase
    ) -> None:
        """Raised, or in the answer."""
        case.breaks()
        try:
            answer = self._asked(provided, case)
        except OndeckError:
            return
        assert answer.error

    def test_a_key_that_is_not_known_is_bad_input(
        self, provided: DiscoveryReader, case: DiscoveryCase
    ) -> None:
        """A slip of the keys is no silent default."""
        wrong = msgspec.structs.replace(case.entry, options={**case.entry.options, "speed": "high"})
        with pytest.raises(BadInput, match="speed"):
            asyncio.run(provided.discover(wrong, case.bench))
