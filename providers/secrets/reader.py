"""`env:NAME`, `file:PATH` and `command:NAME`: what a process, a private file or a program of ours says."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
from pathlib import Path

from ondeck.errors import BadInput, Missing, Unreachable
from ondeck.operate.ports import SecretQuestion
from ondeck.secret import Secret

LARGEST = 1 << 20
"""Bytes of a value; a file or an answer that is longer is no secret but a mistake."""

PATIENCE = 30.0
"""Seconds before timescale that a command gets."""

# What would let a program ask on our terminal, behind the screen: gpg's pinentry draws on GPG_TTY.
_ASKING = ("GPG_TTY", "SSH_ASKPASS", "SSH_ASKPASS_REQUIRE", "PINENTRY_USER_DATA")


class PlainSecrets:
    """Capability `secrets` for `env`, `file` and `command`."""

    def read(self, question: SecretQuestion) -> Secret:
        """The value; see `ondeck.operate.ports.SecretReader`."""
        match question.reference.scheme:
            case "env":
                return _variable(question)
            case "file":
                return _file(question)
            case _:
                return _command(question)


def _variable(question: SecretQuestion) -> Secret:
    name = question.reference.rest
    if name not in question.environ:
        raise Missing("the variable is not set", hint=f"export {name}=...")
    value = question.environ[name]
    if not value:
        raise Missing("the variable is empty")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Missing("it is not UTF-8") from None
    return Secret(value)


def _file(question: SecretQuestion) -> Secret:
    path = Path(question.root, Path(question.reference.rest).expanduser())
    try:
        # Not blocking: a pipe in place of a file must not hold who asks.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        with open(descriptor, "rb") as file:  # noqa: PTH123 - of a descriptor
            facts = os.fstat(descriptor)
            if not stat.S_ISREG(facts.st_mode):
                raise Missing("it is not a regular file")
            if facts.st_mode & 0o077:
                raise Missing("others may read the file", hint=f"chmod 0600 {path}")
            return _text(file.read(LARGEST + 1))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no path can hold that"
        raise Missing(f"{reason}") from None


def _text(data: bytes) -> Secret:
    """A value from bytes: one line end at its end belongs to the file, not to it."""
    if len(data) > LARGEST:
        raise Missing(f"it is longer than {LARGEST} bytes")
    try:
        value = data.decode()
    except UnicodeDecodeError:
        raise Missing("it is not UTF-8") from None
    value = value.removesuffix("\n").removesuffix("\r")
    if not value:
        raise Missing("it is empty")
    return Secret(value)


def _command(question: SecretQuestion) -> Secret:
    name = question.reference.rest
    argv = question.options.get(name)
    if argv is None:
        named = ", ".join(sorted(question.options)) or "none"
        raise BadInput(
            f"the inventory names no command {name!r}; it names {named}",
            hint=f"write: secrets: {{command: {{{name}: [PROGRAM, ARGUMENT]}}}}",
        )
    environ = {key: value for key, value in question.environ.items() if key not in _ASKING}
    try:
        process = subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=question.root if Path(question.root).is_dir() else "/",
            env={**environ, "TERM": "dumb"},
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "a word of it holds NUL"
        raise Missing(f"{argv[0]} cannot be started: {reason}") from None
    return _answer(process, argv[0], question.settings.seconds(PATIENCE))


def _answer(process: subprocess.Popen[bytes], program: str, seconds: float) -> Secret:
    try:
        out, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise Unreachable(f"{program} did not end within {seconds:.0f} s") from None
    if process.returncode:
        # What it wrote is not repeated: a tool may show what it was asked for in its complaint.
        raise Missing(f"{program} ended with {process.returncode}", hint=f"see what it says: {program} ...")
    return _text(out)
