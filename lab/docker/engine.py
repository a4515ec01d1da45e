"""Start, stop, kill and hang real engines of Docker (Debian's dockerd), each with everything of its own.

An engine lives in a process and a mount namespace of its own, so that its containers, their mounts and its
containerd end with it however its starter ends; data, sockets and state lie in one folder. Its network is
a bridge of its own without rules of iptables: published ports are carried by docker-proxy, which is all that
loopback needs.
"""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ondeck.errors import Missing

_UP = 30.0  # seconds until an engine answers
_GATEWAY = "docker_gwbridge"  # made by a swarm, one for the machine
_TOOLS = ("dockerd", "containerd", "runc", "docker-proxy", "ip", "unshare")

# The first process of the namespace: does what its input says, and ends everything when that ends.
_INIT = """
log=$1 bridge=$2 gateway=$3; shift 3
p=
end() { [ -z "$p" ] || { kill -CONT $p; kill -$1 $p; wait $p; } 2>/dev/null; p=; }
while read -r word; do
  case $word in
    start) dockerd "$@" >>"$log" 2>&1 & p=$! ;;
    stop) end TERM ;;
    kill) end KILL ;;
    hang) kill -STOP $p ;;
    wake) kill -CONT $p ;;
  esac
  echo "$word"
done
end TERM
ip link del "$bridge" 2>/dev/null
[ -z "$gateway" ] || ip link del "$gateway" 2>/dev/null
"""


@dataclass(slots=True)
class Engine:
    """A running engine.

    Attributes:
        name: The host that it stands for.
        socket: Its unix socket.
        folder: Everything that is its own.
        subnet: First three numbers of its containers' addresses.
    """

    name: str
    socket: Path
    folder: Path
    subnet: str
    _keeper: subprocess.Popen[str] = field(repr=False)

    def tell(self, word: str) -> None:
        """Say `start`, `stop`, `kill`, `hang` or `wake` to it; returns when that is done."""
        assert self._keeper.stdin is not None
        assert self._keeper.stdout is not None
        self._keeper.stdin.write(f"{word}\n")
        self._keeper.stdin.flush()
        self._keeper.stdout.readline()

    def start(self) -> None:
        """Start it again, and wait until it answers."""
        self.tell("start")
        self.await_up()

    def await_up(self) -> None:
        """Wait until it answers.

        Raises:
            Missing: It does not; the message has the end of its log.
        """
        until = time.monotonic() + _UP
        while time.monotonic() < until:
            if self._answers():
                return
            time.sleep(0.05)
        raise Missing(f"engine {self.name} did not come up: {self.log[-600:]}")

    def _answers(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX) as line:
                line.settimeout(2)
                line.connect(str(self.socket))
                line.sendall(b"GET /_ping HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n\r\n")
                answer = http.client.HTTPResponse(line)
                answer.begin()
                return answer.status == 200
        except (OSError, http.client.HTTPException):
            return False

    @property
    def log(self) -> str:
        """What it wrote so far."""
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def close(self) -> None:
        """End it with everything that it runs."""
        assert self._keeper.stdin is not None
        self._keeper.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._keeper.wait(20)
        if self._keeper.poll() is None:
            self._keeper.kill()
            self._keeper.wait()
        if self._keeper.stdout is not None:
            self._keeper.stdout.close()
        _ip("link", "del", self._bridge)
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def _bridge(self) -> str:
        return f"odk{self.subnet.rpartition('.')[2]}"


def lacking() -> str:
    """Why no engine can be started here; empty when one can."""
    if os.geteuid() != 0:
        return "engines of Docker need root"
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    gone = [tool for tool in _TOOLS if shutil.which(tool, path=path) is None]
    return f"{', '.join(gone)} not installed (Debian: docker.io)" if gone else ""


def _ip(*words: str) -> bool:
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    argv = ["ip", *words]
    return subprocess.run(argv, capture_output=True, check=False, env={"PATH": path}).returncode == 0


def _claim_bridge() -> tuple[str, str]:
    """A bridge that nobody has, and the first three numbers of its addresses."""
    for step in range(250):
        number = (os.getpid() + step) % 250 + 2
        name, subnet = f"odk{number}", f"10.213.{number}"
        if not _ip("link", "add", name, "type", "bridge"):
            continue
        if _ip("addr", "add", f"{subnet}.1/24", "dev", name) and _ip("link", "set", name, "up"):
            return name, subnet
        _ip("link", "del", name)
    raise Missing("no bridge can be made here")


def launch(name: str, *, swarm: bool = False) -> Engine:
    """Start an engine.

    Raises:
        Missing: It cannot be had here, or did not come up.
    """
    if why := lacking():
        raise Missing(why)
    bridge, subnet = _claim_bridge()
    # Short, because a unix socket's path is.
    folder = Path(tempfile.mkdtemp(prefix="ondeck-dk-"))
    (folder / "config").mkdir()
    (folder / "daemon.json").write_text("{}")
    options = [
        *("--data-root", str(folder / "data"), "--exec-root", str(folder / "exec")),
        *("--pidfile", str(folder / "pid"), "--config-file", str(folder / "daemon.json")),
        *("--host", f"unix://{folder}/s", "--bridge", bridge, "--log-level", "warn"),
        *("--iptables=false", "--ip-masq=false", "--ip-forward=false", "--shutdown-timeout", "3"),
        *("--max-concurrent-downloads", "6"),
    ]
    init = ["sh", "-c", _INIT, "sh", str(folder / "log"), bridge, _GATEWAY if swarm else "", *options]
    keeper = subprocess.Popen(
        ["unshare", "--pid", "--mount", "--fork", "--kill-child", "--mount-proc", *init],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(folder),
            "DOCKER_CONFIG": str(folder / "config"),
        },
    )
    engine = Engine(name, folder / "s", folder, subnet, keeper)
    try:
        engine.start()
    except BaseException:
        engine.close()
        raise
    return engine


@contextmanager
def engines(names: Sequence[str]) -> Iterator[tuple[Engine, ...]]:
    """Engines that answer, for the time of a `with`.

    Raises:
        Missing: They cannot be had here.
    """
    with contextlib.ExitStack() as stack:
        started = []
        for name in names:
            started.append(launch(name))
            stack.callback(started[-1].close)
        yield tuple(started)


@contextmanager
def swarm_engine(name: str = "swarm-1") -> Iterator[Engine]:
    """An engine that is the manager of a swarm of one node; one at a time on a machine.

    A swarm's gossip has one port that no option changes.

    Raises:
        Missing: It cannot be had here.
    """
    import docker

    # One fixed name for the whole machine; it holds nothing and follows no link.
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    lock = os.open(Path(tempfile.gettempdir(), "ondeck-lab-swarm.lock"), flags, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        engine = launch(name, swarm=True)
        try:
            api = docker.APIClient(base_url=f"unix://{engine.socket}", version="auto")
            api.init_swarm(advertise_addr="127.0.0.1", listen_addr=f"127.0.0.1:{_free_port()}")
            api.close()
            yield engine
        finally:
            engine.close()
    finally:
        os.close(lock)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
