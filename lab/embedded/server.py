"""One host's SSH server: asyncssh's protocol, with the manners of OpenSSH 9.2.

As sshd does: the client's environment is ignored; a command without a pty is a session of its own that
goes on when its channel closes; the channel stays open until everyone who holds the command's output has
closed it; a signal goes to the command's process group; a pty hangs up. Everything is bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import socket
import struct
import subprocess
import termios
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import asyncssh

_CHUNK = 65536
_MAX_SESSIONS = 10  # sshd_config(5): MaxSessions, per connection


@dataclass(frozen=True, slots=True)
class Machine:
    """What a session on the host starts with.

    Attributes:
        environment: Its whole environment.
        home: Where it starts, as the process sees it.
        rewrite: What to do with a command before it runs; only without namespaces.
    """

    name: str
    environment: Mapping[str, str]
    home: str
    rewrite: Callable[[str], str]


class _Login(asyncssh.SSHServer):
    """One connection: only keys, at most ten sessions."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._connection: asyncssh.SSHServerConnection | None = None
        self._open = 0

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn

    def password_auth_supported(self) -> bool:
        return False

    def unix_connection_requested(self, dest_path: str) -> bool:
        return True  # as sshd's AllowStreamLocalForwarding is by default

    def session_requested(self) -> tuple[asyncssh.SSHServerChannel[bytes], asyncssh.SSHServerSession[bytes]]:
        if self._connection is None or self._open >= _MAX_SESSIONS:
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, "open failed")
        self._open += 1
        channel = self._connection.create_server_channel(encoding=None)
        return channel, asyncssh.SSHServerProcess(self._serve, None, 3, False)

    async def _serve(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        command = process.command
        argv = ["/bin/sh", "-l"] if command is None else ["/bin/sh", "-c", self._machine.rewrite(command)]
        try:
            await (_terminal if process.term_type else _exec)(process, self._machine, argv)
        except OSError as error:
            if not process.is_closing():
                process.stderr.write(f"{self._machine.name}: {error}\n".encode())
                process.exit(126)
        finally:
            self._open -= 1


async def _pump_in(process: asyncssh.SSHServerProcess[bytes], child: asyncio.subprocess.Process) -> None:
    """Client to command, until either end closes; signals on the way."""
    sink = child.stdin
    assert sink is not None  # opened as a pipe
    while True:
        try:
            data = await process.stdin.read(_CHUNK)
        except asyncssh.SignalReceived as received:
            _signal_group(child.pid, received.signal)
            continue
        except asyncssh.BreakReceived:
            continue
        except (asyncssh.Error, OSError):
            break
        if not data:
            break
        try:
            sink.write(data)
            await sink.drain()
        except (ConnectionError, RuntimeError):
            break
    with contextlib.suppress(ConnectionError, RuntimeError):
        sink.close()
    await _signals(process, child.pid)


async def _signals(process: asyncssh.SSHServerProcess[bytes], group: int) -> None:
    """After the end of input a client may still send signals."""
    while not process.is_closing():
        try:
            if not await process.stdin.read(_CHUNK):
                await asyncio.sleep(0.05)
        except asyncssh.SignalReceived as received:
            _signal_group(group, received.signal)
        except (asyncssh.Error, OSError):
            return


def _signal_group(group: int, name: str) -> None:
    number = getattr(signal, f"SIG{name}", None)
    if number is not None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)


async def _pump_out(source: asyncio.StreamReader, sink: asyncssh.SSHWriter[bytes]) -> None:
    """Command to client, at the client's pace."""
    while data := await source.read(_CHUNK):
        try:
            sink.write(data)
            await sink.drain()
        except (asyncssh.Error, OSError):
            return


async def _exec(process: asyncssh.SSHServerProcess[bytes], machine: Machine, argv: list[str]) -> None:
    child = await asyncio.create_subprocess_exec(
        *argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(machine.environment),
        cwd=machine.home,
        start_new_session=True,
        limit=_CHUNK,
    )
    assert child.stdout is not None  # opened as pipes
    assert child.stderr is not None
    feeding = asyncio.create_task(_pump_in(process, child))
    output = asyncio.gather(_pump_out(child.stdout, process.stdout), _pump_out(child.stderr, process.stderr))
    try:
        await asyncio.gather(output, child.wait())
    finally:
        feeding.cancel()
    _end(process, child.returncode or 0)


