"""`python -m lab.real.boot TREE FOLDER NAME`: one Debian host with systemd as its first process.

Mount, PID, UTS, IPC and cgroup namespaces of its own over the shared tree; the network is this
machine's. Prints the process id of systemd. Standard input's end ends the host.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys
import time
from pathlib import Path

from lab.embedded import kernel

_NAMESPACES = (
    kernel.CLONE_NEWNS
    | kernel.CLONE_NEWPID
    | kernel.CLONE_NEWUTS
    | kernel.CLONE_NEWIPC
    | kernel.CLONE_NEWCGROUP
)
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_QUIET = kernel.MS_NOSUID | kernel.MS_NODEV


def prepare(folder: Path) -> Path:
    """A tmpfs for everything that the host changes; the files to add lie in `folder`/files."""
    upper = folder / "changes"
    upper.mkdir()
    kernel.mount("tmpfs", upper, "tmpfs", 0, "size=512m,mode=755")
    for name in ("up", "work", "root"):
        (upper / name).mkdir()
    return upper


def assemble(tree: Path, upper: Path, name: str) -> Path:
    """The host's root with all that systemd expects to find mounted."""
    root = upper / "root"
    kernel.mount(
        "overlay", root, "overlay", 0, f"lowerdir={tree},upperdir={upper / 'up'},workdir={upper / 'work'}"
    )
    socket.sethostname(name)
    (root / "etc/hostname").write_text(f"{name}\n")
    kernel.mount("proc", root / "proc", "proc", _QUIET)
    kernel.mount("sysfs", root / "sys", "sysfs", _QUIET | kernel.MS_RDONLY)
    kernel.mount("cgroup2", root / "sys/fs/cgroup", "cgroup2", _QUIET)
    dev = root / "dev"
    kernel.mount("tmpfs", dev, "tmpfs", kernel.MS_NOSUID, "mode=755")
    for device in _DEVICES:
        (dev / device).touch()
        kernel.bind(Path("/dev", device), dev / device)
    (dev / "pts").mkdir()
    (dev / "shm").mkdir()
    kernel.mount(
        "devpts", dev / "pts", "devpts", kernel.MS_NOSUID, "newinstance,ptmxmode=0666,mode=620,gid=5"
    )
    (dev / "ptmx").symlink_to("pts/ptmx")
    for own, options in ((dev / "shm", "mode=1777"), (root / "run", "mode=755"), (root / "tmp", "mode=1777")):
        kernel.mount("tmpfs", own, "tmpfs", _QUIET, options)
    return root


def _own_cgroup(folder: Path, name: str) -> Path:
    """A cgroup of our own, so that the host's systemd sees only its own part of the tree."""
    view = folder / "cgroup"
    view.mkdir()
    kernel.mount("cgroup2", view, "cgroup2", _QUIET)
    own = view / f"ondeck-lab-{name}-{os.getpid()}"
    own.mkdir()
    (own / "cgroup.procs").write_text("0")
    return own


def _first(tree: Path, folder: Path, name: str) -> None:
    kernel.die_with_parent()
    os.setsid()
    root = assemble(tree, prepare(folder), name)
    files = folder / "files"
    for source in sorted(files.rglob("*")):
        target = root / source.relative_to(files)
        if source.is_dir():
            target.mkdir(exist_ok=True)
            target.chmod(source.stat().st_mode & 0o7777)
        else:
            target.write_bytes(source.read_bytes())
            target.chmod(source.stat().st_mode & 0o7777)
    os.chroot(root)
    os.chdir("/")
    quiet = os.open("/dev/null", os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(quiet, descriptor)
    environment = {"container": "other", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TERM": "dumb"}
    os.execve("/lib/systemd/systemd", ["systemd", "systemd.unit=multi-user.target"], environment)


def _remove(cgroup: Path) -> None:
    """Empty cgroups, deepest first; they are busy for a moment after their last process."""
    for _ in range(50):
        for folder, _, _ in os.walk(cgroup, topdown=False):
            with contextlib.suppress(OSError):
                Path(folder).rmdir()
        if not cgroup.exists():
            return
        time.sleep(0.05)


def main(tree: Path, folder: Path, name: str) -> int:
    """Boot, say the process id, wait for the end of standard input or of the host."""
    kernel.die_with_parent(signal.SIGTERM)
    kernel.unshare(kernel.CLONE_NEWNS)
    kernel.mount("none", Path("/"), flags=kernel.MS_REC | kernel.MS_PRIVATE)
    cgroup = _own_cgroup(folder, name)
    kernel.unshare(_NAMESPACES)
    first = os.fork()
    if first == 0:
        try:
            _first(tree, folder, name)
        except OSError as error:
            sys.stderr.write(f"{name}: {error}\n")
        finally:
            os._exit(1)
    # We must leave the cgroup, or it could not be removed in the end.
    (cgroup.parent / "cgroup.procs").write_text(str(os.getpid()))
    wake, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.set_wakeup_fd(waker)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    sys.stdout.write(f"{first}\n")
    sys.stdout.flush()
    select.select([0, wake], [], [])
    with contextlib.suppress(ProcessLookupError):
        os.kill(first, signal.SIGKILL)
    os.waitpid(first, 0)
    _remove(cgroup)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]))
