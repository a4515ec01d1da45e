"""Links over the system's `ssh`, for what asyncssh cannot do: ProxyCommand, hardware, odd algorithms.

One master connection a host (ControlMaster) in a 0700 folder; each command is a child process that runs
through it. Exit status 255 is ssh's own: what it says on standard error tells "could not start" from
"had started". Commands end with a marker of our script, so 255 of a command is told from 255 of ssh.
"""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress

from ondeck import text
from ondeck.errors import AuthFailed, HostKeyChanged, HostKeyUnknown, LinkLost, Missing, Reason, Unreachable
from ondeck.reach import files, sockets
from ondeck.reach.command import GRACE, Input, signal_of, watched
from ondeck.reach.ports import Become, Chunk, Completed, Fd, FileFacts
from ondeck.settings import Settings
from providers.ssh.argv import options
from providers.ssh.endpoint import Endpoint
from providers.ssh.link import refused_by_sudo, sudo_error

_SIGNS: tuple[tuple[re.Pattern[str], Reason], ...] = (
    (re.compile("REMOTE HOST IDENTIFICATION HAS CHANGED|REVOKED HOST KEY"), Reason.HOST_KEY_CHANGED),
    (re.compile("Host key verification failed|No .* host key is known"), Reason.HOST_KEY_UNKNOWN),
    (re.compile("Permission denied|Too many authentication failures"), Reason.AUTH),
    (re.compile("Could not resolve hostname"), Reason.DNS),
    (re.compile("Connection refused"), Reason.REFUSED),
    (re.compile("timed out|Operation timed out"), Reason.TIMEOUT),
    (re.compile("open failed|mux_client_request_session|Session open refused"), Reason.SESSIONS),
    (re.compile("kex_exchange|Connection reset|Connection closed|banner exchange"), Reason.RESET),
)
_TRIES = 25
_AGAIN = 0.2
"""Seconds between two signals to a master that is to end."""

_CHUNK = 65536
_QUEUE = 16


def explain(endpoint: Endpoint, said: bytes) -> Unreachable:
    """Our error for what ssh printed before it gave up."""
    words = text.decode(said).strip()
    reason = next((reason for sign, reason in _SIGNS if sign.search(words)), Reason.OTHER)
    last = words.splitlines()[-1] if words else "ssh ended without a word"
    kinds: dict[Reason, type[Unreachable]] = {
        Reason.HOST_KEY_CHANGED: HostKeyChanged,
        Reason.HOST_KEY_UNKNOWN: HostKeyUnknown,
        Reason.AUTH: AuthFailed,
    }
    kind = kinds.get(reason)
    if kind is not None:
        hint = f"`ondeck trust {endpoint.name}`" if reason is Reason.HOST_KEY_UNKNOWN else ""
        return kind(f"ssh: {last}", hint=hint, where=endpoint.name)
    return Unreachable(f"ssh: {last}", reason=reason, where=endpoint.name)


