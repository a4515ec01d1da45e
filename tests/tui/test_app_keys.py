"""One table of actions: every binding of every widget and dialog has its id there, and can be remapped."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.binding import Binding
from textual.dom import DOMNode

import tui.app
from ondeck.errors import BadInput
from tests.tui.playing import playing
from tui.app import bindings


def bound() -> Iterator[tuple[str, object]]:
    """Every binding that a class under tui/app makes itself."""
    for module in pkgutil.walk_packages(tui.app.__path__, "tui.app."):
        for _, kind in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if issubclass(kind, DOMNode) and kind.__module__ == module.name:
                for found in kind.__dict__.get("BINDINGS", ()):
                    yield f"{kind.__module__}.{kind.__name__}", found


def test_every_binding_has_an_id_of_the_table_and_its_keys() -> None:
    wrong = []
    for where, found in bound():
        act = bindings.BY_ID.get(found.id or "") if isinstance(found, Binding) else None
        if act is None or not isinstance(found, Binding) or found.key != act.keys:
            wrong.append(f"{where}: {found}")
    assert wrong == []
    assert len({where for where, _ in bound()}) >= 10


def read(tmp_path: Path, text: str) -> dict[str, str]:
    path = tmp_path / "keys.yml"
    path.write_text(text)
    return bindings.read_keymap(path)


@pytest.mark.parametrize("act", [act for act in bindings.ALL if not act.of], ids=lambda act: act.id)
def test_every_action_can_be_given_a_function_key(tmp_path: Path, act: bindings.Act) -> None:
    assert read(tmp_path, f"{act.id}: f9\n") == {act.id: "f9"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("list.down: '2'", "'2'"),
        ("log.filter: n", "'n'"),
        ("job.cancel: D", "'D'"),
        ("prompt.older: ctrl-n", "ctrl\\+n"),
        ("palette.down: escape", "escape"),
        ("plan.everything: f3", "f3"),
        ("plan.reason: r", "would be typed"),
        ("dialog.copy: Y", "would be typed"),
    ],
)
def test_a_key_that_is_taken_or_would_be_typed_is_refused(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(BadInput, match=why):
        read(tmp_path, text + "\n")


async def test_remapped_moves_move_in_boards_tables_and_logs() -> None:
    async with playing(keymap={"list.down": "f7", "list.first": "f8"}) as play:
        await play.press("1", "f7")
        first = play.app.deck_screen.view.selected().name
        await play.press("f7")
        assert play.app.deck_screen.view.selected().name != first
        await play.press("2")
        first = play.app.deck_screen.view.selected().name
        await play.press("f7")
        assert play.app.deck_screen.view.selected().name != first
        await play.press("4", "f8")
        await play.until("paused")


async def test_remapped_keys_of_a_plan_do_what_they_say_and_the_old_ones_nothing() -> None:
    async with playing(size=(120, 40), keymap={"plan.everything": "f6", "dialog.copy": "f7"}) as play:
        await play.press("R")
        shown = await play.until("to start:")
        assert "f6 exact commands" in shown
        assert "f7 copy" in shown
        await play.press("f2")
        assert "must still hold when it starts" not in play.text
        await play.press("f6")
        await play.until("-- exact commands")
        await play.press("f7")
        await play.until("copied")
        assert "rollback checkout@prod" in play.app.clipboard


async def test_a_form_copies_its_command_with_the_key_that_it_shows_and_takes_a_capital_y_as_a_letter() -> (
    None
):
    async with playing() as play:
        await play.press(":")
        await play.type("put web-1:/etc/motd")
        await play.press("enter")
        await play.until("f3 copies the command")
        await play.type("Y")
        await play.press("f3")
        assert play.app.clipboard == "ondeck put Y web-1:/etc/motd"


async def test_help_lists_the_keys_of_dialogs_as_they_are_now() -> None:
    async with playing(size=(120, 200), keymap={"dialog.copy": "f7"}) as play:
        await play.press("?")
        shown = await play.until("KEYS in Now")
        assert "in dialogs a capital Y is a letter" in shown
        line = next(line for line in shown.splitlines() if "a capital Y is a letter" in line)
        assert line.split()[0] == "f7"


@pytest.mark.parametrize(("key", "name"), [("6", "Alerts"), ("9", "Runbooks")])
async def test_a_pane_that_is_not_in_this_version_says_so_and_changes_nothing(key: str, name: str) -> None:
    async with playing() as play:
        before = play.text.splitlines()[:-1]
        await play.press(key)
        shown = await play.until(f"{name} is not in this version")
        assert shown.splitlines()[:-1] == before
        assert f"{key} {name}" not in shown
        await play.press(":")
        await play.type(name.lower())
        await play.press("enter")
        await play.until(f"{name} is not in this version")
