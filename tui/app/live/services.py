"""What services run: their hosts are asked while somebody looks, every few seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from ondeck.bench import Bench
from ondeck.capabilities import Capabilities
from ondeck.engine import Engine
from ondeck.errors import OndeckError
from ondeck.inventory.members import hosts_of
from ondeck.inventory.model import Host, Inventory, Service
from ondeck.observe import firing, health
from ondeck.observe.records import ReleaseFacts
from ondeck.operate.wayback import way_of
from tui.app.views import ServiceLook

EVERY = 5.0
"""Seconds between two questions to a service that is on screen."""
AT_ONCE = 8
"""Services that are asked at the same time."""


class LiveServices:
    """Belongs to the face's thread; answers come as futures."""

    def __init__(
        self,
        inventory: Inventory,
        engine: Engine,
        capabilities: Capabilities,
        last_good: Callable[[str], str],
        remembered: Callable[[str], str],
    ) -> None:
        self._engine = engine
        self._capabilities = capabilities
        self._last_good = last_good
        self._remembered = remembered
        self._services: dict[str, tuple[Service, tuple[Host, ...]]] = {}
        self._asking: dict[str, Future[Sequence[ReleaseFacts]]] = {}
        self._next: dict[str, float] = {}
        self.looks: dict[str, ServiceLook] = {}
        self._on_host: dict[str, list[str]] = {}
        for service in inventory.services.values():
            for env in service.on:
                self._add(inventory, service, env)

    def _add(self, inventory: Inventory, service: Service, env: str) -> None:
        hosts = hosts_of(inventory, service, env)
        subject = f"{service.name}@{env}"
        names = tuple(host.name for host in hosts)
        self._services[subject] = (service, hosts)
        self.looks[subject] = ServiceLook(
            subject=subject,
            name=service.name,
            env=env,
            hosts=names,
            checked=health.declared(service.health),
            deployed=service.deploy is not None,
        )
        for name in names:
            self._on_host.setdefault(name, []).append(subject)

    def services_on(self, host: str) -> tuple[str, ...]:
        """Every `service@env` on a host."""
        return tuple(self._on_host.get(host, ()))

    def look(self, subject: str) -> ServiceLook:
        """What is known of it."""
        found = self.looks.get(subject)
        if found is None:
            name, _, env = subject.partition("@")
            return ServiceLook(subject=subject, name=name, env=env, hosts=())
        good = self._last_good(subject)
        back = way_of(self._remembered, subject, found.releases) if found.deployed else ""
        asking = subject in self._asking
        if (good, back, asking) != (found.last_good, found.way_back, found.asking):
            found = self.looks[subject] = _changed(found, last_good=good, way_back=back, asking=asking)
        return found

    def refresh(self, subject: str) -> None:
        """Ask at the next turn."""
        self._next[subject] = 0.0

    def look_at(self, subjects: Sequence[str]) -> None:
        """Ask those that are on screen when it is time again."""
        now = time.monotonic()
        for subject in subjects:
            if subject not in self._services or subject in self._asking or len(self._asking) >= AT_ONCE:
                continue
            if self._next.get(subject, 0.0) <= now:
                self._ask(subject)

    def _ask(self, subject: str) -> None:
        service, hosts = self._services[subject]
        self._next[subject] = time.monotonic() + EVERY
        if not hosts or (service.deploy is None and not health.declared(service.health)):
            return

        async def ask(bench: Bench) -> Sequence[ReleaseFacts]:
            return await firing.running(bench, self._capabilities.releases, service, hosts)

        self._asking[subject] = self._engine.call(ask)

    def drain(self) -> bool:
        """Take in answers."""
        ended = [subject for subject, future in self._asking.items() if future.done()]
        for subject in ended:
            future = self._asking.pop(subject)
            look = self.looks[subject]
            try:
                releases = tuple(future.result())
            except OndeckError as error:
                self.looks[subject] = _changed(look, error=error.message, releases=(), asked=time.time_ns())
            except Exception as error:  # noqa: BLE001 - a provider's mistake is shown, not fatal
                self.looks[subject] = _changed(look, error=f"{type(error).__name__}: {error}", releases=())
            else:
                self.looks[subject] = _changed(look, error="", releases=releases, asked=time.time_ns())
        return bool(ended)


def _changed(look: ServiceLook, **fields: object) -> ServiceLook:
    import msgspec

    return msgspec.structs.replace(look, **fields)
