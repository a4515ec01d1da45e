"""The Debian tree that all real hosts share: built once by debootstrap, kept in a cache folder.

The mirror is the one that this machine's apt uses for Debian; its address is written nowhere.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from ondeck.errors import Missing

_PACKAGES = (
    "systemd",
    "systemd-sysv",
    "dbus",
    "openssh-server",
    "iproute2",
    "procps",
    "sudo",
    "python3-minimal",
    "curl",
)
_RECIPE = "1"  # another number builds again
_BUILD = 900.0  # seconds
LOGIN = "ops"


def cache() -> Path:
    """ONDECK_LAB_CACHE, or `ondeck-lab` in the user's cache folder."""
    named = os.environ.get("ONDECK_LAB_CACHE")
    if named:
        return Path(named)
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path("~/.cache").expanduser()) / "ondeck-lab"


def missing() -> str:
    """Why real hosts cannot run here; empty when they can, as far as is known before trying."""
    if os.geteuid() != 0:
        return "real hosts need root"
    for tool in ("debootstrap", "unshare", "nsenter", "apt-get"):
        if shutil.which(tool, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is None:
            return f"real hosts need {tool}"
    probe = subprocess.run(
        ["unshare", "--mount", "--pid", "--uts", "--ipc", "--cgroup", "--fork", "true"],
        capture_output=True,
        check=False,
    )
    return "" if probe.returncode == 0 else "this kernel does not allow namespaces"


def _release() -> str:
    for line in Path("/etc/os-release").read_text().splitlines():
        if line.startswith("VERSION_CODENAME="):
            return line.partition("=")[2].strip('"')
    return "bookworm"


def _mirror() -> tuple[str, str]:
    """Suite and address of a Debian archive that apt is configured for.

    Raises:
        Missing: apt knows none.
    """
    asked = subprocess.run(
        [
            "apt-get",
            "indextargets",
            "--format",
            "$(CODENAME) $(REPO_URI)",
            "Created-By: Packages",
            "Origin: Debian",
            "Component: main",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    known = dict(reversed([line.split()[:2] for line in asked.stdout.splitlines() if len(line.split()) > 1]))
    suites = [_release(), *(name for name in known if "-" not in name)]
    for suite in suites:
        if suite in known:
            return suite, known[suite]
    raise Missing(
        "apt knows no archive of Debian to build the lab's hosts from", hint="run `apt-get update` first"
    )


def tree() -> Path:
    """The tree, built now if it is not in the cache; two that ask at once build it once.

    Raises:
        Missing: It cannot be built; the message has debootstrap's last lines.
    """
    suite, mirror = _mirror()
    folder = cache()
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{suite}-{_RECIPE}"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.is_dir():
            _build(folder, suite, mirror, target)
    return target


def _build(folder: Path, suite: str, mirror: str, target: Path) -> None:
    for left in folder.glob("making-*"):
        shutil.rmtree(left, ignore_errors=True)
    making = Path(tempfile.mkdtemp(prefix="making-", dir=folder))
    making.chmod(0o755)
    _run(
        [_debootstrap(), "--variant=minbase", f"--include={','.join(_PACKAGES)}", suite, str(making), mirror],
        "debootstrap",
    )
    for argv in (
        ["useradd", "--create-home", "--shell", "/bin/bash", "--password", "*", LOGIN],
        ["systemctl", "mask", "systemd-timesyncd.service", "getty.target", "console-getty.service"],
        ["sh", "-c", f"echo '{LOGIN} ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/lab"],
        ["sh", "-c", "rm -f /etc/ssh/ssh_host_* /etc/machine-id; : > /etc/machine-id; apt-get clean"],
        ["sh", "-c", "rm -f /etc/apt/sources.list; rm -rf /var/lib/apt/lists/*"],
    ):
        _run(["chroot", str(making), *argv], argv[0])
    making.rename(target)


def _debootstrap() -> str:
    return shutil.which("debootstrap") or "/usr/sbin/debootstrap"


def _run(argv: list[str], what: str) -> None:
    environment = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "LC_ALL": "C",
        "DEBIAN_FRONTEND": "noninteractive",
    }
    for name in ("http_proxy", "https_proxy", "no_proxy"):
        if name in os.environ:
            environment[name] = os.environ[name]
    done = subprocess.run(
        argv,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=_BUILD,
        check=False,
    )
    if done.returncode != 0:
        last = " / ".join((done.stdout + done.stderr).strip().splitlines()[-4:])
        raise Missing(f"{what} ended with {done.returncode}: {last}")
