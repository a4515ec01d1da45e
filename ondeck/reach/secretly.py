"""Secrets as environment variables of a command, over any Link: they travel on standard input, never in argv.

A small POSIX shell reads them, byte by byte and not one byte more, exports them and becomes the command,
which gets the rest as its own input. So no process that starts on the way, on either side, has a value
among its words, where `ps` shows it to every user of the machine; the environment of a process is for its
own user and root alone.

For each variable a line `NAME BYTES` and as many bytes, then a line with a dot: what arrives short of that
dot is not the whole, and nothing starts. Tested with dash and busybox as `sh`.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from ondeck.errors import BadInput
from ondeck.reach.command import with_env
from ondeck.reach.ports import Become, Completed, Link, Stream
from ondeck.secret import Secret

# Names that the scripts and the shells under them use for themselves are not to be had.
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]+\Z")
_TAKEN = frozenset({"PATH", "IFS", "ENV", "PWD", "run"})

_LARGEST = (128 << 10) - 1
"""Bytes of one variable, its name and the sign between: Linux takes no larger one (MAX_ARG_STRLEN)."""

# `read` takes a pipe byte by byte, and dd reads what it is told; head of busybox would read ahead. The
# dot keeps the line ends of a value, which `$( )` would drop.
READ = """while read -r _n _k && [ "$_n" != . ]; do
_v=$(dd bs=1 count="$_k" 2>/dev/null && echo .) || exit 71
export "$_n=${_v%.}"
done
unset _v
[ "$_n" = . ] || exit 71
"""
"""Lines of sh that take the variables from standard input; they end with 71 when they did not arrive whole."""

CUT_SHORT = 71
"""How `READ` ends when the variables did not arrive whole."""

_WITH_INPUT = READ + 'exec "$@"\n'
_WITHOUT = READ + 'exec "$@" </dev/null\n'


def packed(secret_env: Mapping[str, Secret]) -> bytes:
    """What `READ` takes: the variables as bytes for standard input.

    Raises:
        BadInput: A name is none or is the shell's own, or a value holds NUL or is too large. The value is
            never in the message.
    """
    parts: list[bytes] = []
    for name, secret in secret_env.items():
        if not _NAME.match(name) or name in _TAKEN or name.startswith("LD_"):
            raise BadInput(f"{name!r} cannot be a variable that holds a secret")
        value = secret.reveal().encode()
        if b"\0" in value:
            raise BadInput(f"the secret for {name} holds a NUL byte, which no environment variable can")
        if len(name) + 1 + len(value) > _LARGEST:
            raise BadInput(
                f"the secret for {name} is {len(value)} bytes long, "
                f"more than the {_LARGEST} of an environment variable"
            )
        parts.append(f"{name} {len(value)}\n".encode() + value)
    return b"".join(parts) + b".\n"


def _words(script: str, argv: Sequence[str], env: Mapping[str, str] | None) -> list[str]:
    return ["sh", "-c", script, "sh", *with_env(argv, env)]


async def run(
    link: Link,
    argv: Sequence[str],
    *,
    secret_env: Mapping[str, Secret],
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    become: Become | None = None,
    timeout: float = 60.0,
    limit: int = 1 << 20,
) -> Completed:
    """Run to the end and capture as `Link.run` does, with secrets in the command's environment.

    Raises:
        BadInput: A name or value cannot stand in an environment.
        Unreachable: It could not start.
        LinkLost: It had started and the connection ended.
        TimeoutError: It did not end in time; it was stopped.
    """
    given = packed(secret_env) + stdin
    return await link.run(
        _words(_WITH_INPUT, argv, env), stdin=given, become=become, timeout=timeout, limit=limit
    )


@asynccontextmanager
async def stream(
    link: Link,
    argv: Sequence[str],
    *,
    secret_env: Mapping[str, Secret],
    env: Mapping[str, str] | None = None,
    become: Become | None = None,
    relay: bool = False,
) -> AsyncIterator[Stream]:
    """Follow a command as `Link.stream` does, with secrets in its environment.

    Raises:
        BadInput: A name or value cannot stand in an environment.
    """
    given, script = packed(secret_env), _WITH_INPUT if relay else _WITHOUT
    async with link.stream(_words(script, argv, env), become=become, relay=True) as following:
        await following.send(given)
        yield following
