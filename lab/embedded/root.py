"""A host's own root folder: the machine's programs read-only, everything that changes its own."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

from lab.embedded import kernel
from lab.embedded.names import HOSTS, LOGIN, Embedded

_SHARED = ("bin", "sbin", "lib", "lib32", "lib64", "libx32", "usr", "etc", "opt", "nix", "gnu")
_OWN = ("home", "srv", "tmp", "run", "var/log", "var/tmp", "var/lib", "root", "proc", "dev", "sys")
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_SIZE = "size=96m,nr_inodes=20000"


def build(root: Path) -> None:
    """Make the root at `root`, in a mount namespace of our own.

    Raises:
        OSError: The kernel does not allow a mount.
    """
    kernel.mount("none", Path("/"), flags=kernel.MS_REC | kernel.MS_PRIVATE)
    kernel.mount("tmpfs", root, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, f"{_SIZE},mode=755")
    for name in _OWN:
        (root / name).mkdir(parents=True, exist_ok=True)
    for name in ("tmp", "var/tmp"):
        (root / name).chmod(0o1777)
    for name in _SHARED:
        _share(Path("/", name), root / name)
    _programs(root)
    _devices(root / "dev")


def _share(source: Path, target: Path) -> None:
    if source.is_symlink():
        target.symlink_to(source.readlink())
    elif source.is_dir():
        target.mkdir()
        kernel.bind(source, target, read_only=True)


def _programs(root: Path) -> None:
    """/usr/local/bin is the host's own: what its role needs, and the interpreter that runs the demo."""
    local = root / "usr/local/bin"
    kernel.mount("tmpfs", local, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "size=1m,mode=755")
    interpreter = Path(sys.executable).resolve()
    if not interpreter.is_relative_to("/usr"):
        base = Path(sys.base_prefix).resolve()
        at = root / base.relative_to("/")
        at.mkdir(parents=True, exist_ok=True)
        kernel.bind(base, at, read_only=True)
    (local / "python3").symlink_to(interpreter)


def _devices(dev: Path) -> None:
    kernel.mount("tmpfs", dev, "tmpfs", kernel.MS_NOSUID, "size=64k,mode=755")
    for name in _DEVICES:
        (dev / name).touch()
        kernel.bind(Path("/dev", name), dev / name)
    (dev / "pts").mkdir()
    flags = kernel.MS_NOSUID | 8  # no programs from there
    kernel.mount("devpts", dev / "pts", "devpts", flags, "newinstance,ptmxmode=0666,mode=620")
    (dev / "ptmx").symlink_to("pts/ptmx")
    (dev / "shm").mkdir(mode=0o1777)
    for name, descriptor in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
        (dev / name).symlink_to(f"/proc/self/fd/{descriptor}")
    (dev / "fd").symlink_to("/proc/self/fd")


def enter(root: Path, host: Embedded, network: str, uid: int) -> None:
    """Make `root` the root of this process, which is the first of its PID namespace.

    Args:
        root: What `build` made.
        host: Whose name it gets.
        network: Like `127.77.0.`.
        uid: Who `ops` is inside.
    """
    socket.sethostname(host.name)
    kernel.mount("proc", root / "proc", "proc", kernel.MS_NOSUID | kernel.MS_NODEV)
    names = "".join(f"{each.address(network)} {each.name}\n" for each in HOSTS)
    own = {
        "hostname": f"{host.name}\n",
        "hosts": f"127.0.0.1 localhost\n{names}",
        "passwd": f"{LOGIN}:x:{uid}:{uid}:{LOGIN}:/home/{LOGIN}:/bin/sh\n" + _others("passwd", uid),
        "group": f"{LOGIN}:x:{uid}:\n" + _others("group", uid),
    }
    for name, text in own.items():
        target = root / "etc" / name
        if target.exists():
            source = root / "run" / f"etc-{name}"
            source.write_text(text)
            kernel.bind(source, target)
    os.chroot(root)
    os.chdir("/")


def _others(name: str, uid: int) -> str:
    lines = Path("/etc", name).read_text(errors="replace").splitlines(keepends=True)
    return "".join(line for line in lines if line.split(":")[2:3] != [str(uid)])


def give(root: Path, uid: int) -> None:
    """Everything that was seeded belongs to `ops`."""
    for top in ("home/" + LOGIN, "srv", "var/log", "run"):
        os.chown(root / top, uid, uid)
        for folder, folders, files in os.walk(root / top):
            for name in (*folders, *files):
                os.chown(Path(folder, name), uid, uid, follow_symlinks=False)
