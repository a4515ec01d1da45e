"""The few system calls that Python 3.11 does not offer: unshare, mount, prctl."""

from __future__ import annotations

import ctypes
import functools
import os
import signal
from pathlib import Path

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000

MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_REMOUNT = 32
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Leave the named namespaces; raises OSError when the kernel does not allow it."""
    _checked(_libc().unshare(flags), "unshare")


def mount(source: str, target: Path, kind: str = "", flags: int = 0, data: str = "") -> None:
    """Mount something; raises OSError with the target's name."""
    done = _libc().mount(
        source.encode(), os.fsencode(target), kind.encode(), ctypes.c_ulong(flags), data.encode()
    )
    _checked(done, f"mount {target}")


def bind(source: Path, target: Path, *, read_only: bool = False) -> None:
    """Show `source` also at `target`, with what is mounted below it.

    Read-only is for the mount itself; in a user namespace the flags that the source came with have to be
    kept, see mount_namespaces(7).
    """
    mount(str(source), target, flags=MS_BIND | MS_REC)
    if read_only:
        # The ST_ flags of statvfs have the values of the MS_ flags.
        kept = os.statvfs(target).f_flag & (os.ST_NOSUID | os.ST_NODEV | os.ST_NOEXEC)
        mount("none", target, flags=MS_REMOUNT | MS_BIND | MS_RDONLY | kept)


def die_with_parent(number: int = signal.SIGKILL) -> None:
    """This process gets a signal when the one that started it ends, however that ends."""
    _checked(_libc().prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0), "prctl")


def adopt_orphans() -> None:
    """Orphans among our descendants become our children, not those of init."""
    _checked(_libc().prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl")
