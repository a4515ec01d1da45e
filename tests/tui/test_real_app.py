from __future__ import annotations

import os
import re
import signal
import stat
import termios
from pathlib import Path

import pytest

from tests.tui.grammar import problems, text_only
from tests.tui.pty_process import PtyProcess
from tests.tui.test_terminal import SIGNALS, in_order
from tui.app.terminal_restore import RESTORE


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """A small inventory of hosts that nobody can reach, and a state of its own."""
    inventory = tmp_path / "inventory"
    inventory.mkdir()
    (inventory / "ondeck.yml").write_text("ondeck: 1\nenvironments:\n  prod: {protection: confirm}\n")
    (inventory / "hosts.yml").write_text(
        "hosts:\n" + "".join(f"  web-{n}: {{env: prod, group: [web], transport: local}}\n" for n in range(30))
    )
    return {
        "ONDECK_INVENTORY": str(inventory),
        "ONDECK_STATE": str(tmp_path / "state"),
        "HOME": str(tmp_path),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "PATH": os.environ["PATH"],
    }


def run(
    env: dict[str, str], *, size: tuple[int, int] = (80, 24), module: str = "tests.tui.real_app"
) -> PtyProcess:
    return PtyProcess(module, env=env, size=size)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_the_real_app_in_order(env: dict[str, str], number: signal.Signals) -> None:
    with run(env) as process:
        process.read_until(b"FLEET")
        process.kill(number)
        assert process.ended(15) == 128 + number
        process.read(0.2)
        assert in_order(process)
        assert b"Traceback" not in process.output


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_the_real_app_on_a_terminal_that_nobody_reads(
    env: dict[str, str], number: signal.Signals
) -> None:
    with run(env, size=(200, 60)) as process:
        process.read_until(b"FLEET")
        for _ in range(60):  # screens that nobody takes: the pty and the writer's queue fill
            process.send(b"?\x1b2")
            process.ended(0.05, reading=False)
        process.kill(number)
        assert process.ended(20, reading=False) == 128 + number
        process.read(0.5)
        assert in_order(process)
        assert RESTORE in process.output or process.output.rstrip().endswith(b"\x1b[?25h")


def test_a_crash_of_the_real_app_leaves_a_report_without_locals(env: dict[str, str], tmp_path: Path) -> None:
    with run(env | {"CANARY": "s3cr3t-canary"}) as process:
        process.read_until(b"FLEET")
        process.send(b"y")
        assert process.ended(15) == 1
        process.read(0.3)
        assert in_order(process)
        (path,) = (tmp_path / "state" / "crashes").iterdir()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert "broke on purpose" in path.read_text()
        assert "s3cr3t-canary" not in path.read_text()
        assert b"s3cr3t-canary" not in process.output
        assert b"Traceback" not in process.output
        assert str(path).encode() in process.output.replace(b"\r\n", b"")


@pytest.mark.parametrize(
    ("more", "size"),
    [
        ({"TERM": "xterm"}, (80, 24)),
        ({"TERM": "linux"}, (80, 24)),
        ({"TERM": "screen", "NO_COLOR": "1"}, (80, 24)),
        ({"LC_ALL": "C", "LANG": "C"}, (80, 24)),
        ({"SSH_CONNECTION": "192.0.2.1 1 192.0.2.2 22"}, (80, 24)),
        ({}, (20, 5)),
        ({}, (30, 8)),
        ({}, (300, 90)),
    ],
    ids=["16 colours", "console", "no colour", "no utf-8", "ssh", "20x5", "30x8", "300x90"],
)
def test_the_app_opens_and_leaves_on_any_terminal_that_can_show_it(
    env: dict[str, str], more: dict[str, str], size: tuple[int, int]
) -> None:
    with run(env | more, size=size, module="tests.tui.real_app") as process:
        process.read_until(b"Now")
        process.send(b"2")
        process.read(1.0)
        process.send(b"1q")
        assert process.ended(15) == 0, text_only(bytes(process.output))[-2000:]
        process.read(0.2)
        output = bytes(process.output)
        assert in_order(process)
        assert problems(output) == []
        assert b"Traceback" not in output
        if "LC_ALL" in more:
            assert text_only(output).isascii()
        if "NO_COLOR" in more:
            codes = {code for found in re.findall(rb"\x1b\[([0-9;]*)m", output) for code in found.split(b";")}
            assert codes <= {b"", b"0", b"1", b"2", b"3", b"4", b"7", b"22", b"24", b"27", b"39", b"49"}, (
                codes
            )
            assert b"7" in codes, "the cursor's row is seen by being reversed"
        if more.get("TERM") in ("xterm", "linux"):
            assert b"38;5;" not in output
            assert b"38;2;" not in output


@pytest.mark.parametrize(
    ("more", "size", "words"),
    [
        ({"TERM": "dumb"}, (80, 24), b"TERM is dumb"),
        ({"TERM": ""}, (80, 24), b"TERM is not set"),
        ({}, (19, 5), b"19 x 5"),
        ({}, (20, 4), b"20 x 4"),
    ],
)
def test_a_terminal_that_cannot_show_it_gets_a_reason_and_the_command_line(
    env: dict[str, str], more: dict[str, str], size: tuple[int, int], words: bytes
) -> None:
    with run(env | more, size=size, module="tests.tui.ondeck_main") as process:
        assert process.ended(15) in (1, 2)
        process.read(0.2)
        output = bytes(process.output)
        assert words in output
        assert b"ondeck --help" in output
        assert b"Traceback" not in output
        assert b"\x1b" not in output
        assert termios.tcgetattr(process.slave)[:4] == process.before[:4]