def _end(process: asyncssh.SSHServerProcess[bytes], status: int) -> None:
    if process.is_closing():
        return
    if status < 0:
        name = signal.Signals(-status).name.removeprefix("SIG")
        process.exit_with_signal(name)
    else:
        process.exit(status)


def _size(master: int, process: asyncssh.SSHServerProcess[bytes]) -> None:
    width, height, xpixel, ypixel = process.term_size
    packed = struct.pack("HHHH", height or 24, width or 80, xpixel, ypixel)
    fcntl.ioctl(master, termios.TIOCSWINSZ, packed)


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


async def _terminal(process: asyncssh.SSHServerProcess[bytes], machine: Machine, argv: list[str]) -> None:
    master, slave = os.openpty()
    os.set_blocking(master, False)
    _size(master, process)
    try:
        child = await asyncio.create_subprocess_exec(
            *argv,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**machine.environment, "TERM": process.term_type or "dumb"},
            cwd=machine.home,
            start_new_session=True,
            preexec_fn=_take_terminal,
        )
    finally:
        os.close(slave)
    screen = asyncio.create_task(_screen(master, process))
    keys = asyncio.create_task(_keys(master, process, child.pid))
    ended = asyncio.create_task(child.wait())
    await asyncio.wait({keys, ended}, return_when=asyncio.FIRST_COMPLETED)
    if ended.done():
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(screen, 1.0)
    for task in (keys, screen):
        task.cancel()
    await asyncio.gather(keys, screen, return_exceptions=True)
    os.close(master)  # hangs up whoever is left on the terminal
    _end(process, await ended)


async def _ready(descriptor: int, *, write: bool) -> None:
    loop = asyncio.get_running_loop()
    event = asyncio.Event()
    add, remove = (loop.add_writer, loop.remove_writer) if write else (loop.add_reader, loop.remove_reader)
    add(descriptor, event.set)
    try:
        await event.wait()
    finally:
        remove(descriptor)


async def _screen(master: int, process: asyncssh.SSHServerProcess[bytes]) -> None:
    while True:
        await _ready(master, write=False)
        try:
            data = os.read(master, _CHUNK)
        except BlockingIOError:
            continue
        except OSError:
            return  # EIO: the last one closed the terminal
        if not data:
            return
        try:
            process.stdout.write(data)
            await process.stdout.drain()
        except (asyncssh.Error, OSError):
            return


async def _keys(master: int, process: asyncssh.SSHServerProcess[bytes], group: int) -> None:
    while True:
        try:
            data = await process.stdin.read(_CHUNK)
        except asyncssh.TerminalSizeChanged:
            _size(master, process)
            continue
        except asyncssh.SignalReceived as received:
            _signal_group(group, received.signal)
            continue
        except asyncssh.BreakReceived:
            continue
        except (asyncssh.Error, OSError):
            return
        if not data:
            await process.wait_closed()  # the end of input is no hang-up: sshd goes on until the close
            return
        while data:
            try:
                data = data[os.write(master, data) :]
            except BlockingIOError:
                await _ready(master, write=True)


async def serve(
    machine: Machine,
    listening: socket.socket,
    host_key: asyncssh.SSHKey,
    authorized: str,
    ready: Callable[[], None],
) -> None:
    """Serve until the process ends, or until who serves is cancelled."""
    acceptor = await asyncssh.listen(
        sock=listening,
        server_factory=lambda: _Login(machine),
        server_host_keys=[host_key],
        authorized_client_keys=asyncssh.import_authorized_keys(authorized),
        encoding=None,
        line_editor=False,
        keepalive_interval=0,
        login_timeout=20,
        server_version="ondeck_demo",
    )
    async with acceptor:
        ready()
        await acceptor.wait_closed()
