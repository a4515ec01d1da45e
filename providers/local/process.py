"""One child process in a session of its own: bounded capture, and a stop that reaches its whole group."""

from __future__ import annotations

import asyncio
import os
import pwd
import signal
from asyncio.subprocess import PIPE, Process, SubprocessStreamProtocol
from collections.abc import Mapping, Sequence
from contextlib import suppress
from shutil import which
from typing import Any

from ondeck.errors import Reason, Unreachable
from ondeck.reach.ports import Become

GRACE = 5.0
"""Seconds between TERM and KILL, before timescale."""

_GONE = 2.0
_CHUNK = 65536


class NotStarted(Exception):
    """The program cannot be executed; `status` is what a shell would end with (126 or 127)."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


class _Protocol(SubprocessStreamProtocol):
    """Tells the end of the process itself: `Process.wait` of 3.11 waits for its pipes too."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(limit=_CHUNK, loop=loop)
        self.exited = asyncio.Event()

    def process_exited(self) -> None:
        self.exited.set()
        super().process_exited()


def environment(extra: Mapping[str, str] | None) -> dict[str, str]:
    """A small environment as a login over the network would have; nothing of ours leaks into it."""
    entry = pwd.getpwuid(os.getuid())
    base = {
        "PATH": os.environ.get("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        "HOME": os.environ.get("HOME", entry.pw_dir),
        "USER": entry.pw_name,
        "LOGNAME": entry.pw_name,
        "SHELL": entry.pw_shell or "/bin/sh",
        "LC_ALL": "C.UTF-8",
    }
    return base | dict(extra or {})


def with_become(argv: Sequence[str], become: Become | None, env: Mapping[str, str] | None) -> list[str]:
    """The argv that runs as another user; unchanged when this process is that user already.

    Raises:
        Unreachable: There is no sudo here.
    """
    if become is None or _is_me(become.user):
        return list(argv)
    if which("sudo") is None:
        raise Unreachable(
            f"cannot become {become.user}: sudo is not installed on this machine", reason=Reason.BECOME
        )
    pairs = [f"{key}={value}" for key, value in (env or {}).items()]
    return ["sudo", "-n", "-H", "-u", become.user, "--", *(["env", *pairs] if pairs else []), *argv]


def _is_me(user: str) -> bool:
    try:
        return pwd.getpwnam(user).pw_uid == os.geteuid()
    except KeyError:
        return False


class Running:
    """A started child and its process group."""

    def __init__(self, process: Process, protocol: _Protocol, *, grace: float, sudo_user: str) -> None:
        self._process = process
        self._protocol = protocol
        self._grace = grace
        self._sudo_user = sudo_user
        self._stopping: asyncio.Task[None] | None = None

    @classmethod
    async def start(
        cls,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None,
        become: Become | None,
        grace: float,
    ) -> Running:
        """Start it in a new session, so that its group can be stopped as one.

        Raises:
            NotStarted: The program is not there or may not be executed.
            Unreachable: sudo is needed and not there.
        """
        real = with_become(argv, become, env)
        loop = asyncio.get_running_loop()
        options: dict[str, Any] = {"stdin": PIPE, "stdout": PIPE, "stderr": PIPE, "start_new_session": True}
        try:
            transport, protocol = await loop.subprocess_exec(
                lambda: _Protocol(loop), *real, env=environment(env), cwd="/", **options
            )
        except FileNotFoundError as error:
            raise NotStarted(127, f"{argv[0]}: not found") from error
        except (OSError, ValueError) as error:
            raise NotStarted(126, f"{argv[0]}: {error}") from error
        process = Process(transport, protocol, loop)
        sudo_user = become.user if become is not None and real[0] == "sudo" else ""
        return cls(process, protocol, grace=grace, sudo_user=sudo_user)

    @property
    def stdout(self) -> asyncio.StreamReader:
        """Its standard output."""
        assert self._process.stdout is not None
        return self._process.stdout

    @property
    def stderr(self) -> asyncio.StreamReader:
        """Its standard error."""
        assert self._process.stderr is not None
        return self._process.stderr

    @property
    def returncode(self) -> int | None:
        """As of `subprocess`: negative for a signal, None while it runs."""
        return self._process.returncode

    async def exited(self) -> int:
        """Wait for the process itself, not for children that keep its pipes open."""
        await self._protocol.exited.wait()
        code = self._process.returncode
        assert code is not None
        return code

    async def feed(self, data: bytes, *, close: bool) -> None:
        """Write to its standard input; a reader that went away is not an error of ours."""
        stdin = self._process.stdin
        assert stdin is not None
        with suppress(BrokenPipeError, ConnectionResetError):
            if data:
                stdin.write(data)
                await stdin.drain()
        if close:
            stdin.close()

    async def stop(self) -> None:
        """End the whole group really: TERM, a grace, KILL. Goes on even when the caller is cancelled."""
        if self._stopping is None:
            self._stopping = asyncio.create_task(self._stop())
        await asyncio.shield(self._stopping)

    async def _stop(self) -> None:
        if await self._signal(signal.SIGTERM) and not await self._gone(self._grace):
            await self._signal(signal.SIGKILL)
            await self._gone(_GONE)
        self.release()

    async def _gone(self, seconds: float) -> bool:
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        pause = 0.005
        while loop.time() < until:
            if not _alive(self._process.pid):
                return True
            await asyncio.sleep(pause)
            pause = min(pause * 2, 0.1)
        return not _alive(self._process.pid)

    async def _signal(self, number: signal.Signals) -> bool:
        """Signal the group; False when it is gone already."""
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            return False
        except PermissionError:
            await self._signal_through_sudo(number)
        return True

    async def _signal_through_sudo(self, number: signal.Signals) -> None:
        """Processes of another user can only be ended as that user."""
        helper = await asyncio.create_subprocess_exec(
            *("sudo", "-n", "-u", self._sudo_user, "--", "kill", "-s", number.name[3:]),
            *("--", f"-{self._process.pid}"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        await helper.wait()

    def release(self) -> None:
        """Close our ends of its pipes; a background child that holds the others stays alone."""
        transport = self._process._transport  # type: ignore[attr-defined]
        for number in (0, 1, 2):
            pipe = transport.get_pipe_transport(number)
            if pipe is not None:
                pipe.close()


def _alive(group: int) -> bool:
    """Whether a process of the group still runs; the dead that nobody reaped do not count."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return any(_member_runs(entry, group) for entry in os.listdir("/proc") if entry.isdecimal())  # noqa: PTH208


def _member_runs(pid: str, group: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123 - one small read in a tight scan
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return False
    return int(fields[2]) == group and fields[0] not in (b"Z", b"X")
