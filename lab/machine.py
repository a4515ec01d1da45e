"""What this machine can do for the lab: rights, kernel facilities, tools."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from dataclasses import dataclass

_TOOLS = (
    "git",
    "ssh",
    "sshd",
    "tmux",
    "debootstrap",
    "unshare",
    "ip",
    "iptables",
    "dockerd",
    "docker-registry",
    "restic",
    "borg",
    "terraform",
    "packer",
    "prometheus",
    "systemd-run",
    "gnome-keyring-daemon",
    "dbus-daemon",
    "bao",
)


@dataclass(frozen=True, slots=True)
class Facility:
    """One thing a test may need, and whether this machine has it."""

    name: str
    present: bool
    detail: str


def _runs(*argv: str) -> bool:
    try:
        done = subprocess.run(argv, capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _tool(name: str) -> Facility:
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    return Facility(name, path is not None, path or "not installed")


def survey() -> list[Facility]:
    """Look at the machine; changes nothing but short-lived namespaces."""
    facilities = [
        Facility("python", True, platform.python_version()),
        Facility("kernel", True, platform.release()),
        Facility("root", os.geteuid() == 0, f"uid {os.geteuid()}"),
        Facility("pid and mount namespaces", _runs("unshare", "--pid", "--fork", "--mount", "true"), ""),
        Facility("network namespaces", _runs("unshare", "--net", "true"), ""),
        Facility("user namespaces", _runs("unshare", "--user", "--map-root-user", "true"), ""),
    ]
    return facilities + [_tool(name) for name in _TOOLS]


def report() -> str:
    """The survey as lines of text, one facility a line."""
    return "\n".join(f"{'yes' if f.present else 'no ':3}  {f.name:26} {f.detail}" for f in survey())
