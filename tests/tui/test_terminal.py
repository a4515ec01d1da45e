from __future__ import annotations

import signal
import stat
import termios
from pathlib import Path

import pytest

from ondeck.errors import BadInput, Missing
from tests.tui.grammar import problems
from tests.tui.pty_process import PtyProcess
from tui.app import terminal
from tui.app.terminal_restore import RESTORE

APP = "tests.tui.guarded_app"
SIGNALS = [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT]


def conditions(**changes: object) -> terminal.Conditions:
    values = {"term": "xterm", "columns": 80, "lines": 24, "tty": True, "colours": 256}
    values |= {"ascii_only": False, "remote": False, "hz": 10.0, **changes}
    return terminal.Conditions(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize("term", ["dumb", "", "unknown"])
def test_a_terminal_that_cannot_move_its_cursor_is_refused_with_a_way_out(term: str) -> None:
    with pytest.raises(Missing) as caught:
        terminal.check(conditions(term=term))
    assert "command line" in caught.value.hint


def test_without_a_terminal_the_command_line_is_named() -> None:
    with pytest.raises(Missing) as caught:
        terminal.check(conditions(tty=False))
    assert "ondeck --help" in caught.value.hint


def test_a_tiny_terminal_is_refused_with_its_size() -> None:
    with pytest.raises(BadInput, match="19 x 5"):
        terminal.check(conditions(columns=19, lines=5))
    terminal.check(conditions(columns=20, lines=5))


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({"TERM": "xterm-256color"}, 256),
        ({"TERM": "tmux-256color"}, 256),
        ({"TERM": "alacritty"}, 256),
        ({"TERM": "screen"}, 16),
        ({"TERM": "linux"}, 16),
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, 1 << 24),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, 0),
    ],
)
def test_colours_are_known_without_colorterm_that_ssh_does_not_pass_on(
    env: dict[str, str], expected: int
) -> None:
    assert terminal.colours(env) == expected


def test_over_ssh_streams_repaint_twice_a_second() -> None:
    assert terminal.sniff({"SSH_CONNECTION": "192.0.2.1 1 192.0.2.2 22", "TERM": "xterm"}).hz == 2.0
    assert terminal.sniff({"TERM": "xterm"}).hz == 10.0


@pytest.mark.parametrize(
    ("env", "ascii_only"),
    [
        ({"LANG": "en_GB.UTF-8"}, False),
        ({"LANG": "C"}, True),
        ({}, True),
        ({"LC_ALL": "C", "LANG": "a.utf8"}, True),
    ],
)
def test_a_locale_that_is_not_utf8_gets_ascii(env: dict[str, str], ascii_only: bool) -> None:
    assert terminal.sniff(env).ascii_only is ascii_only


def test_developer_features_that_write_the_screen_away_are_off() -> None:
    env = {"TEXTUAL": "devtools,debug", "TEXTUAL_SCREENSHOT": "3", "TEXTUAL_LOG": "x"}
    terminal.set_environment(conditions(), env)
    assert not {"TEXTUAL", "TEXTUAL_SCREENSHOT", "TEXTUAL_LOG"} & env.keys()
    assert env["TEXTUAL_ANIMATIONS"] == "none"


def in_order(process: PtyProcess) -> bool:
    """The line settings are those from before, and the last of each mode is off."""
    after, before = termios.tcgetattr(process.slave), process.before
    text = bytes(process.output)
    last = {mode: text.rfind(b"\x1b[?%d" % mode) for mode in (1000, 1003, 1006, 1049, 2004)}
    off = all(text[at:].startswith(b"\x1b[?%dl" % mode) for mode, at in last.items() if at >= 0)
    cursor = text.rfind(b"\x1b[?25h") > text.rfind(b"\x1b[?25l")
    return after[:4] == before[:4] and off and cursor and text.rfind(b"\x1b[<u") > text.rfind(b"\x1b[>")


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_the_app_in_order_and_flushes_first(tmp_path: Path, number: signal.Signals) -> None:
    with PtyProcess(APP, "plain", str(tmp_path)) as process:
        process.read_until(b"READY")
        process.kill(number)
        assert process.ended(10) == 128 + number
        process.read(0.2)
        assert in_order(process)
        assert (tmp_path / "closed").exists()


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_the_app_also_when_nobody_reads_the_terminal(
    tmp_path: Path, number: signal.Signals
) -> None:
    with PtyProcess(APP, "flood", str(tmp_path)) as process:
        process.read_until(b"xxxxxxxx")
        process.ended(2.5, reading=False)  # the writer's queue fills and the UI loop stops
        process.kill(number)
        assert process.ended(15, reading=False) == 128 + number
        process.read(0.5)
        assert bytes(process.output).endswith(RESTORE)
        assert in_order(process)
        assert (tmp_path / "closed").exists()


def test_a_crash_leaves_a_report_without_locals_and_one_line(tmp_path: Path) -> None:
    with PtyProcess(APP, "plain", str(tmp_path), env={"CANARY": "s3cr3t-canary"}) as process:
        process.read_until(b"READY")
        process.send(b"c")
        assert process.ended(10) == 1
        process.read(0.2)
        assert in_order(process)
        (path,) = (tmp_path / "crash").iterdir()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert "broke on purpose" in path.read_text()
        assert "s3cr3t-canary" not in path.read_text()
        assert b"s3cr3t-canary" not in process.output
        assert str(path).encode() in process.output.replace(b"\r\n", b"")


def test_what_a_library_writes_to_standard_error_goes_to_a_file(tmp_path: Path) -> None:
    with PtyProcess(APP, "noise", str(tmp_path)) as process:
        process.read_until(b"READY")
        process.send(b"q")
        assert process.ended(10) == 3
        assert b"NOISE" not in process.output
        assert "NOISE" in (tmp_path / "stderr.log").read_text()
        assert in_order(process)


@pytest.mark.parametrize("size", [(120, 60), (80, 24), (20, 5)])
def test_hostile_text_in_any_widget_never_reaches_the_terminal_raw(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    with PtyProcess(APP, "hostile", str(tmp_path), size=size) as process:
        process.read_until(b"\x1b[?1049h")
        process.read(2.5)
        process.send(b"q")
        assert process.ended(10) == 3
        process.read(0.2)
        assert problems(bytes(process.output)) == []
        assert "␛".encode() in process.output
