"""The port between ondeck and a host: run a command, follow one, read and write files.

A provider gives it as the capability `reach`. Other providers get it injected through the bench and
never import a transport. Everything is bytes: decoding belongs to `ondeck.text`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from enum import StrEnum
from typing import Any, Protocol

import msgspec

from ondeck.inventory.model import Host, Inventory, Place
from ondeck.settings import Settings


class Become(msgspec.Struct, frozen=True):
    """Run as another user through sudo.

    Attributes:
        user: The user to become.
        method: Only `sudo` for now; `sudo -n`, so it never asks.
    """

    user: str = "root"
    method: str = "sudo"


class Completed(msgspec.Struct, frozen=True):
    """What is known of a command that ended or was lost.

    Attributes:
        status: The observed exit status; None when none was seen, which is never a success.
        signal: Name of the signal that ended it, without SIG; empty otherwise.
        stdout: Captured bytes, at most the asked limit.
        stderr: Captured bytes, at most the asked limit.
        dropped: Bytes that were thrown away beyond the limit.
        seconds: Wall time from sending to end.
    """

    status: int | None
    stdout: bytes
    stderr: bytes
    signal: str = ""
    dropped: int = 0
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Only an observed exit status 0 is a success."""
        return self.status == 0


class Fd(StrEnum):
    """Which stream a chunk came from."""

    OUT = "out"
    ERR = "err"


class Chunk(msgspec.Struct, frozen=True):
    """Some bytes of a followed command, as they came."""

    fd: Fd
    data: bytes


class Stream(Protocol):
    """A command that is being followed. Leaving its context really stops the remote process."""

    def __aiter__(self) -> AsyncIterator[Chunk]: ...

    async def wait(self) -> Completed:
        """Status after the last chunk; stdout and stderr are empty here.

        Raises:
            LinkLost: The connection ended first.
        """
        ...

    async def send(self, data: bytes) -> None:
        """Write to the command's standard input; only of a stream that relays."""
        ...


class FileFacts(msgspec.Struct, frozen=True):
    """What is known of a file on a host: mode is the permission bits, mtime in seconds since 1970."""

    size: int
    mode: int
    owner: str
    group: str
    mtime: float
    sha256: str = ""


class Link(Protocol):
    """One open connection to one host. It belongs to the loop that opened it."""

    @property
    def host(self) -> str:
        """The host's name in the inventory."""
        ...

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
        """Run to the end and capture, at most `limit` bytes a stream.

        Values in argv are quoted one by one; they never meet a shell unquoted. `timeout` is in
        seconds before timescale. On timeout or cancel the remote process group is really ended.

        Raises:
            Unreachable: It could not start (no session, sudo asks for a password).
            LinkLost: It had started and the connection ended.
            TimeoutError: It did not end in time; it was stopped.
        """
        ...

    def stream(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        become: Become | None = None,
        relay: bool = False,
    ) -> AbstractAsyncContextManager[Stream]:
        """Follow a command: `async with link.stream(argv) as s: async for chunk in s: ...`.

        With `relay` it reads what is sent; without it has no input, which spares the host four processes.
        """
        ...

    async def read_file(self, path: str, *, limit: int = 8 << 20, become: Become | None = None) -> bytes:
        """Content of a file.

        Raises:
            Missing: There is no such file.
            RemoteFailed: It cannot be read, or is larger than `limit` bytes.
        """
        ...

    async def write_file(
        self, path: str, data: bytes, *, mode: int = 0o644, owner: str = "", become: Become | None = None
    ) -> None:
        """Write beside, sync, rename over: a reader sees the old or the new file, never half of one.

        Raises:
            RemoteFailed: No room, no right, no folder; the old file is untouched.
        """
        ...

    async def stat(
        self, path: str, *, digest: bool = False, become: Become | None = None
    ) -> FileFacts | None:
        """Facts of a file, None when it is not there; with `digest` its sha256 too."""
        ...

    def forward_socket(self, path: str) -> AbstractAsyncContextManager[str]:
        """A unix socket of the host as a path on this machine, which only we can open.

        `async with link.forward_socket("/var/run/docker.sock") as local: ...`; the local path is gone when
        the context is left or the link is closed. When the connection ends, who talks over it is cut off.

        Raises:
            BadInput: The path cannot be forwarded (relative, a colon, a line end, too long).
            Missing: There is no such socket on the host.
            RemoteFailed: The login may not use it.
            Unreachable: The connection has ended, or the host forwards nothing.
        """
        ...

    @property
    def closed(self) -> bool:
        """True once the connection is known to have ended."""
        ...

    async def aclose(self) -> None:
        """Close; running streams are stopped first."""
        ...


