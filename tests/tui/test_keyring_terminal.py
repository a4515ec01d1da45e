"""A person at a terminal and the encrypted keyring: asked before anything is drawn, never shown what was typed."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.required import cannot
from tests.terminal import Terminal

RIGHT, VALUE = "right-password-4711", "value-of-the-secret-0815"


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    if find_spec("keyrings.cryptfile") is None:
        cannot("keyrings.cryptfile is not installed")
    folder = tmp_path / "ops"
    folder.mkdir()
    (folder / "ondeck.yml").write_text(
        "ondeck: 1\nenvironments: {lab: {}}\nhosts: {web-1: {env: lab, transport: local}}\n"
        "secrets: {keyring: {backend: cryptfile}}\n"
        "backups: {orders: {engine: restic, host: web-1, password: 'keyring:orders'}}\n"
    )
    return {
        "ONDECK_INVENTORY": str(folder),
        "ONDECK_STATE": str(tmp_path / "state"),
        "HOME": str(tmp_path),
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }


def typed(terminal: Terminal, text: str) -> None:
    terminal.send(f"{text}\r".encode())


def test_a_secret_is_set_and_the_app_opens_the_keyring_before_it_draws(env: dict[str, str]) -> None:
    ondeck = [sys.executable, "-m", "tests.tui.ondeck_main"]
    with Terminal([*ondeck, "creds", "set", "keyring:orders"], env=env) as person:
        person.wait_for("password of", 30)
        typed(person, RIGHT)
        person.wait_for("value of keyring:orders", 30)
        typed(person, VALUE)
        person.wait_for("Repeat", 30)
        typed(person, VALUE)
        person.wait_for("kept: keyring:orders", 30)
        assert person.wait(30) == 0
        assert RIGHT.encode() not in person.raw
        assert VALUE.encode() not in person.raw
    with Terminal(ondeck, env=env, columns=240) as person:
        person.wait_for("password of", 30)
        typed(person, "wrong")
        person.wait_for("does not open", 30)
        assert b"\x1b[?1049h" not in person.raw
        typed(person, RIGHT)
        person.wait_for("1 Now", 60)
        person.type(":", *"creds check", "enter")
        person.wait_for("backups.orders.password", 30)
        person.wait_for(" yes ", 60)
        assert RIGHT.encode() not in person.raw
        assert VALUE.encode() not in person.raw
        person.type("q", "q")
        assert person.wait(30) == 0


def test_who_goes_on_without_it_is_told_what_needs_it(env: dict[str, str]) -> None:
    with Terminal([sys.executable, "-m", "tests.tui.ondeck_main"], env=env, columns=240) as person:
        person.wait_for("password of", 30)
        typed(person, "")
        person.wait_for("1 Now", 60)
        person.type(":", *"creds check", "enter")
        person.wait_for("no keyring is open here", 60)
        person.type("q", "q")
        assert person.wait(30) == 0
