"""What every contract suite is: the promises of one port, run on the object that a provider gives for it.

A subclass names its provider; the suite takes the object from the registry, as ondeck does, so what is
tested is what is used. `uncovered` tells which capabilities of which providers no suite looks at.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import pytest

from ondeck.registry import Manifest, Registry


class PortSuite:
    """A suite of one capability; a subclass says whose.

    Attributes:
        capability: The capability whose port's promises it holds.
        provider: Name of the provider that is tried, as its manifest has it.
    """

    capability: ClassVar[str] = ""
    provider: ClassVar[str] = ""

    @pytest.fixture
    def provided(self) -> Any:  # noqa: ANN401 - each capability has its own port
        """The object that the installed provider gives for the capability."""
        return Registry().load(self.provider, self.capability)


def suites(module: str) -> list[type[PortSuite]]:
    """Every suite that pytest collects below a package whose modules are imported already."""
    found: list[type[PortSuite]] = []
    waiting = [PortSuite]
    while waiting:
        for suite in waiting.pop().__subclasses__():
            waiting.append(suite)
            if suite.__module__.startswith(f"{module}.") and suite.__name__.startswith("Test"):
                found.append(suite)
    return found


def uncovered(manifests: Iterable[Manifest], found: Iterable[type[PortSuite]]) -> list[str]:
    """Capabilities that no suite looks at, as `provider: capability`, sorted.

    A suite that brings an object of its own in place of the provider's covers nothing.
    """
    covered = {(suite.provider, suite.capability) for suite in found if _takes_what_is_provided(suite)}
    return sorted(
        f"{manifest.name}: {capability}"
        for manifest in manifests
        for capability in manifest.capabilities
        if (manifest.name, capability) not in covered
    )


def _takes_what_is_provided(suite: type[PortSuite]) -> bool:
    return next(part for part in suite.__mro__ if "provided" in vars(part)) is PortSuite
