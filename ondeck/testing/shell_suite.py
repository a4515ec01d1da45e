"""The contract suite of `shell`: what every provider that starts an interactive session has to hold.

Subclass it in a test module, name the provider, give a `shell` fixture, and pytest runs it. The sessions
run on a terminal of their own, as they would on the user's.
"""

# ruff: noqa: D102 - the names of the tests are the promises
from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import subprocess
import termios
from collections.abc import Sequence

import msgspec
import pytest

from ondeck.inventory.model import Host, Inventory
from ondeck.reach.ports import Become, Shell
from ondeck.testing.suite import PortSuite


class ShellCase(msgspec.Struct, frozen=True, kw_only=True):
    """What a suite needs to try sessions."""

    inventory: Inventory
    host: Host

    def argv(self, shell: Shell, *command: str, become: Become | None = None) -> list[str]:
        """What the provider would start."""
        return list(shell.shell_argv(self.inventory, self.host, become=become, command=command))


class ShellSuite(PortSuite):
    """Promises of `ondeck.reach.ports.Shell`; give a `become` too, a user that nobody is asked a password for."""

    capability = "shell"

    def test_what_is_started_is_a_program_of_this_machine(self, provided: Shell, shell: ShellCase) -> None:
        for argv in (shell.argv(provided), shell.argv(provided, "true")):
            assert shutil.which(argv[0]), argv[0]
            assert all(isinstance(word, str) and "\0" not in word for word in argv)

    async def test_without_a_command_it_is_a_shell_that_reads_the_keys(
        self, provided: Shell, shell: ShellCase
    ) -> None:
        status, said = await session(shell.argv(provided), b"echo is$((40+2)); tty; exit 7\n")
        assert status == 7
        assert b"is42" in said
        assert b"/dev/" in said

    @pytest.mark.parametrize("status", [0, 3, 130])
    async def test_the_status_is_the_command_s(self, provided: Shell, shell: ShellCase, status: int) -> None:
        assert (await session(shell.argv(provided, "sh", "-c", f"exit {status}")))[0] == status

    async def test_words_of_a_command_arrive_as_they_are(self, provided: Shell, shell: ShellCase) -> None:
        words = ["", " ", "a b", "$HOME", "`id`", "'", '"', "\\", "*", "-n", ";rm", "!x", "%s", "~", "ä"]
        status, said = await session(shell.argv(provided, "printf", "[%s]", *words))
        assert status == 0
        assert "".join(f"[{word}]" for word in words).encode() in said

    async def test_another_user_is_who_it_runs_as(
        self, provided: Shell, shell: ShellCase, become: Become
    ) -> None:
        status, said = await session(shell.argv(provided, "id", "-un", become=become))
        assert status == 0
        assert become.user.encode() in said.split()

    async def test_words_of_another_user_s_command_arrive_as_they_are(
        self, provided: Shell, shell: ShellCase, become: Become
    ) -> None:
        words = ["", "a b", "$HOME", "'", "-u", "*"]
        argv = shell.argv(provided, "printf", "[%s]", *words, become=become)
        assert "".join(f"[{word}]" for word in words).encode() in (await session(argv))[1]


async def session(argv: Sequence[str], keys: bytes = b"") -> tuple[int, bytes]:
    """Run on a terminal of its own, type the keys, and read to the end: status and what was shown."""
    return await asyncio.to_thread(_session, list(argv), keys)


def _session(argv: list[str], keys: bytes) -> tuple[int, bytes]:
    master, slave = os.openpty()
    try:
        process = subprocess.Popen(
            argv,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            env={**os.environ, "TERM": "dumb"},
            preexec_fn=_take_terminal,
        )
    finally:
        os.close(slave)
    shown = bytearray()
    try:
        os.write(master, keys)
        while piece := _read(master):
            shown += piece
        return process.wait(), bytes(shown)
    finally:
        process.kill()
        process.wait()
        os.close(master)


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _read(master: int) -> bytes:
    try:
        return os.read(master, 65_536)
    except OSError:
        return b""  # EIO: the last one closed the terminal
