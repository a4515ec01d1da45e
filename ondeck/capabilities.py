"""Which provider does what for a host or a service; an absent capability is an absent object."""

from __future__ import annotations

from typing import Any

from ondeck.errors import Missing
from ondeck.inventory import places
from ondeck.inventory.model import LogSource, Place, Service
from ondeck.registry import Registry


class Capabilities:
    """Looks capabilities up once; a provider that is not there says why each time it is asked."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._owners: dict[str, str] = {}

    def host(self, capability: str) -> Any:  # noqa: ANN401 - each capability has its own port
        """The reader that works over any link: `facts`, `units`.

        Raises:
            Missing: No installed provider has it.
        """
        if capability not in self._owners:
            for manifest in self._registry.manifests():
                if capability in manifest.capabilities:
                    self._owners[capability] = manifest.name
                    break
            else:
                raise Missing(f"no installed provider reads {capability}", hint="see: ondeck doctor")
        return self._registry.load(self._owners[capability], capability)

    def every(self, capability: str) -> list[Any]:
        """What every provider gives for a capability of which there may be several: `changes`.

        Raises:
            Missing: No installed provider has it.
        """
        found = [
            self._registry.load(manifest.name, capability)
            for manifest in self._registry.manifests()
            if capability in manifest.capabilities
        ]
        if not found:
            raise Missing(f"no installed provider reads {capability}", hint="see: ondeck doctor")
        return found

    def place(self, place: Place, capability: str) -> Any:  # noqa: ANN401 - each capability has its own port
        """What serves a place can do: `stacks`, `backups`, `resources`.

        Raises:
            Missing: Nobody serves its kind, or who does cannot.
        """
        field = places.FIELDS[places.section_of(place)]
        return self._registry.load(self._registry.serving(field, places.kind_of(place)).name, capability)

    def logs(self, source: LogSource) -> Any:  # noqa: ANN401 - the port is LogReader
        """The reader of a log source's kind.

        Raises:
            Missing: Nobody reads that kind.
        """
        return self._registry.load(self._registry.serving("log.kind", source.kind).name, "logs")

    def transport(self, name: str, capability: str) -> Any:  # noqa: ANN401 - each capability has its own port
        """What the provider of a transport can do: `shell`, `trust`, `live_check`.

        Raises:
            Missing: It cannot.
        """
        return self._registry.load(self._registry.serving("host.transport", name).name, capability)

    def carried(self, name: str, capability: str) -> bool:
        """True when the provider of a transport has the capability; imports nothing of it."""
        try:
            return capability in self._registry.serving("host.transport", name).capabilities
        except Missing:
            return False

    def secrets(self, scheme: str, capability: str) -> Any:  # noqa: ANN401 - each capability has its own port
        """What knows a scheme of secrets can do: `secrets`, `secret_store`.

        Raises:
            Missing: Nobody knows the scheme, or who does cannot.
        """
        return self._registry.load(self._registry.serving("secret.scheme", scheme).name, capability)

    def keeps(self, scheme: str) -> bool:
        """True when secrets of a scheme can be kept for the user here; imports nothing of its provider."""
        try:
            return "secret_store" in self._registry.serving("secret.scheme", scheme).capabilities
        except Missing:
            return False

    def check(self, kind: str) -> Any:  # noqa: ANN401 - the port is CheckReader
        """What evaluates a kind of check: `tls`.

        Raises:
            Missing: Nobody does.
        """
        return self._registry.load(self._registry.serving("check.kind", kind).name, "checks")

    def served(self, field: str) -> frozenset[str]:
        """Kinds that installed providers serve, by field of the inventory: `check.kind`."""
        return frozenset(kind for m in self._registry.manifests() for kind in m.kinds.get(field, ()))

    def releases(self, service: Service) -> Any:  # noqa: ANN401 - the port is ReleaseReader
        """The reader of releases for a service's kind of deploy.

        Raises:
            Missing: The service declares no deploy, or nobody serves its kind.
        """
        if service.deploy is None:
            raise Missing("the inventory declares no deploy for it")
        return self._registry.load(
            self._registry.serving("deploy.kind", service.deploy.kind).name, "releases"
        )
