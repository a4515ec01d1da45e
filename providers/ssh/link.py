"""A link over asyncssh: commands on sessions of shared connections, each under the watching script."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

from ondeck import text
from ondeck.errors import LinkLost, Reason, Unreachable
from ondeck.reach import files, sockets
from ondeck.reach.command import GRACE, Input, signal_of, watched
from ondeck.reach.ports import Become, Chunk, Completed, FileFacts
from ondeck.settings import Settings
from providers.ssh.library import asyncssh
from providers.ssh.line import Line
from providers.ssh.session import Capture, Follow, Session

_S = TypeVar("_S", bound=Session)

# What sudo -n says when it will not do it; all of it on standard error, with exit status 1.
_SUDO = re.compile(rb"\A(?:sudo: |Sorry, user |\S+ is not in the sudoers file)", re.MULTILINE)


def refused_by_sudo(become: Become | None, status: int | None, out: bytes, err: bytes) -> bool:
    """True when sudo itself said no, so that the command never started."""
    return become is not None and status == 1 and not out and _SUDO.search(err) is not None


def sudo_error(host: str, become: Become, err: bytes) -> Unreachable:
    """The error for a sudo that would have to ask."""
    said = text.safe_line(err.decode("utf-8", "backslashreplace").strip().partition("\n")[0])
    return Unreachable(
        f"cannot become {become.user}: {said}",
        reason=Reason.BECOME,
        hint=f"`sudo -n -u {become.user} true` must work there without a password",
        where=host,
    )


class SshStream:
    """A followed command."""

    def __init__(self, link: SshLink, session: Follow, become: Become | None) -> None:
        self._link = link
        self._session = session
        self._become = become
        self._head = bytearray()
        self._any_out = False
        self._began = asyncio.get_running_loop().time()

    async def __aiter__(self) -> AsyncIterator[Chunk]:
        """Chunks as they come, until the command ends."""
        while (chunk := await self._session.chunk()) is not None:
            if self._become is not None and len(self._head) < 512:
                self._note(chunk)
            yield chunk

    def _note(self, chunk: Chunk) -> None:
        if chunk.fd.value == "err":
            self._head += chunk.data[:512]
        else:
            self._any_out = True

    async def wait(self) -> Completed:
        """Status after the last chunk.

        Raises:
            LinkLost: The connection ended first.
            Unreachable: sudo wants a password.
        """
        await self._session.done
        end = self._session.end
        if not end.known:
            raise self._link.lost("a followed command")
        head = bytes(self._head)
        if refused_by_sudo(self._become, end.status, b"x" if self._any_out else b"", head):
            assert self._become is not None
            raise sudo_error(self._link.host, self._become, head)
        seconds = asyncio.get_running_loop().time() - self._began
        return Completed(end.status, b"", b"", end.signal or signal_of(end.status), 0, seconds)

    async def send(self, data: bytes) -> None:
        """Write to the command's standard input.

        Raises:
            LinkLost: It has ended, or the connection has.
        """
        await self._session.room()
        chan = self._session.chan
        if self._session.done.done() or chan is None:
            raise self._link.lost("a followed command")
        try:
            chan.write(data)
        except OSError as error:
            raise self._link.lost("a followed command") from error


class SshLink:
    """One user's handle on a line; several may share it."""

    def __init__(self, name: str, login: str, line: Line, settings: Settings) -> None:
        self._name = name
        self._login = login
        self._line = line
        self._settings = settings
        self._grace = settings.seconds(GRACE)
        self._running: set[Session] = set()
        self._forwards: set[asyncssh.SSHListener] = set()
        self._open = True

    @property
    def host(self) -> str:
        """The host's name in the inventory."""
        return self._name

    @property
    def closed(self) -> bool:
        """True once this handle was closed or the connection is known to have ended."""
        return not self._open or self._line.closed

    def lost(self, what: str) -> LinkLost:
        """The error for something that ran when the connection ended."""
        return LinkLost(f"connection ended while {what} was running", where=self._name)

    async def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        become: Become | None = None,
        timeout: float = 60.0,
        limit: int = 1 << 20,
    ) -> Completed:
        """Run to the end and capture; see `ondeck.reach.ports.Link`."""
        command = watched(
            argv,
            grace=self._grace,
            given=Input.SIZED if stdin else Input.NONE,
            size=len(stdin),
            become=become,
            login=self._login,
            env=env,
        )
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with self._session(command, lambda: Capture(limit)) as session:
            if stdin and session.chan is not None:
                with suppress(OSError):
                    session.chan.write(stdin)
            try:
                async with asyncio.timeout(self._settings.seconds(timeout)):
                    await asyncio.shield(session.done)
            except TimeoutError:
                if not await self._stop(session):
                    raise self.lost("a command that was to be stopped") from None
                raise TimeoutError(f"{self._name}: {argv[0]} did not end in {timeout:g} s; stopped") from None
        end = session.end
        if not end.known:
            raise self.lost(text.safe_line(argv[0]))
        out, err = bytes(session.out), bytes(session.err)
        if refused_by_sudo(become, end.status, out, err):
            assert become is not None
            raise sudo_error(self._name, become, err)
        signal = end.signal or signal_of(end.status)
        return Completed(end.status, out, err, signal, session.dropped, loop.time() - began)

    @asynccontextmanager
    async def stream(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        become: Become | None = None,
        relay: bool = False,
    ) -> AsyncIterator[SshStream]:
        """Follow a command; leaving really stops it."""
        given = Input.RELAYED if relay else Input.NONE
        command = watched(argv, grace=self._grace, given=given, become=become, login=self._login, env=env)
        async with self._session(command, Follow) as session:
            yield SshStream(self, session, become)

    @asynccontextmanager
    async def _session(self, command: str, make: Callable[[], _S]) -> AsyncIterator[_S]:
        """A session that runs a command; on the way out it is stopped if it still runs."""
        if not self._open:
            raise Unreachable("this link was closed", reason=Reason.RESET, where=self._name)
        async with self._line.running(command, make) as session:
            self._running.add(session)
            try:
                if not self._open:
                    raise self.lost("a command that was starting")
                yield session
            finally:
                self._running.discard(session)
                if not session.done.done():
                    stopping = asyncio.ensure_future(self._stop(session))
                    try:
                        await asyncio.shield(stopping)
                    finally:
                        session.drop()

    async def _stop(self, session: Session) -> bool:
        """End the remote process group; True when its end was seen."""
        if session.done.done():
            return session.end.known
        chan = session.chan
        if chan is not None:
            with suppress(OSError):
                chan.write_eof()
            chan.resume_reading()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._grace + self._settings.seconds(5) + 1):
                await asyncio.shield(session.done)
        return session.end.known

    async def read_file(self, path: str, *, limit: int = 8 << 20, become: Become | None = None) -> bytes:
        """Content of a file."""
        return await files.read_file(self.run, path, limit=limit, become=become)

    async def write_file(
        self, path: str, data: bytes, *, mode: int = 0o644, owner: str = "", become: Become | None = None
    ) -> None:
        """Write beside, sync, rename over."""
        await files.write_file(self.run, path, data, mode=mode, owner=owner, become=become)

    async def stat(
        self, path: str, *, digest: bool = False, become: Become | None = None
    ) -> FileFacts | None:
        """Facts of a file, None when it is not there."""
        return await files.stat(self.run, path, digest=digest, become=become)

    @asynccontextmanager
    async def forward_socket(self, path: str) -> AsyncIterator[str]:
        """A unix socket of the host as a private local path; see `ondeck.reach.ports.Link`."""
        await sockets.usable(self.run, path, self._name)
        async with sockets.private_path(self._settings.state) as local:
            try:
                listener = await self._line.connection.forward_local_path(local, path)
            except (asyncssh.Error, OSError) as error:
                raise Unreachable(
                    f"cannot forward {path}: {text.safe_line(str(error))}", where=self._name
                ) from error
            self._forwards.add(listener)
            try:
                if not self._open:
                    raise Unreachable("this link was closed", reason=Reason.RESET, where=self._name)
                yield local
            finally:
                self._forwards.discard(listener)
                listener.close()

    async def aclose(self) -> None:
        """Stop what runs through this handle, then let the line go."""
        if not self._open:
            return
        self._open = False
        for listener in self._forwards:
            listener.close()
        await asyncio.gather(*(self._stop(session) for session in list(self._running)))
        await self._line.release()
