"""Finds providers by name through the entry-point group `ondeck.providers`.

Three grains, each importing only what it must: `names` reads package metadata, `manifest` imports a
light module of the provider, `load` imports the one module that carries the asked capability.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from ondeck.errors import Missing
from ondeck.installed import entry_points
from ondeck.job.listing import ListSpec
from ondeck.job.spec import OperationSpec

if TYPE_CHECKING:
    from ondeck.inventory.serving import Serves

GROUP = "ondeck.providers"


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider says of itself without importing its library.

    Attributes:
        kinds: What it serves, by field of the inventory: `{"host.transport": ("ssh",),
            "deploy.kind": ("release-dir", "command")}`.
        capabilities: Capability name -> `package.module:Class`, a class without arguments.
        operations: Specs of the operations that its `operator` serves.
        lists: Kinds of live things that its `resources` lists.
        needs: Programs on PATH, or `python:NAME` libraries, that have to be there, for `ondeck doctor`.
    """

    name: str
    title: str
    kinds: dict[str, tuple[str, ...]] = {}
    capabilities: dict[str, str] = {}
    operations: tuple[OperationSpec, ...] = ()
    lists: tuple[ListSpec, ...] = ()
    needs: tuple[str, ...] = ()


@cache
def _entries() -> dict[str, str]:
    return entry_points(GROUP)


def _at(path: str) -> Any:  # noqa: ANN401 - what a provider names is known to who asks for it
    """What stands at `package.module:attribute`."""
    module, _, attribute = path.partition(":")
    return getattr(importlib.import_module(module), attribute)


class Registry:
    """Providers by name, kind and capability. Loaded objects are made once and kept."""

    def __init__(self, manifests: Iterable[Manifest] | None = None) -> None:
        """Use installed providers, or exactly the given manifests (tests, `ondeck.testing`)."""
        self._given = None if manifests is None else {m.name: m for m in manifests}
        self._loaded: dict[tuple[str, str], Any] = {}

    def names(self) -> tuple[str, ...]:
        """Every provider's name, sorted; imports nothing."""
        return tuple(sorted(_entries() if self._given is None else self._given))

    def manifest(self, name: str) -> Manifest:
        """A provider's manifest.

        Raises:
            Missing: No such provider is installed, or its manifest cannot be imported.
        """
        if self._given is not None:
            if name in self._given:
                return self._given[name]
            raise Missing(f"no provider named {name!r}", hint=self._known())
        entry = _entries().get(name)
        if entry is None:
            raise Missing(f"no provider named {name!r} is installed", hint=self._known())
        try:
            manifest = _at(entry)
        except ImportError as error:
            raise Missing(
                f"provider {name!r} cannot be imported: {error}", hint="see `ondeck doctor`"
            ) from error
        assert isinstance(manifest, Manifest)
        return manifest

    def _known(self) -> str:
        return f"there are: {', '.join(self.names()) or 'none'}"

    def manifests(self) -> list[Manifest]:
        """All manifests; one that cannot be imported is left out here and named by `ondeck doctor`."""
        found = []
        for name in self.names():
            try:
                found.append(self.manifest(name))
            except Missing:
                continue
        return found

    def serving(self, field: str, kind: str) -> Manifest:
        """The provider that serves a kind, e.g. `("deploy.kind", "release-dir")`.

        Raises:
            Missing: None does; the hint lists the kinds that are served.
        """
        known: list[str] = []
        for manifest in self.manifests():
            kinds = manifest.kinds.get(field, ())
            if kind in kinds:
                return manifest
            known.extend(kinds)
        raise Missing(
            f"no provider serves {field} {kind!r}", hint=f"served are: {', '.join(sorted(known)) or 'none'}"
        )

    def serves(self) -> Serves:
        """Every kind that is served and every verb there is, for `ondeck check`."""
        from ondeck.inventory.serving import Serves

        kinds: dict[str, set[str]] = {}
        for manifest in self.manifests():
            for field, served in manifest.kinds.items():
                kinds.setdefault(field, set()).update(served)
        verbs = frozenset(spec.verb for spec, _ in self.operations().values())
        return Serves(verbs=verbs, kinds={field: frozenset(served) for field, served in kinds.items()})

    def load(self, name: str, capability: str) -> Any:  # noqa: ANN401 - each capability has its own port
        """The provider's object for a capability; its module is imported now, once.

        Raises:
            Missing: The provider does not have it, or its library is not installed.
        """
        key = (name, capability)
        if key not in self._loaded:
            path = self.manifest(name).capabilities.get(capability)
            if path is None:
                raise Missing(f"provider {name!r} cannot do {capability!r}")
            try:
                self._loaded[key] = _at(path)()
            except ImportError as error:
                raise Missing(
                    f"provider {name!r} needs a library that is not installed: {error.name or error}",
                    hint=f"install it with: pip install {error.name or ''}".rstrip(),
                ) from error
        return self._loaded[key]

    def operations(self) -> dict[str, tuple[OperationSpec, Manifest]]:
        """Every operation by name with the provider that serves it.

        Operations of services (`service.deploy`) stand in several manifests; the one that serves the
        service's `deploy.kind` is chosen when a plan is made, so here the first one gives the spec.
        """
        found: dict[str, tuple[OperationSpec, Manifest]] = {}
        for manifest in self.manifests():
            for spec in manifest.operations:
                found.setdefault(spec.name, (spec, manifest))
        return found

    def lists(self) -> dict[str, tuple[ListSpec, ...]]:
        """Every kind of live things by name; several providers may list one kind, each of its own places."""
        found: dict[str, tuple[ListSpec, ...]] = {}
        for manifest in self.manifests():
            for spec in manifest.lists:
                found[spec.name] = (*found.get(spec.name, ()), spec)
        return found
