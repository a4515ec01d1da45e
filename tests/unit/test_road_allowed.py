"""`mark`, `trust`, `with-lock` and `lock break` are held to the same rules as operations, and refusals are audited."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click import Command
from click.testing import CliRunner, Result

from ondeck.deck import Deck
from ondeck.errors import ExitCode, Refused
from ondeck.inventory.model import Deploy, Freeze, Host, Person, Service, SshDefaults
from ondeck.registry import Registry
from providers.ssh.manifest import MANIFEST as SSH
from tests import road as on_road
from tui.cli import locks, notes, trust
from tui.cli.face import Face, Globals

VERBS: dict[str, tuple[Command, tuple[str, ...]]] = {
    "mark": (notes.mark, ("shop@lab", "deployed by CI")),
    "trust": (trust.trust, ("ssh-1",)),
    "with-lock": (locks.with_lock, ("shop@lab", "--reason", "ci", "--", "touch", "WITNESS")),
    "lock-break": (locks.break_, ("shop@lab", "--confirm", "shop@lab", "--reason", "stuck")),
}
ALWAYS = (Freeze(start="2020-01-01", end="2099-01-01", why="the year ends"),)


def deck(tmp: Path, *, read_only: bool = False, people: tuple[Person, ...] = (), **rules: Any) -> Deck:
    on = on_road.deck(tmp, read_only=read_only, **rules)
    inventory = msgspec.structs.replace(
        on.inventory,
        services={"shop": Service(name="shop", on={"lab": "name=web-1"}, deploy=Deploy(kind="command"))},
        hosts={**on.inventory.hosts, "ssh-1": Host(name="ssh-1", env="lab", address="127.0.0.1")},
        people={person.name: person for person in people},
        ssh=SshDefaults(known_hosts=str(tmp / "known_hosts")),
    )
    return msgspec.structs.replace(
        on, inventory=inventory, registry=Registry([*on.registry.manifests(), SSH])
    )


def run(on: Deck, tmp: Path, verb: str) -> Result:
    command, words = VERBS[verb]
    face = Face(Globals())
    face.__dict__.update(deck=on, settings=on.settings)
    said = [word.replace("WITNESS", str(tmp / "witness")) for word in words]
    return CliRunner().invoke(command, said, obj=face, standalone_mode=False)


def refused(on: Deck, tmp: Path, verb: str, why: str) -> None:
    result = run(on, tmp, verb)
    assert isinstance(result.exception, Refused), result.output
    assert result.exception.exit_code is ExitCode.REFUSED
    assert verb in result.exception.message
    assert why in result.exception.message
    last = list(on.record.audit.entries())[-1]
    assert (last.phase, last.operation, last.actor) == ("refused", verb, "anna")
    assert not (tmp / "witness").exists()
    assert on.record.changes(0) == []
    assert not (tmp / "known_hosts").exists()


@pytest.mark.parametrize("verb", VERBS)
def test_the_floors_read_only_refuses_it(tmp_path: Path, verb: str) -> None:
    (tmp_path / "no-floor.yml").write_text("read_only: true\n")
    (tmp_path / "no-floor.yml").chmod(0o644)
    refused(deck(tmp_path), tmp_path, verb, "floor")


@pytest.mark.parametrize("verb", VERBS)
def test_a_read_only_session_refuses_it(tmp_path: Path, verb: str) -> None:
    refused(deck(tmp_path, read_only=True), tmp_path, verb, "read-only")


@pytest.mark.parametrize("verb", VERBS)
def test_a_headless_person_may_only_what_is_written(tmp_path: Path, verb: str) -> None:
    others = tuple(other for other in VERBS if other != verb)
    ci = Person(name="ci", login="anna", headless=True, may=others)
    refused(deck(tmp_path, people=(ci,)), tmp_path, verb, "ci may only")


@pytest.mark.parametrize("word", ["mark", "mark@lab", "mark:shop@lab", "mark@*"])
def test_a_headless_person_may_what_is_written(tmp_path: Path, word: str) -> None:
    ci = Person(name="ci", login="anna", headless=True, may=("deploy@staging", word))
    on = deck(tmp_path, people=(ci,))
    result = run(on, tmp_path, "mark")
    assert result.return_value == ExitCode.OK, result
    assert [change.subject for change in on.record.changes(0)] == ["shop@lab"]


def test_a_freeze_refuses_the_foreign_change_and_not_the_note_of_it(tmp_path: Path) -> None:
    on = deck(tmp_path, freeze=ALWAYS)
    refused(on, tmp_path, "with-lock", "the year ends")
    assert run(on, tmp_path, "lock-break").return_value == ExitCode.OK
    assert run(on, tmp_path, "mark").return_value == ExitCode.OK
    excepted = msgspec.structs.replace(ALWAYS[0], excepted=("with-lock",))
    assert run(deck(tmp_path, freeze=(excepted,)), tmp_path, "with-lock").return_value == 0
    assert (tmp_path / "witness").exists()


def test_a_mark_for_what_the_inventory_does_not_know_is_held_to_the_floor_alone(tmp_path: Path) -> None:
    on = deck(tmp_path)
    face = Face(Globals())
    face.__dict__.update(deck=on, settings=on.settings)
    mark: Callable[[], Result] = lambda: CliRunner().invoke(  # noqa: E731
        notes.mark, ["dns@elsewhere", "moved"], obj=face, standalone_mode=False
    )
    assert mark().return_value == ExitCode.OK
    (tmp_path / "no-floor.yml").write_text("read_only: true\n")
    (tmp_path / "no-floor.yml").chmod(0o644)
    assert isinstance(mark().exception, Refused)
