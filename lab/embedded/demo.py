"""The demo: embedded hosts, an inventory that names them, and a state of its own, all in one folder."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lab.embedded.names import Way
from lab.embedded.releases import GOOD_BEFORE, LIVE
from lab.embedded.seed import DEPLOYED, DEPLOYED_BY
from ondeck import resources
from ondeck.errors import Missing, StateBroken
from ondeck.record.store import Record
from ondeck.settings import Settings

_READY = 30.0  # seconds


@dataclass(slots=True)
class Demo:
    """A running demo.

    Attributes:
        base: The demo's folder, 0700; it goes when the demo ends.
        way: How the hosts are kept apart on this machine.
        hosts: Address by name; all on port 2222, login `ops`.
        keepers: Process id by name; killing one is pulling that host's plug.
        began: When the hosts started, seconds since 1970.
    """

    base: Path
    way: Way
    hosts: Mapping[str, str]
    keepers: Mapping[str, int]
    began: float
    _process: subprocess.Popen[bytes] = field(repr=False)

    @property
    def inventory(self) -> Path:
        """The copy of the sample inventory that names these hosts."""
        return self.base / "inventory"

    @property
    def state(self) -> Path:
        """Where ondeck keeps its state in this demo."""
        return self.base / "state"

    @property
    def banner(self) -> str:
        """What a face shows permanently."""
        return banner(self.way)

    @property
    def environment(self) -> dict[str, str]:
        """Variables for a program that works with the demo; SSH_AUTH_SOCK is emptied by purpose."""
        return {
            "ONDECK_INVENTORY": str(self.inventory),
            "ONDECK_STATE": str(self.state),
            "ONDECK_BANNER": self.banner,
            "ONDECK_DEMO_SSH_CONFIG": str(self.base / "ssh_config"),
            "XDG_CACHE_HOME": str(self.base / "cache"),
            "SSH_AUTH_SOCK": "",
        }

    def server(self, name: str) -> int:
        """Process id of a host's SSH server: SIGSTOP hangs it, SIGKILL drops every connection.

        Raises:
            ProcessLookupError: The host is not running.
        """
        process = self.keepers[name]
        if self.way is not Way.FOLDERS:
            process = _first_children(process)[0]
        for child in reversed(_first_children(process)):
            if "lab.embedded.serve" in _cmdline(child):
                return child
        raise ProcessLookupError(f"{name} has no SSH server")

    def stop(self) -> None:
        """End the hosts and remove the folder."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            shutil.rmtree(self.base, ignore_errors=True)
        if self._process.stdout is not None:
            self._process.stdout.close()


def banner(way: Way | None = None) -> str:
    """What a face shows all the time, so that nobody takes the demo for something else."""
    if way is Way.FOLDERS:
        return "demo: these hosts are plain folders of this machine, commands run as you"
    return "demo: these hosts are this machine"


def _first_children(process: int) -> list[int]:
    try:
        text = Path(f"/proc/{process}/task/{process}/children").read_text()
    except OSError as error:
        raise ProcessLookupError(f"process {process} is gone") from error
    found = [int(word) for word in text.split()]
    if not found:
        raise ProcessLookupError(f"process {process} has no children")
    return found


def _cmdline(process: int) -> str:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def start(base: Path | None = None, *, way: Way | None = None) -> Demo:
    """Start the hosts; the caller calls `stop`, or goes, however it goes.

    Args:
        base: Folder to use, made if it is not there and removed at the end; a new temporary one if None.
        way: Instead of the best one that the kernel allows; for tests.

    Raises:
        Missing: The hosts cannot start here; the message says why.
        StateBroken: The demo's own state cannot be written.
    """
    if base is None:
        base = Path(tempfile.mkdtemp(prefix="ondeck-demo-"))
    else:
        base.mkdir(mode=0o700, parents=True, exist_ok=True)
    argv = [sys.executable, "-m", "lab.embedded.serve", str(base), str(resources.sample_inventory())]
    with tempfile.TemporaryFile() as complaints:
        process = subprocess.Popen(
            [*argv, *([way.value] if way else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            start_new_session=True,
        )
        assert process.stdin is not None  # opened as pipes
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            process.stdin.close()
            process.stdout.close()
            process.wait()
            shutil.rmtree(base, ignore_errors=True)
            complaints.seek(0)
            said = complaints.read().decode(errors="replace").strip().splitlines()
            raise Missing(said[-1] if said else "the demo's hosts did not start")
    told = json.loads(line)
    demo = Demo(base, Way(told["way"]), told["hosts"], told["keepers"], told["began"], process)
    try:
        _mark(demo)
    except StateBroken:
        demo.stop()
        raise
    return demo


def _mark(demo: Demo) -> None:
    """The deploy that the night begins with, as CI would have noted it with `ondeck mark`."""
    settings = Settings(state=demo.state, cache=demo.base / "cache", config=demo.base / "config")
    when = int((demo.began - DEPLOYED) * 1_000_000_000)
    text = f"deploy {GOOD_BEFORE} -> {LIVE}, 3 hosts"
    Record(settings).mark("checkout@prod", text, who=DEPLOYED_BY, time=when)
    Record(settings).mark("checkout@staging", text.replace("3 hosts", "1 host"), who=DEPLOYED_BY, time=when)


@contextmanager
def start_demo(base: Path | None = None, *, way: Way | None = None) -> Iterator[Demo]:
    """The demo for the time of a `with`; see `start`."""
    demo = start(base, way=way)
    try:
        yield demo
    finally:
        demo.stop()


def run(*, command: Sequence[str] = (), shell: bool = False) -> int:
    """Start the demo, run a program on it in the foreground, and end it with the program.

    Args:
        command: argv to run; empty means ondeck's full screen.
        shell: A shell instead, in which `ondeck` works on the demo.

    Returns:
        The program's exit status; 128 and the signal's number when a signal ended it.

    Raises:
        Missing: The hosts cannot start here.
    """
    argv = list(command)
    if shell and not argv:
        argv = [os.environ.get("SHELL") or "/bin/sh"]
    with start_demo() as demo:
        if not argv:
            argv = ["ondeck"]
        else:
            _welcome(demo)
        environment = {**os.environ, **demo.environment, "PATH": _path()}
        try:
            return _foreground(argv, environment)
        finally:
            sys.stderr.write("stopping the demo ...\n")
            sys.stderr.flush()


def _path() -> str:
    """`ondeck` of this installation first."""
    return f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"


def _welcome(demo: Demo) -> None:
    sys.stderr.write(
        f"{demo.banner}; kept apart by {demo.way.value}; all of it ends with this command\n"
        f"inventory {demo.inventory}; plain ssh: ssh -F $ONDECK_DEMO_SSH_CONFIG web-1\n"
    )


def _foreground(argv: Sequence[str], environment: Mapping[str, str]) -> int:
    """Wait for a child that has the terminal: keys like ctrl-c are its business, not ours."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGQUIT)}
    asked = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        child = subprocess.Popen(argv, env=dict(environment), preexec_fn=_own_keys)
    except FileNotFoundError as error:
        raise Missing(f"there is no program {argv[0]!r}") from error
    else:
        for number in asked:
            signal.signal(number, lambda received, _: child.send_signal(received))
        status = child.wait()
    finally:
        for number, handler in {**before, **asked}.items():
            signal.signal(number, handler)
    return status if status >= 0 else 128 - status


def _own_keys() -> None:
    for number in (signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
