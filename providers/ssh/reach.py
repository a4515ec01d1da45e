"""Capability `reach`: links over SSH, one shared line a host, jump hosts shared the same way."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine

from ondeck.errors import AuthFailed, HostKeyChanged, HostKeyUnknown, Reason, Unreachable
from ondeck.inventory.model import Host, Inventory
from ondeck.reach.ports import Link
from ondeck.settings import Settings
from providers.ssh.connect import PER_GATE, Connector
from providers.ssh.endpoint import Endpoint, Endpoints
from providers.ssh.fallback import FallbackLink, Master
from providers.ssh.hostkeys import HostKeys
from providers.ssh.library import asyncssh
from providers.ssh.line import Line
from providers.ssh.link import SshLink

LINGER = 15.0
"""Seconds that an unused connection is kept, before timescale: a pane that opens again finds it."""


class SshTransport:
    """What the manifest names."""

    def open(self, inventory: Inventory, settings: Settings) -> SshReach:
        """A reach for this inventory; opens no connection and reads no key yet."""
        return SshReach(inventory, settings)


class SshReach:
    """Opens and shares lines. It belongs to the loop it is first used in."""

    def __init__(self, inventory: Inventory, settings: Settings) -> None:
        self.endpoints = Endpoints(inventory)
        self._inventory = inventory
        self._settings = settings
        self._masters = asyncio.Semaphore(PER_GATE)
        self._by_ssh: list[FallbackLink] = []
        self._connector = Connector(settings, HostKeys(self.endpoints.known_hosts()))
        self._lines: dict[tuple[str, str, int, Endpoint | None], asyncio.Task[Line]] = {}
        self._timers: dict[Line, asyncio.TimerHandle] = {}
        self._closing: set[asyncio.Task[None]] = set()

    async def connect(self, host: Host) -> Link:
        """A link to a host, over a line that others may share.

        Raises:
            Unreachable: With a `Reason`; its children HostKeyUnknown, HostKeyChanged, AuthFailed.
            BadInput: The inventory's words for this host cannot be used.
        """
        endpoint = self.endpoints.of(host)
        if endpoint.fallback:
            return await self._by_system(endpoint)
        line = await self._line(endpoint)
        line.hold()
        return SshLink(host.name, endpoint.user, line, self._settings)

    async def _by_system(self, endpoint: Endpoint) -> Link:
        master = Master(endpoint, self._inventory.ssh.config, self.endpoints.known_hosts(), self._settings)
        async with self._masters:
            await master.open()
        link = FallbackLink(master, self._settings)
        self._by_ssh = [one for one in self._by_ssh if not one.closed]
        self._by_ssh.append(link)
        return link

    def reset(self, env: str | None = None) -> None:
        """Try logins again that were given up after three refusals."""
        self._connector.reset(env)

    async def _line(self, endpoint: Endpoint) -> Line:
        """The shared line to an endpoint; several who ask at once wait for the same handshake."""
        # The jump host is part of it: private networks behind two of them may use the same addresses.
        key = (endpoint.user, endpoint.address, endpoint.port, endpoint.jump)
        task = self._lines.get(key)
        if (
            task is not None
            and task.done()
            and (task.cancelled() or task.exception() or task.result().closed)
        ):
            task = None
        if task is None:
            task = asyncio.ensure_future(self._opened(endpoint))
            self._lines[key] = task
        line = await asyncio.shield(task)
        timer = self._timers.pop(line, None)
        if timer is not None:
            timer.cancel()
        return line

    async def _opened(self, endpoint: Endpoint) -> Line:
        line = Line(endpoint.name, lambda: self._connection(endpoint), self._idle)
        await line.open()
        return line

    async def tunnel(self, endpoint: Endpoint) -> asyncssh.SSHClientConnection:
        """The open connection to an endpoint's jump host, which it must have.

        Raises:
            Unreachable: The jump host is not reached.
        """
        assert endpoint.jump is not None
        return (await self._line(endpoint.jump)).connection

    async def _connection(self, endpoint: Endpoint) -> asyncssh.SSHClientConnection:
        if endpoint.jump is None:
            return await self._connector.open(endpoint)
        try:
            jump = await self._line(endpoint.jump)
        except (HostKeyUnknown, HostKeyChanged, AuthFailed):
            raise
        except Unreachable as error:
            raise Unreachable(
                f"jump host {endpoint.jump.name}: {error.message}",
                reason=Reason.JUMP,
                hint=error.hint,
                where=endpoint.name,
            ) from error
        jump.hold()
        try:
            conn = await self._connector.open(endpoint, jump.connection)
        except BaseException:
            await jump.release()
            raise
        self._later(self._with(conn, jump))
        return conn

    async def _with(self, conn: asyncssh.SSHClientConnection, jump: Line) -> None:
        """Hold the jump host for as long as what goes through it."""
        await conn.wait_closed()
        await jump.release()

    def _later(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.ensure_future(work)
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _idle(self, line: Line) -> None:
        """Nobody uses a line any more: close it in a while, at once when it is dead."""
        if line.closed:
            await line.aclose()
            return
        loop = asyncio.get_running_loop()
        self._timers[line] = loop.call_later(self._settings.seconds(LINGER), self._expire, line)

    def _expire(self, line: Line) -> None:
        self._timers.pop(line, None)
        if line.holders == 0:
            self._lines = {
                key: task
                for key, task in self._lines.items()
                if not (
                    task.done() and not task.cancelled() and not task.exception() and task.result() is line
                )
            }
            self._later(line.aclose())

    async def aclose(self) -> None:
        """Close every line."""
        await asyncio.gather(*(link.aclose() for link in self._by_ssh))
        self._by_ssh.clear()
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        tasks, self._lines = list(self._lines.values()), {}
        for task in tasks:
            task.cancel()
        lines = [
            line for line in await asyncio.gather(*tasks, return_exceptions=True) if isinstance(line, Line)
        ]
        # Targets before jump hosts: a tunnel's goodbye goes through its jump host.
        for line in reversed(lines):
            await line.aclose()
        for rest in list(self._closing):
            rest.cancel()
        await asyncio.gather(*self._closing, return_exceptions=True)
        self._connector.close()
