"""A line: the connections to one host that several links share, and their sessions under a cap."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from ondeck.errors import Reason, Unreachable
from providers.ssh.library import asyncssh
from providers.ssh.session import Session

SESSIONS = 8
"""At once on a connection: sshd's MaxSessions is 10."""

CONNECTIONS = 4

_FREEING = 0.05
_REFUSALS = 40
"""A daemon counts a session until it has tidied up after it: how long to wait between two tries, and how often."""

_S = TypeVar("_S", bound=Session)


class Carrier:
    """One connection and how many of its sessions are in use."""

    def __init__(self, conn: asyncssh.SSHClientConnection, name: str) -> None:
        self.conn = conn
        self.used = 0
        self.cap = SESSIONS
        self.served = False
        self._name = name

    @property
    def closed(self) -> bool:
        """True once the connection has ended."""
        return self.conn.is_closed()

    async def start(self, command: str, make: Callable[[], _S]) -> _S:
        """Start a command on a new session.

        Raises:
            Unreachable: The connection has ended, or the host allows no more sessions.
        """
        made: list[_S] = []

        def factory() -> _S:
            made.append(make())
            return made[-1]

        try:
            await self.conn.create_session(factory, command, encoding=None)
        except asyncssh.ChannelOpenError as error:
            if self.closed:
                raise self._gone() from error
            raise Unreachable(
                f"no more sessions on one connection: {error.reason}",
                reason=Reason.SESSIONS,
                hint="see MaxSessions in its sshd_config",
                where=self._name,
            ) from error
        except (asyncssh.Error, OSError) as error:
            raise self._gone() from error
        except asyncio.CancelledError:
            # It may have been accepted in the meantime: its input ends with it, so the script stops it.
            for session in made:
                session.drop()
            raise
        self.served = True
        return made[-1]

    def _gone(self) -> Unreachable:
        return Unreachable(
            "the connection had ended before this was sent",
            reason=Reason.RESET,
            hint="connect again",
            where=self._name,
        )


class Line:
    """Up to four connections to one host, made when their sessions are needed."""

    def __init__(
        self,
        name: str,
        connect: Callable[[], Awaitable[asyncssh.SSHClientConnection]],
        on_idle: Callable[[Line], Awaitable[None]],
    ) -> None:
        self._name = name
        self._connect = connect
        self._on_idle = on_idle
        self._carriers: list[Carrier] = []
        self._changed = asyncio.Condition()
        self._opening = 0
        self._holders = 0

    async def open(self) -> None:
        """Make the first connection."""
        self._carriers.append(Carrier(await self._connect(), self._name))

    @property
    def closed(self) -> bool:
        """True when no connection of it is alive."""
        return all(carrier.closed for carrier in self._carriers)

    @property
    def connection(self) -> asyncssh.SSHClientConnection:
        """A connection that is alive, for tunnels.

        Raises:
            Unreachable: None is.
        """
        for carrier in self._carriers:
            if not carrier.closed:
                return carrier.conn
        raise Unreachable("the connection has ended", reason=Reason.RESET, where=self._name)

    @property
    def holders(self) -> int:
        """How many hold it."""
        return self._holders

    def hold(self) -> None:
        """One more uses it."""
        self._holders += 1

    async def release(self) -> None:
        """One less does; the last one leaves it to its reach."""
        self._holders -= 1
        if self._holders == 0:
            await self._on_idle(self)

    @asynccontextmanager
    async def running(self, command: str, make: Callable[[], _S]) -> AsyncIterator[_S]:
        """A session that runs a command; opens another connection when all places are taken.

        Raises:
            Unreachable: The connection has ended, or the host allows no session at all.
        """
        carrier, session = await self._start(command, make)
        try:
            yield session
        finally:
            await self._give_back(carrier)

    async def _start(self, command: str, make: Callable[[], _S]) -> tuple[Carrier, _S]:
        refusals = 0
        while True:
            carrier = await self._take()
            alone = carrier.used == 1
            try:
                return carrier, await carrier.start(command, make)
            except BaseException as error:
                alone = alone and carrier.used == 1
                await self._give_back(carrier)
                full = isinstance(error, Unreachable) and error.reason is Reason.SESSIONS
                if not full or (alone and (not carrier.served or refusals >= _REFUSALS)):
                    raise
                carrier.cap = max(1, carrier.used)
            if alone:
                refusals += 1
                await asyncio.sleep(_FREEING)

    async def _give_back(self, carrier: Carrier) -> None:
        carrier.used -= 1
        async with self._changed:
            self._changed.notify()

    async def _take(self) -> Carrier:
        while True:
            alive = [carrier for carrier in self._carriers if not carrier.closed]
            if not alive and not self._opening:
                raise Unreachable(
                    "the connection has ended", reason=Reason.RESET, hint="connect again", where=self._name
                )
            free = min(alive, key=lambda carrier: carrier.used, default=None)
            if free is not None and free.used < free.cap:
                free.used += 1
                return free
            if len(alive) + self._opening < CONNECTIONS:
                self._carriers = alive
                return await self._another()
            async with self._changed:
                await self._changed.wait()

    async def _another(self) -> Carrier:
        self._opening += 1
        try:
            carrier = Carrier(await self._connect(), self._name)
            carrier.used = 1
            self._carriers.append(carrier)
            return carrier
        finally:
            self._opening -= 1
            async with self._changed:
                self._changed.notify_all()

    async def aclose(self) -> None:
        """Close every connection and wait for it."""
        for carrier in self._carriers:
            carrier.conn.close()
        for carrier in self._carriers:
            await closed(carrier.conn)


async def closed(conn: asyncssh.SSHClientConnection, seconds: float = 2.0) -> None:
    """Wait for a connection's end; one that does not say goodbye in time is cut."""
    try:
        async with asyncio.timeout(seconds):
            await conn.wait_closed()
    except TimeoutError:
        conn.abort()
