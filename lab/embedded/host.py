"""One embedded host as processes: an init that adopts and reaps, and below it the SSH server.

Three ways, the best that the kernel allows: ROOT (namespaces made by root, `ops` a user of its own),
USER (the same in a user namespace, `ops` is who started the demo), FOLDERS (no namespace at all: plain
folders on this machine, and paths in commands are rewritten).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import asyncssh

from lab.embedded import kernel, root, server
from lab.embedded.names import LOGIN, Embedded, Way
from lab.embedded.seed import Place, seed, start_command

_OPS_UID = 52077  # a number that no machine gives to somebody
_PATHS = ("/srv/checkout", "/srv/lb", "/var/log/checkout", "/usr/local/bin/lb")


@dataclass(frozen=True, slots=True)
class Start:
    """What a host is started with.

    Attributes:
        base: The demo's own folder.
        ready: Write end of a pipe: one byte when the host serves.
    """

    host: Embedded
    way: Way
    base: Path
    network: str
    listening: socket.socket
    key: asyncssh.SSHKey
    authorized: str
    sums: dict[str, str]
    now: float
    ready: int


def best_way() -> Way:
    """Try the ways in short-lived processes, best first."""
    order = (Way.ROOT, Way.USER) if os.geteuid() == 0 else (Way.USER,)
    return next((way for way in order if _works(way)), Way.FOLDERS)


def _works(way: Way) -> bool:
    import tempfile

    with tempfile.TemporaryDirectory(prefix="ondeck-probe-") as folder:

        def attempt() -> None:
            _leave(way)
            root.build(Path(folder))
            _in_child(lambda: kernel.mount("proc", Path(folder, "proc"), "proc"))

        return _in_child(attempt, check=False)


def _in_child(work: Callable[[], None], *, check: bool = True) -> bool:
    """Run something in a forked process; whether it ended without an error."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        except OSError:
            code = 1
        finally:
            os._exit(code)
    ok = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    if check and not ok:
        raise OSError("a step in a namespace failed")
    return ok


def _leave(way: Way) -> None:
    """Into namespaces of our own; the next fork is the first process of a new PID namespace."""
    flags = kernel.CLONE_NEWNS | kernel.CLONE_NEWPID | kernel.CLONE_NEWUTS
    if way is Way.ROOT:
        kernel.unshare(flags)
        return
    uid, gid = os.geteuid(), os.getegid()
    kernel.unshare(flags | kernel.CLONE_NEWUSER)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
    Path("/proc/self/gid_map").write_text(f"0 {gid} 1")


def launch(start: Start, close: list[int]) -> int:
    """Fork the host; gives the process id of its keeper, which ends the host when it ends.

    Args:
        start: What to start.
        close: Descriptors of ours that the host must not hold.
    """
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        for descriptor in close:
            os.close(descriptor)
        _keeper(start)
        code = 0
    except OSError as error:
        sys.stderr.write(f"{start.host.name}: {error}\n")
    finally:
        os._exit(code)


def _keeper(start: Start) -> None:
    if start.way is Way.FOLDERS:
        _folder_init(start)
    kernel.die_with_parent()
    _leave(start.way)
    at = start.base / "roots" / start.host.name
    at.mkdir(parents=True)
    root.build(at)
    uid = _OPS_UID if start.way is Way.ROOT else 0
    place = Place(at, "", start.network, start.sums, start.now)
    seed(place, start.host)
    if uid:
        root.give(at, uid)
    init = os.fork()
    if init == 0:
        kernel.die_with_parent()
        os.setsid()
        root.enter(at, start.host, start.network, uid)
        _init(start, place, uid)
    os.close(start.ready)
    # The end of the first process is the end of all others in its namespace: wait for that.
    signal.signal(signal.SIGTERM, lambda *_: os.kill(init, signal.SIGKILL))
    os.waitpid(init, 0)


def _folder_init(start: Start) -> NoReturn:
    at = start.base / "hosts" / start.host.name
    at.mkdir(parents=True)
    place = Place(at, str(at), start.network, start.sums, start.now)
    seed(place, start.host)
    kernel.adopt_orphans()
    _end_with_parent()
    _init(start, place, 0)


def _end_with_parent() -> None:
    """Without a PID namespace nobody ends our descendants but we ourselves."""
    signal.signal(signal.SIGTERM, lambda *_: _end_all())
    kernel.die_with_parent(signal.SIGTERM)


def _children() -> list[int]:
    tasks = Path(f"/proc/self/task/{os.getpid()}/children")
    with contextlib.suppress(OSError):
        return [int(word) for word in tasks.read_text().split()]
    me = os.getpid()
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            if int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == me:
                found.append(int(entry.name))
    return found


def _end_all() -> NoReturn:
    """Kill generation after generation: who loses its parent becomes our child."""
    while alive := _children():
        for child in alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        for child in alive:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(child, 0)
    os._exit(0)


def _environment(place: Place, uid: int) -> dict[str, str]:
    return {
        "HOME": f"{place.shown}/home/{LOGIN}",
        "USER": LOGIN,
        "LOGNAME": LOGIN,
        "SHELL": "/bin/sh",
        "PATH": f"{place.shown}/usr/local/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        "LANG": "C.UTF-8",
    }


def _rewriter(place: Place) -> Callable[[str], str]:
    """Commands name the host's paths; without a root of its own they stand in the host's folder."""
    if not place.shown:
        return lambda command: command

    def rewrite(command: str) -> str:
        for path in _PATHS:
            command = command.replace(path, place.shown + path)
        return command

    return rewrite


def _init(start: Start, place: Place, uid: int) -> NoReturn:
    """The host's first process: start what it runs, then reap; a killed SSH server is started again."""
    environment = _environment(place, uid)
    machine = server.Machine(start.host.name, environment, environment["HOME"], _rewriter(place))
    command = start_command(place, start.host)
    if command:
        _spawn(command, environment, uid)
    serving = _serve(start, machine, uid)
    os.close(start.ready)
    while True:
        try:
            ended, status = os.wait()
        except ChildProcessError:
            os._exit(1)
        if ended == serving:
            if os.WIFEXITED(status):
                os._exit(1)
            time.sleep(0.2)  # a server that dies at once must not take the machine
            serving = _serve(start, machine, uid)


def _spawn(command: list[str], environment: dict[str, str], uid: int) -> None:
    """Start a daemon of the host; `_init` reaps it."""
    subprocess.Popen(
        command,
        env=environment,
        cwd=environment["HOME"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        user=uid or None,
        group=uid or None,
        extra_groups=[] if uid else None,
    )


def _serve(start: Start, machine: server.Machine, uid: int) -> int:
    child = os.fork()
    if child:
        return child
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if uid:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
        os.umask(0o022)

        def ready() -> None:
            with contextlib.suppress(OSError):
                os.write(start.ready, b"1")
                os.close(start.ready)

        asyncio.run(server.serve(machine, start.listening, start.key, start.authorized, ready))
    except (OSError, asyncssh.Error) as error:
        sys.stderr.write(f"{start.host.name}: {error}\n")
    finally:
        os._exit(1)
