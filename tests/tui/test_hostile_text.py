from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

import pytest

import tui.app.dialogs
import tui.app.panes
from tests.tui.grammar import problems, text_only
from tests.tui.pty_process import PtyProcess
from tests.tui.stage import FakeSession
from tui.app import palette
from tui.app.dialogs.base import Dialog
from tui.app.dialogs.scrolled import Scrolled
from tui.app.frame import OndeckApp
from tui.app.guard import GuardedApp, SafeFilter
from tui.app.panes.backup_acts import BackupView
from tui.app.panes.base import BoardView, View
from tui.app.terminal_run import CrashReports
from tui.app.theming import ThemedApp

HARMLESS = {"Looking"}
"""Dialogs that show no text from outside; each is named here by a person who looked."""


def walked(folder: Path, size: tuple[int, int], *modes: str, **env: str) -> tuple[bytes, set[str]]:
    """What the app wrote while it walked through all of it, and the classes it drew."""
    with PtyProcess("tests.tui.hostile_app", str(folder), *modes, size=size, env=env) as process:
        status = process.ended(100)
        process.read(0.2)
        said = "".join(path.read_text() for path in (folder / "crashes").glob("*"))
        assert status == 3, said or bytes(process.output[-3000:])
        return bytes(process.output), set((folder / "seen").read_text().split())


@pytest.mark.slow
@pytest.mark.parametrize("size", [(160, 48), (80, 24)], ids=str)
def test_hostile_text_reaches_the_terminal_raw_from_no_view_and_no_dialog(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    output, seen = walked(tmp_path, size)
    assert problems(output) == []
    assert "␛" in output.decode(errors="replace")
    expected = {kind.__name__ for kind in shown()}
    assert expected <= seen | HARMLESS, "a new view or dialog: add it to hostile_app.py"


@pytest.mark.slow
def test_on_a_terminal_that_is_not_utf8_hostile_text_is_plain_ascii(tmp_path: Path) -> None:
    output, _ = walked(tmp_path, (80, 24), "ascii", LANG="C", LC_ALL="C")
    assert problems(output) == []
    assert text_only(output).isascii()


def shown() -> set[type]:
    """Every view and dialog there is, found in the packages and not in a list."""
    found: set[type] = {palette.Palette}
    for package in (tui.app.panes, tui.app.dialogs):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            for kind in vars(importlib.import_module(module.name)).values():
                if isinstance(kind, type) and issubclass(kind, View | Dialog):
                    found.add(kind)
    return found - {View, BoardView, BackupView, Dialog, Scrolled}


def test_the_frame_stands_behind_every_guard() -> None:
    app = OndeckApp(FakeSession())
    assert isinstance(app, GuardedApp)
    assert isinstance(app, CrashReports)
    assert isinstance(app, ThemedApp)
    assert isinstance(app.get_line_filters()[-1], SafeFilter)
    # CrashReports has to come before Textual's own reports, which show local variables.
    assert OndeckApp._fatal_error is CrashReports._fatal_error
    assert OndeckApp._print_error_renderables is CrashReports._print_error_renderables
