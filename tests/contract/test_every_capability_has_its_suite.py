"""No provider is without the contract suite of each of its ports: read from the suites, not from a list."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

import pytest

import tests.contract
from ondeck.registry import Manifest, Registry
from ondeck.testing.suite import PortSuite, suites, uncovered


@pytest.fixture(scope="module")
def found() -> list[type[PortSuite]]:
    """The suites of this folder, whether or not the rest of it is run now."""
    for module in pkgutil.iter_modules(tests.contract.__path__):
        if module.name.startswith("test_"):
            importlib.import_module(f"tests.contract.{module.name}")
    return suites("tests.contract")


def test_every_capability_of_every_provider_is_run_by_a_suite(found: list[type[PortSuite]]) -> None:
    registry = Registry()
    assert [manifest.name for manifest in registry.manifests()] == list(registry.names())
    assert uncovered(registry.manifests(), found) == []


def test_a_suite_names_a_provider_and_a_capability_that_there_are(found: list[type[PortSuite]]) -> None:
    registry = Registry()
    for suite in found:
        assert suite.capability in registry.manifest(suite.provider).capabilities, suite.__qualname__


def test_a_new_provider_or_a_new_capability_is_not_covered_by_itself(found: list[type[PortSuite]]) -> None:
    new = Manifest(name="new", title="New", capabilities={"logs": "new.logs:New", "weather": "new.sky:Sky"})
    more = Manifest(name="linux", title="Linux", capabilities={"logs": "a:B", "weather": "a:C"})
    assert uncovered([new, more], found) == ["linux: weather", "new: logs", "new: weather"]


def test_a_suite_that_brings_its_own_object_covers_nothing() -> None:
    class Honest(PortSuite):
        capability, provider = "logs", "new"

    class OwnObject(Honest):
        @pytest.fixture
        def provided(self) -> Any:
            return object()

    new = Manifest(name="new", title="New", capabilities={"logs": "new.logs:New"})
    assert uncovered([new], [Honest]) == []
    assert uncovered([new], [OwnObject]) == ["new: logs"]
