"""Secrets of a real gnome-keyring: a job that needs one, `ondeck creds`, the page; and what is said on bad days."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import secretstorage

from lab.real.gnome_keyring import Keyring, gnome_keyring
from ondeck.deck import Deck
from ondeck.errors import Missing, OndeckError, Unreachable
from ondeck.operate.secrets import resolve
from tests.required import cannot
from tests.secret_site import deck, holding, spent
from tests.tui.playing import playing
from tests.tui.stage import FakeSession
from tui.app.live.parts import Parts
from tui.cli.root import main

OWN = "keyring:orders"


@pytest.fixture
def keyring(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Keyring]:
    try:
        context = gnome_keyring(tmp_path_factory.mktemp("keyring"))
        started = context.__enter__()
    except Missing as error:
        cannot(error.message)
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", started.environ["DBUS_SESSION_BUS_ADDRESS"])
    yield started
    context.__exit__(None, None, None)


@pytest.fixture
def ops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "ops"
    folder.mkdir()
    (folder / "ondeck.yml").write_text(
        "ondeck: 1\nenvironments: {lab: {}}\nhosts: {web-1: {env: lab, transport: local}}\n"
        f"backups: {{orders-db: {{engine: restic, host: web-1, password: {OWN!r}}}}}\n"
    )
    monkeypatch.setenv("ONDECK_INVENTORY", str(folder))
    monkeypatch.setenv("ONDECK_STATE", str(tmp_path / "own-state"))
    return folder


def typed(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """Standard input is a pipe with a value."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(value.encode())))


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    code = main(argv, screen=lambda face: 99)
    said = capsys.readouterr()
    return code, said.out, said.err


def lock() -> None:
    with closing(secretstorage.dbus_init()) as bus:
        secretstorage.Collection(bus).lock()


def refused(on: Deck) -> OndeckError:
    with pytest.raises(OndeckError) as told:
        resolve(on, [OWN])
    assert OWN in str(told.value)
    return told.value


def test_what_was_set_once_reaches_a_job_and_stays_nowhere_else(
    keyring: Keyring,
    ops: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    value = f'canary {uuid4().hex} it\'s "$(id)"\nsecond line'
    typed(monkeypatch, value + "\n")
    code, out, err = run(capsys, "creds", "set", OWN)
    assert (code, out) == (0, "")
    assert "the Secret Service" in err
    assert value[:20] not in err
    spent(tmp_path, deck(tmp_path, (OWN,)), (OWN,), (value,))
    assert run(capsys, "creds", "forget", OWN)[0] == 0
    code, _, err = run(capsys, "creds", "forget", OWN)
    assert code == 1
    assert "has no 'orders' of 'ondeck'" in err
    for place in (tmp_path, Path(os.environ["HOME"])):
        assert holding(place, value) == []


def test_the_keyring_library_s_own_program_sees_the_same(
    keyring: Keyring,
    ops: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    typed(monkeypatch, "ours")
    assert run(capsys, "creds", "set", "keyring:some service#anna")[0] == 0
    environ = {**os.environ, "PYTHON_KEYRING_BACKEND": "keyring.backends.SecretService.Keyring"}
    got = subprocess.run(
        [sys.executable, "-m", "keyring", "get", "some service", "anna"],
        env=environ,
        capture_output=True,
        check=True,
    )
    assert got.stdout == b"ours\n"
    subprocess.run(
        [sys.executable, "-m", "keyring", "set", "some service", "anna"],
        env=environ,
        input=b"theirs\n",
        check=True,
    )
    reference = "keyring:some service#anna"
    assert resolve(deck(tmp_path, ()), [reference])[reference].reveal() == "theirs"


def test_creds_says_whether_it_is_open_and_what_is_in_it(
    keyring: Keyring, ops: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def rows(*more: str) -> dict[str, Any]:
        return {row["name"]: row["state"] for row in json.loads(run(capsys, "creds", "-o", "json", *more)[1])}

    assert rows() == {"keyring": "good", "backups.orders-db.password": "not asked"}
    assert rows("--check") == {"keyring": "good", "backups.orders-db.password": "no"}
    typed(monkeypatch, "value")
    run(capsys, "creds", "set", OWN)
    assert rows("--check") == {"keyring": "good", "backups.orders-db.password": "yes"}
    lock()
    assert rows("--check") == {"keyring": "locked", "backups.orders-db.password": "no"}


def test_a_locked_keyring_is_said_at_once_and_nobody_is_asked(keyring: Keyring, tmp_path: Path) -> None:
    lock()
    error = refused(deck(tmp_path, (OWN,)))
    assert "the keyring is locked" in error.message
    assert "unlock it in your session" in error.hint


def test_a_keyring_that_does_not_answer_holds_nobody(keyring: Keyring, tmp_path: Path) -> None:
    os.kill(keyring.daemon.pid, signal.SIGSTOP)
    assert isinstance(refused(deck(tmp_path, (OWN,))), Unreachable)
    os.kill(keyring.daemon.pid, signal.SIGCONT)


def test_without_a_keyring_it_is_said_what_would_be_one(
    keyring: Keyring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on = deck(tmp_path, (OWN,))
    keyring.daemon.kill()
    keyring.daemon.wait()
    error = refused(on)
    assert "nobody on the session bus keeps secrets" in error.message
    assert "ONDECK_KEYRING_PASSWORD_FILE" in error.hint
    assert "memory only" in error.hint
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS")
    assert "there is no session bus" in refused(on).message


async def test_the_page_shows_the_keyring_and_what_it_lacks(keyring: Keyring, tmp_path: Path) -> None:
    on = deck(tmp_path, (OWN,))
    parts = Parts(on, lambda what, command, result: None)
    session = FakeSession()
    session.creds = parts.creds.look  # type: ignore[method-assign]
    parts.engine.start()
    async with playing(session) as play:
        await play.press(":", *"creds", "space", *"check", "enter")
        for _ in range(1500):
            if parts.creds.drain():
                break
            await asyncio.sleep(0.01)
        session.dirty = True
        shown = await play.until("USED BY")
        assert "good" in next(
            line for line in shown.splitlines() if line.startswith((">keyring", " keyring"))
        )
        assert " no " in next(line for line in shown.splitlines() if "backups.orders-db" in line)
        assert "has no 'orders'" in shown
    await asyncio.to_thread(parts.engine.stop, 5.0)


def test_an_entry_that_another_program_wrote_is_replaced_and_not_doubled(
    keyring: Keyring,
    ops: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with closing(secretstorage.dbus_init()) as bus:
        attributes = {"service": "ondeck", "username": "orders", "application": "another"}
        secretstorage.Collection(bus).create_item("by hand", attributes, b"theirs")
    assert resolve(deck(tmp_path, (OWN,)), [OWN])[OWN].reveal() == "theirs"
    typed(monkeypatch, "ours")
    assert run(capsys, "creds", "set", OWN)[0] == 0
    assert resolve(deck(tmp_path, (OWN,)), [OWN])[OWN].reveal() == "ours"
    with closing(secretstorage.dbus_init()) as bus:
        assert len(list(secretstorage.Collection(bus).search_items({"username": "orders"}))) == 1