class Master:
    """The master connection to one host."""

    def __init__(
        self, endpoint: Endpoint, config: str, known_hosts: Sequence[str], settings: Settings
    ) -> None:
        self.endpoint = endpoint
        self._settings = settings
        self._folder = sockets.folder_in(settings.state)
        self._base = options(endpoint, config, known_hosts)
        self._process: asyncio.subprocess.Process | None = None

    def argv(self, command: str) -> list[str]:
        """The local command that runs a remote one through the master."""
        socket = ["-o", f"ControlPath={self._folder}/s", "-o", "ControlMaster=no", "-o", "BatchMode=yes"]
        # Without its master it would open a connection of its own, which nobody would end.
        socket += ["-o", "ProxyCommand=false"]
        return ["ssh", "-T", "-e", "none", *socket, *self._base, "--", self.endpoint.name, command]

    async def forward(self, verb: str, local: str, remote: str) -> bytes:
        """Let the master forward a local path to a socket of the host, or `cancel` that.

        Returns:
            What ssh said when it could not; empty when it could.
        """
        socket = ["-o", f"ControlPath={self._folder}/s", "-o", "BatchMode=yes"]
        process = await asyncio.create_subprocess_exec(
            *["ssh", "-O", verb, "-L", f"{local}:{remote}", *socket, *self._base, "--", self.endpoint.name],
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        _, said = await process.communicate()
        return b"" if process.returncode == 0 else said or b"ssh ended without a word"

    async def open(self) -> None:
        """Connect and log in.

        Raises:
            Missing: There is no ssh here.
            Unreachable: With the reason that ssh gives.
        """
        if shutil.which("ssh") is None:
            raise Missing("no `ssh` program here", hint="install the OpenSSH client")
        own = ["-o", f"ControlPath={self._folder}/s", "-o", "ControlMaster=yes", "-o", "ControlPersist=no"]
        argv = ["ssh", "-T", "-N", "-e", "none", "-o", "BatchMode=yes", *own, *self._base]
        self._process = await asyncio.create_subprocess_exec(
            *argv,
            "--",
            self.endpoint.name,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(self._settings.seconds(self.endpoint.connect_timeout + 20)):
                while not (self._folder / "s").exists():
                    if self._process.returncode is not None:
                        assert self._process.stderr is not None
                        raise explain(self.endpoint, await self._process.stderr.read(_CHUNK))
                    await asyncio.sleep(0.02)
        except TimeoutError as error:
            await self.aclose()
            raise Unreachable(
                f"{self.endpoint.address} did not answer in time",
                reason=Reason.TIMEOUT,
                where=self.endpoint.name,
            ) from error
        except BaseException:
            await self.aclose()
            raise

    @property
    def closed(self) -> bool:
        """True once it has ended."""
        return self._process is None or self._process.returncode is not None

    async def aclose(self) -> None:
        """End it and remove its folder."""
        if self._process is not None:
            await _ended(self._process)
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)


async def _ended(process: asyncio.subprocess.Process) -> None:
    """End the master.

    ssh looks for a signal before it waits: one that comes between the two is slept over until the next
    keepalive, so it is sent again.
    """
    for _ in range(_TRIES):
        if process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            process.terminate()
        with suppress(TimeoutError):
            async with asyncio.timeout(_AGAIN):
                await process.wait()
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


class _Child:
    """One ssh process that runs one command."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.queue: asyncio.Queue[Chunk | None] = asyncio.Queue(_QUEUE)
        self.err = bytearray()
        self.any_out = False
        assert process.stdout is not None
        assert process.stderr is not None
        self._pumps = [
            asyncio.ensure_future(self._pump(process.stdout, Fd.OUT)),
            asyncio.ensure_future(self._pump(process.stderr, Fd.ERR)),
        ]
        self._last = asyncio.ensure_future(self._finish())

    async def _pump(self, reader: asyncio.StreamReader, fd: Fd) -> None:
        while data := await reader.read(_CHUNK):
            if fd is Fd.ERR and len(self.err) < 4096:
                self.err += data
            self.any_out = self.any_out or fd is Fd.OUT
            await self.queue.put(Chunk(fd, data))

    async def _finish(self) -> None:
        await asyncio.gather(*self._pumps)
        await self.queue.put(None)

    async def send(self, data: bytes) -> None:
        """Write to its input."""
        assert self.process.stdin is not None
        with suppress(BrokenPipeError, ConnectionResetError):
            self.process.stdin.write(data)
            await self.process.stdin.drain()

    async def stop(self, seconds: float) -> bool:
        """End the input, so that the remote script stops the command; True when ssh came back from that."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        drain = asyncio.ensure_future(self._drain())
        try:
            async with asyncio.timeout(seconds):
                await self.process.wait()
            return self.process.returncode != 255
        except TimeoutError:
            return False
        finally:
            drain.cancel()
            if self.process.returncode is None:
                with suppress(ProcessLookupError):
                    self.process.kill()
                await self.process.wait()
            for task in (*self._pumps, self._last):
                task.cancel()
            self._tell_the_end()

    def _tell_the_end(self) -> None:
        """Who still reads chunks must not wait for an end that the draining has taken."""
        while not self.queue.empty():
            self.queue.get_nowait()
        self.queue.put_nowait(None)

    async def _drain(self) -> None:
        while await self.queue.get() is not None:
            pass


class FallbackStream:
    """A followed command."""

    def __init__(self, link: FallbackLink, child: _Child, become: Become | None) -> None:
        self._link = link
        self._child = child
        self._become = become

    async def __aiter__(self) -> AsyncIterator[Chunk]:
        """Chunks as they come, until the command ends."""
        while (chunk := await self._child.queue.get()) is not None:
            yield chunk

    async def wait(self) -> Completed:
        """Status after the last chunk.

        Raises:
            LinkLost: The connection ended first.
        """
        status = await self._child.process.wait()
        return self._link.completed(status, b"", bytes(self._child.err), self._child.any_out, self._become)

    async def send(self, data: bytes) -> None:
        """Write to the command's standard input."""
        await self._child.send(data)


class FallbackLink:
    """A link whose sessions are processes of the system's ssh."""

    def __init__(self, master: Master, settings: Settings) -> None:
        self._master = master
        self._settings = settings
        self._grace = settings.seconds(GRACE)
        self._slots = asyncio.Semaphore(8)
        self._children: set[_Child] = set()
        self._open = True

    @property
    def host(self) -> str:
        """The host's name in the inventory."""
        return self._master.endpoint.name

    @property
    def closed(self) -> bool:
        """True once this link was closed or the master has ended."""
        return not self._open or self._master.closed

    def completed(
        self, status: int, out: bytes, err: bytes, any_out: bool, become: Become | None, dropped: int = 0
    ) -> Completed:
        """What an exit status of ssh means.

        Raises:
            LinkLost: It is ssh's own 255: nothing is known of the command.
            Unreachable: ssh proves that nothing was started, or sudo wants a password.
        """
        if refused_by_sudo(become, status, b"x" if any_out else b"", err):
            assert become is not None
            raise sudo_error(self.host, become, err)
        if status == 255 and (self.closed or _own(err)):
            if b"open failed" in err or b"Session open refused" in err:
                raise explain(self._master.endpoint, err)
            raise LinkLost("connection ended while a command was running", where=self.host)
        if status < 0:
            raise LinkLost(f"ssh was killed by signal {-status}", where=self.host)
        return Completed(status, out, err, signal_of(status), dropped)

    @asynccontextmanager
    async def _child(self, command: str) -> AsyncIterator[_Child]:
        async with self._slots:
            if self.closed:
                raise Unreachable(
                    "the connection has ended", reason=Reason.RESET, hint="connect again", where=self.host
                )
            process = await asyncio.create_subprocess_exec(
                *self._master.argv(command),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
            child = _Child(process)
            self._children.add(child)
            try:
                if not self._open:
                    raise LinkLost("the link was closed while a command was starting", where=self.host)
                yield child
            finally:
                self._children.discard(child)
                if process.returncode is None:
                    await asyncio.shield(asyncio.ensure_future(child.stop(self._patience)))

    @property
    def _patience(self) -> float:
        return self._grace + self._settings.seconds(5) + 1

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
            login=self._master.endpoint.user,
            env=env,
        )
        kept = {Fd.OUT: bytearray(), Fd.ERR: bytearray()}
        dropped = 0
        async with self._child(command) as child:
            sending = asyncio.ensure_future(child.send(stdin))
            try:
                async with asyncio.timeout(self._settings.seconds(timeout)):
                    while (chunk := await child.queue.get()) is not None:
                        room = max(limit - len(kept[chunk.fd]), 0)
                        kept[chunk.fd] += chunk.data[:room]
                        dropped += max(len(chunk.data) - room, 0)
                    status = await child.process.wait()
            except TimeoutError:
                if not await child.stop(self._patience):
                    raise LinkLost(f"{argv[0]} could not be stopped", where=self.host) from None
                raise TimeoutError(f"{self.host}: {argv[0]} did not end in {timeout:g} s; stopped") from None
            finally:
                sending.cancel()
        out, err = bytes(kept[Fd.OUT]), bytes(kept[Fd.ERR])
        return self.completed(status, out, err, bool(out), become, dropped)

    @asynccontextmanager
    async def stream(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        become: Become | None = None,
        relay: bool = False,
    ) -> AsyncIterator[FallbackStream]:
        """Follow a command; leaving really stops it."""
        login, given = self._master.endpoint.user, Input.RELAYED if relay else Input.NONE
        command = watched(argv, grace=self._grace, given=given, become=become, login=login, env=env)
        async with self._child(command) as child:
            yield FallbackStream(self, child, become)

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
        await sockets.usable(self.run, path, self.host)
        async with sockets.private_path(self._settings.state) as local:
            if said := await self._master.forward("forward", local, path):
                raise explain(self._master.endpoint, said)
            try:
                yield local
            finally:
                if not self.closed:
                    await self._master.forward("cancel", local, path)

    async def aclose(self) -> None:
        """Stop what runs, then end the master."""
        self._open = False
        await asyncio.gather(*(child.stop(self._patience) for child in list(self._children)))
        await self._master.aclose()


def _own(err: bytes) -> bool:
    """True when ssh itself says why it ended with 255."""
    signs = rb"mux_client|Connection to .* closed|Connection closed|Connection reset|client_loop|open failed"
    return re.search(signs, err) is not None or b"Session open refused" in err
