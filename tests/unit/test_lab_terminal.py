"""The person at the terminal that other tests rely on."""

from __future__ import annotations

import re
import signal
import sys

import pytest

from tests.terminal import Terminal, key

_ECHO = (
    "import os, sys, termios, tty\n"
    "before = termios.tcgetattr(0)\n"
    "tty.setraw(0)\n"
    "os.write(1, b'\\x1b[2J\\x1b[Hready')\n"
    "while (data := os.read(0, 100)) != b'q':\n"
    "    os.write(1, b'\\r\\ngot ' + repr(data).encode())\n"
    "termios.tcsetattr(0, termios.TCSADRAIN, before)\n"
    "sys.exit(7)\n"
)


def test_keys_arrive_and_the_screen_is_read() -> None:
    with Terminal([sys.executable, "-c", _ECHO]) as terminal:
        terminal.wait_for("ready")
        terminal.type("a", delay=0.05)
        terminal.wait_for("got b'a'")
        terminal.type("ctrl-c")
        terminal.wait_for(re.compile(r"got b'\\x03'"))
        terminal.type("q")
        assert terminal.wait() == 7


def test_the_size_is_there_from_the_start_and_changes() -> None:
    program = "trap 'stty size' WINCH; stty size; while :; do sleep 0.05; done"
    with Terminal(["sh", "-c", program], columns=100, rows=30) as terminal:
        terminal.wait_for("30 100")
        terminal.resize(60, 10)
        terminal.wait_for("10 60")


def test_a_text_that_never_comes_fails_with_the_screen() -> None:
    with Terminal(["sh", "-c", "echo something else"]) as terminal:
        with pytest.raises(AssertionError, match="something else"):
            terminal.wait_for("wanted", timeout=5)
        assert terminal.wait() == 0


def test_hanging_up_sends_the_hangup() -> None:
    with Terminal(["sh", "-c", "echo up; sleep 60"]) as terminal:
        terminal.wait_for("up")
        terminal.close()
        assert terminal.wait() in (-signal.SIGHUP, 128 + signal.SIGHUP)


def test_a_stalled_terminal_blocks_its_program_until_it_is_read_again() -> None:
    program = "import sys; sys.stdout.write('x' * 1_000_000 + '\\nwritten\\n'); sys.stdout.flush()"
    with Terminal([sys.executable, "-c", program]) as terminal:
        terminal.stall()
        with pytest.raises(AssertionError):
            terminal.wait_for("written", timeout=0.5)
        terminal.go_on()
        terminal.wait_for("written")
        assert terminal.wait() == 0


def test_names_of_keys_become_their_bytes() -> None:
    assert [key("ctrl-d"), key("enter"), key("esc"), key("x")] == ["\x04", "\r", "\x1b", "x"]
