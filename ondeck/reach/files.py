"""Files on a host through commands only: POSIX shell and coreutils or busybox, no SFTP server needed.

Any Link can build its file methods on these functions; `run` is the link's own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Protocol

from ondeck import text
from ondeck.errors import BadInput, Missing, RemoteFailed
from ondeck.reach.ports import Become, Completed, FileFacts

_NOT_THERE = 44
_TOO_LARGE = 45
_ODD = 46

# Not there is said only of a place that we may look into. A pipe, a device or a folder is refused
# before it is opened: reading one would wait, or never end. Links are followed step by step: busybox has
# no `readlink -m`, and links may lead in a circle.
_THERE = """if [ ! -e "$1" ]; then
p=$1 i=0
while [ -L "$p" ] && [ $i -lt 40 ]; do
t=$(readlink -- "$p") || exit 1
case $t in /*) p=$t;; *) p=${p%/*}/$t;; esac
i=$((i+1))
done
d=${p%/*}
while [ ! -e "${d:-/}" ]; do d=${d%/*}; done
[ -x "${d:-/}" ] || { echo "no right to look into $d" >&2; exit 1; }
[ -L "$1" ] || exit 44
echo "is a link to $(readlink -- "$1"), which does not exist" >&2; exit 46
fi
[ -f "$1" ] || { echo "is not a regular file" >&2; exit 46; }
"""

_READ = (
    _THERE
    + """
s=$(stat -L -c %s -- "$1") || exit 1
[ "$s" -le "$2" ] || exit 45
exec cat -- "$1"
"""
)

# Beside, synced, renamed over. Mode, owner and a security label that is there are kept or set before
# the rename, so that nobody sees the file open to more than it should be.
_WRITE = """p=$1 m=$2 o=$3 n=$4
if [ -L "$p" ]; then p=$(readlink -f -- "$p") || exit 1; fi
[ ! -e "$p" ] || [ -f "$p" ] || { echo "is not a regular file" >&2; exit 46; }
umask 077
t=$(mktemp -- "$p.ondeck-XXXXXXXX") || exit 1
trap 'rm -f -- "$t"' EXIT
trap 'exit 143' TERM HUP INT
cat >"$t" || exit 1
[ "$(stat -c %s -- "$t")" = "$n" ] || { echo "arrived incomplete" >&2; exit 1; }
if [ -n "$o" ]; then chown -- "$o" "$t" || exit 1
elif [ -e "$p" ]; then
u=$(stat -c %u:%g -- "$p")
[ "$u" = "$(stat -c %u:%g -- "$t")" ] || chown -- "$u" "$t" || exit 1
fi
chmod -- "$m" "$t" || exit 1
if command -v chcon >/dev/null && [ -e "$p" ]; then chcon --reference="$p" -- "$t" 2>/dev/null; fi
sync -- "$t" 2>/dev/null || sync
mv -f -- "$t" "$p" || exit 1
trap - EXIT
sync -- "${p%/*}/" 2>/dev/null || :
"""

_STAT = (
    _THERE
    + """
stat -L -c '%s %a %U %G %Y' -- "$1" || exit 1
if [ "$2" = 1 ]; then exec sha256sum -- "$1"; fi
"""
)


class Run(Protocol):
    """A link's `run`."""

    def __call__(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        become: Become | None = None,
        timeout: float = 60.0,
        limit: int = 1 << 20,
    ) -> Awaitable[Completed]:
        """Run to the end and capture."""
        ...


def _checked(path: str) -> str:
    if not path.startswith("/") or "\0" in path:
        raise BadInput(f"{path!r} is not an absolute path")
    return path


def _said(done: Completed) -> str:
    lines = text.decode(done.stderr).strip().splitlines()
    return lines[-1] if lines else f"exit {done.status}"


def _refused(verb: str, path: str, done: Completed) -> RemoteFailed:
    odd = done.status == _ODD
    return RemoteFailed(f"{path} {_said(done)}" if odd else f"cannot {verb} {path}: {_said(done)}")


def _script(script: str, *args: str) -> list[str]:
    return ["sh", "-c", script, "sh", *args]


async def read_file(run: Run, path: str, *, limit: int = 8 << 20, become: Become | None = None) -> bytes:
    """Content of a file.

    Raises:
        Missing: There is no such file.
        RemoteFailed: It cannot be read, is larger than `limit` bytes, or is not a regular file.
    """
    done = await run(
        _script(_READ, _checked(path), str(limit)), become=become, limit=limit + 1, timeout=_patience(limit)
    )
    if done.status == _NOT_THERE:
        raise Missing(f"there is no file {path}")
    if done.status == _TOO_LARGE or done.dropped or len(done.stdout) > limit:
        raise RemoteFailed(f"{path} is larger than {limit} bytes")
    if not done.ok:
        raise _refused("read", path, done)
    return done.stdout


async def write_file(
    run: Run, path: str, data: bytes, *, mode: int = 0o644, owner: str = "", become: Become | None = None
) -> None:
    """Write beside, sync, rename over; the owner of an old file is kept unless one is given.

    Raises:
        RemoteFailed: No room, no right, no folder, no regular file; what is there is untouched.
    """
    if not 0 <= mode <= 0o7777:
        raise BadInput(f"{mode:o} is not a file mode")
    done = await run(
        _script(_WRITE, _checked(path), f"{mode:o}", owner, str(len(data))),
        stdin=data,
        become=become,
        timeout=_patience(len(data)),
    )
    if not done.ok:
        raise _refused("write", path, done)


async def stat(
    run: Run, path: str, *, digest: bool = False, become: Become | None = None
) -> FileFacts | None:
    """Facts of a file, None when it is not there; with `digest` its sha256 too.

    Raises:
        RemoteFailed: It is there, or may be, and cannot be looked at; a folder, pipe or device is not a
            file, and a link to nowhere is neither there nor absent.
    """
    done = await run(_script(_STAT, _checked(path), "1" if digest else "0"), become=become, timeout=300)
    if done.status == _NOT_THERE:
        return None
    if not done.ok:
        raise _refused("look at", path, done)
    lines = done.stdout.decode("utf-8", "backslashreplace").splitlines()
    try:
        size, mode, owner, group, mtime = lines[0].split(" ")
        # sha256sum puts a backslash before the sum when the name has to be escaped.
        sha = lines[1].split()[0].removeprefix("\\") if digest else ""
        return FileFacts(int(size), int(mode, 8), owner, group, float(mtime), sha)
    except (IndexError, ValueError) as error:
        raise RemoteFailed(f"cannot read what stat says of {path}") from error


def _patience(size: int) -> float:
    """Seconds for a transfer: a minute, and one more for each 4 MiB."""
    return 60.0 + 60.0 * (size >> 22)