class Reach(Protocol):
    """Opens links. One object serves a whole process: it holds caps, parsed keys and known hosts.

    A host that was enrolled meanwhile is known at the next connection.
    """

    async def connect(self, host: Host) -> Link:
        """Open a connection of its own, or share one to the same host if there is one.

        Raises:
            Unreachable: With a `Reason`; its children HostKeyUnknown, HostKeyChanged, AuthFailed.
        """
        ...

    async def aclose(self) -> None:
        """Close every link."""
        ...


class Transport(Protocol):
    """Capability `reach`: the class in a manifest, made without arguments, that makes a Reach."""

    def open(self, inventory: Inventory, settings: Settings) -> Reach:
        """A reach for this inventory; opens no connection and reads no key yet."""
        ...


class Shell(Protocol):
    """Capability `shell`: what to start on the user's own terminal for an interactive session."""

    def shell_argv(
        self, inventory: Inventory, host: Host, *, become: Become | None = None, command: Sequence[str] = ()
    ) -> Sequence[str]:
        """The local command to run in place of the app (for example the system's ssh).

        Without a command it is a shell; a command's words arrive as they are. Its exit status is that
        of the session. It may ask the person at the terminal, also for the password of `become`.
        """
        ...


class Inside(Protocol):
    """Capability `inside` of the provider that serves a place: the user's own terminal inside a thing of it."""

    def inside_argv(
        self,
        inventory: Inventory,
        place: Place,
        thing: str,
        params: Mapping[str, Any],
        shell: Callable[[Host], Shell],
    ) -> Sequence[str]:
        """The local command to run in place of the app; asks nobody.

        Args:
            inventory: What exists.
            place: Where the thing lives.
            thing: Its name in it.
            params: Of the operation.
            shell: Gives the shell of a host's transport, for who has to go there first.

        Raises:
            BadInput: The parameters make no sense.
            Missing: A program that is needed here is not there.
        """
        ...


class Scanned(msgspec.Struct, frozen=True):
    """A host key as offered just now: OpenSSH public line, SHA256 fingerprint, and what is recorded.

    Attributes:
        recorded: `same`, `unknown` or `changed`.
        was: Fingerprint that is recorded, when changed.
    """

    host: str
    line: str
    fingerprint: str
    recorded: str
    was: str = ""


class Trust(Protocol):
    """Capability `trust`: enrol the keys of hosts into the inventory's known_hosts file."""

    async def scan(self, inventory: Inventory, settings: Settings, host: Host) -> Scanned:
        """Ask the host for its key; logs in nowhere but on its jump hosts, and writes nothing.

        Raises:
            Unreachable: No answer, or one that is no key.
        """
        ...

    def known_hosts_line(self, inventory: Inventory, host: Host, scanned: Scanned) -> str:
        """The line to append to the repository's known_hosts file."""
        ...


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """One row of `check --live`: a question about a host and how it was answered.

    Attributes:
        ok: None when it could not be asked.
    """

    host: str
    what: str
    ok: bool | None
    text: str


class LiveCheck(Protocol):
    """Capability `live_check`: is a host as a night needs it? Reads only."""

    async def check(self, host: Host, reach: Reach) -> Sequence[Checked]:
        """Rows for reachable, sudo, clock and room in the state folder; never raises for a host.

        A host that is not reached has that one row. What was lost on the way has `ok=None`: only what
        the host itself answered is good or bad.
        """
        ...
