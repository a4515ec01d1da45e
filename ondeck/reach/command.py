"""The one remote script that every attached command runs under, and how argv becomes its text.

Closing a channel does not stop what runs on the other end, and for root not even a signal sent over
SSH does (OpenSSH 9.2). So each command is started in a session of its own by a small POSIX shell that
also watches its own standard input: when that ends, because we cancelled or because the connection
died, the whole process group gets TERM, a moment, and KILL.

Tested with dash and busybox as `sh`. A command under it has SIGINT ignored, as POSIX wants it for
a background job.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from enum import StrEnum

from ondeck.errors import BadInput
from ondeck.reach.ports import Become

GRACE = 5.0
"""Seconds between TERM and KILL, before timescale."""

_STEPS = 10

# $1 mode, $2 bytes of input, $3 seconds of one step of the grace time, then the command.
#  n: no input. One watcher beside the command; it does the stopping itself.
#  s, r: the first $2 bytes, or everything, is relayed. The left side of the pipe relays and then
#     watches; the right side owns the command. `wait` of dash waits for a whole pipeline, so the right
#     side ends the left one by its pid, and the shell above passes the stop from left to right.
_SCRIPT = """exec 3<&0 4>&2 2>/dev/null
m=$1 n=$2 g=$3; shift 3
k() {
kill -TERM -$p || kill -TERM $p
i=0
while [ $i -lt 10 ] && kill -0 -$p; do i=$((i+1)); sleep $g || sleep 1; done
kill -KILL -$p || kill -KILL $p
}
if command -v setsid >/dev/null; then set -- setsid "$@"; else set -m; fi
if [ $m = n ]; then
"$@" </dev/null 2>&4 3<&- 4>&- & p=$!
{ while read -r x; do :; done; k; } <&3 >/dev/null 4>&- & w=$!
wait $p; r=$?
kill -KILL $w
exit $r
fi
trap 'kill -TERM $r' TERM
{
read -r x y </proc/self/stat; echo $x
if [ $m = r ]; then cat; else head -c $n; fi
exec >/dev/null
while read -r x; do :; done
kill -TERM $$
} <&3 4>&- | {
trap k TERM
exec 5<&0; read -r w
"$@" <&5 2>&4 3<&- 4>&- 5<&- & p=$!
exec </dev/null 5<&-
wait $p; s=$?
while kill -0 $p; do wait $p; s=$?; done
kill -KILL $w
exit $s
} &
r=$!
exec >/dev/null 3<&- 4>&-
wait $r; s=$?
while kill -0 $r; do wait $r; s=$?; done
exit $s
"""

SIGNALS = {
    1: "HUP",
    2: "INT",
    3: "QUIT",
    4: "ILL",
    6: "ABRT",
    7: "BUS",
    8: "FPE",
    9: "KILL",
    11: "SEGV",
    13: "PIPE",
    14: "ALRM",
    15: "TERM",
}


class Input(StrEnum):
    """What a command gets as standard input."""

    NONE = "n"
    SIZED = "s"
    RELAYED = "r"


def with_env(argv: Sequence[str], env: Mapping[str, str] | None) -> list[str]:
    """The argv that sets variables through env(1): sshd's AcceptEnv would drop them silently.

    Raises:
        BadInput: A word holds NUL, or a variable's name is none.
    """
    if not argv:
        raise BadInput("there is no command to run")
    words = list(argv)
    if env:
        for name in env:
            if not name.isidentifier() or not name.isascii():
                raise BadInput(f"{name!r} is not a name for an environment variable")
        words = ["env", *(f"{name}={value}" for name, value in env.items()), *words]
    elif "=" in words[0] or words[0].startswith("-"):
        # setsid(1) and sudo(8) would read it as an option or an assignment.
        raise BadInput(f"{words[0]!r} is not the name of a program")
    if any("\0" in word for word in words):
        raise BadInput("a word of the command holds a NUL byte")
    return words


def becoming(argv: Sequence[str], become: Become | None, login: str) -> list[str]:
    """The argv under sudo, unless the login already is that user."""
    if become is None or become.user == login:
        return list(argv)
    if not become.user or become.user.startswith("-") or "\0" in become.user:
        raise BadInput(f"{become.user!r} is not a user to become")
    return ["sudo", "-n", "-u", become.user, "--", *argv]


def watched(
    argv: Sequence[str],
    *,
    grace: float,
    given: Input = Input.NONE,
    size: int = 0,
    become: Become | None = None,
    login: str = "",
    env: Mapping[str, str] | None = None,
) -> str:
    """The command line for a login shell that runs argv under the watching script.

    Args:
        argv: Program and arguments.
        grace: Seconds between TERM and KILL, after timescale.
        given: What it gets as standard input.
        size: Bytes of input when it is sized.
        become: Run as another user.
        login: Who we are on the host; spares sudo for oneself.
        env: Variables for the command.

    Raises:
        BadInput: No command, or one that no shell can be given.
    """
    words = with_env(argv, env)
    script = ["sh", "-c", _SCRIPT, "sh", given.value, str(size), f"{max(grace, 0.1) / _STEPS:.3f}", *words]
    return "exec " + shlex.join(becoming(script, become, login))


def signal_of(status: int | None) -> str:
    """The signal's name when a shell reports `128 + n`, else empty."""
    return SIGNALS.get(status - 128, "") if status is not None and status > 128 else ""
