from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from ondeck.text import is_safe
from tests.terminal import Terminal
from tests.tui.grammar import problems
from tests.tui.payloads import PAYLOADS
from tui.cli import out, root

ONDECK = str(Path(sys.executable).with_name("ondeck"))
EVERYTHING = "\n".join(f"{name} {text} end" for name, text in PAYLOADS.items() if name != "lone") + "\n\x1b"
LINE = "".join(text for text in PAYLOADS.values() if "\0" not in text)
ONE_LINE = "".join(char for char in LINE if unicodedata.category(char)[0] != "C" and is_safe(char))
"""What the inventory takes as a text; anything with control characters it refuses."""
COMMANDS: dict[str, tuple[str, ...]] = {
    "exec": ("exec", "-l", "env=prod", "--yes", "--reason", "{lines}", "--", "cat", "{file}"),
    "exec that fails": ("exec", "-l", "env=prod", "--yes", "--", "sh", "-c", "cat '{file}' >&2; exit 3"),
    "exec without a program": ("exec", "-l", "name=web-1", "--yes", "--", "no-such-{line}"),
    "exec as json": ("exec", "-l", "env=prod", "--yes", "-o", "json", "--", "cat", "{file}"),
    "logs": ("logs", "shop@prod", "--since", "1h"),
    "logs as json": ("logs", "shop@prod", "--since", "1h", "-o", "json"),
    "logs with a pattern": ("logs", "shop@prod", "--grep", "{line}"),
    "changes": ("changes", "--since", "1h"),
    "changes as json": ("changes", "--since", "1h", "-o", "json"),
    "certs": ("certs",),
    "creds": ("creds",),
    "creds, asked for": ("creds", "--check"),
    "a secret of no scheme": ("creds", "set", "{line}"),
    "a secret to forget that is not there": ("creds", "forget", "keyring:{line}"),
    "jobs": ("jobs",),
    "jobs as json": ("jobs", "-o", "json"),
    "jobs as csv": ("jobs", "-o", "csv"),
    "audit": ("audit", "export"),
    "report": ("report", "--since", "1h"),
    "handover": ("handover",),
    "now": ("now",),
    "top": ("top",),
    "a verb that is not there": ("{line}",),
    "a host that is not there": ("get", "hosts", "{line}"),
    "a selector that is none": ("exec", "-l", "{line}", "--yes", "--", "true"),
    "a service that is not there": ("logs", "{line}@prod"),
    "a time that is none": ("changes", "--since", "{line}"),
    "a job that is not there": ("attach", "{line}"),
    "a file that is not there": ("put", "{line}", "web-1:/{line}", "--yes"),
    "mark": ("mark", "shop@prod", "{line}", "--by", "{line}"),
    "what the inventory says": ("get", "services"),
    "what the inventory says of one": ("get", "services", "shop", "-o", "json"),
    "get hosts as csv": ("get", "hosts", "-o", "csv"),
    "check": ("check",),
    "check live": ("check", "--live"),
    "doctor": ("doctor",),
    "init": ("init", "{place}/{line}", "--from", "{line}"),
    "schema": ("schema", "{line}"),
    "trust": ("trust", "{line}"),
    "shell": ("shell", "{line}"),
    "plan": ("plan", "{line}", "shop@prod"),
    "plan of a command": ("plan", "host.exec", "env=prod", "--set", "argv={line}"),
    "apply": ("apply", "{line}", "--yes"),
    "deploy": ("deploy", "shop@prod", "{line}", "--yes", "--reason", "{line}"),
    "rollback": ("rollback", "shop@prod", "--to", "{line}", "--yes"),
    "restart": ("restart", "{line}@prod", "--yes"),
    "drain": ("drain", "{line}", "--yes"),
    "undrain": ("undrain", "shop@{line}", "--yes"),
    "cancel": ("cancel", "{line}", "--reason", "{line}"),
    "pause": ("pause", "{line}"),
    "continue": ("continue", "{line}"),
    "reconcile": ("reconcile", "{line}"),
    "settle": ("settle", "{line}", "{line}", "failed", "--reason", "{line}"),
    "left": ("left", "{line}"),
    "one job": ("jobs", "{line}"),
    "locks": ("lock", "ls"),
    "lock break": ("lock", "break", "{line}", "--confirm", "{line}", "--reason", "{line}"),
    "with-lock": ("with-lock", "{line}@prod", "--reason", "{line}", "--", "true"),
    "with-lock of a program that is not there": (
        "with-lock",
        "shop@prod",
        "--reason",
        "{line}",
        "--",
        "{line}",
    ),
    "report of a service": ("report", "{line}"),
    "audit verify": ("audit", "verify"),
}
_OF_PLACES = {
    "ami": ("copy", "create", "deregister"),
    "backup": (
        *("diff", "drill", "find", "forget", "hold", "list", "ls", "prune"),
        *("release", "restore", "run", "unlock", "verify"),
    ),
    "build": ("promote", "run"),
    "cfnstack": ("delete", "deploy"),
    "instance": ("launch", "reboot", "start", "stop", "tag", "terminate"),
    "s3": ("copy", "delete"),
    "stack": (
        *("apply", "destroy", "import", "init", "list", "mv", "output", "plan"),
        *("push", "rm", "show", "state", "unlock"),
    ),
}
"""Verbs about places and things by their noun: all of them are given hostile words for what they are about."""
COMMANDS |= {
    f"{noun} {verb}": (noun, verb, "{line}", "{line}") for noun, verbs in _OF_PLACES.items() for verb in verbs
}
COMMANDS |= {
    "discover": ("discover",),
    "scale": ("scale", "{line}@prod", "3"),
    "things of a kind": ("get", "containers", "{line}"),
    "one thing": ("get", "instances", "{line}/{line}"),
}
HARMLESS = {
    "demo": "its hosts, logs and names are ours, and what it shows is the app, which is walked by itself",
}
"""Verbs that say nothing from outside, each with why; a person looked."""


def verbs() -> set[str]:
    """Every verb of the command line, found in it and not in a list."""

    def below(command: click.Command, context: click.Context, path: tuple[str, ...]) -> Iterator[str]:
        if not isinstance(command, click.Group):
            yield " ".join(path)
            return
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from below(found, click.Context(found, parent=context, info_name=name), (*path, name))

    return set(below(root.root, click.Context(root.root, obj=lambda face: 0), ()))


def test_every_verb_is_run_with_hostile_text_or_is_harmless_for_a_reason() -> None:
    run = {
        verb
        for verb in verbs()
        for argv in COMMANDS.values()
        if argv[: len(verb.split())] == tuple(verb.split())
    }
    assert verbs() - run == set(HARMLESS)
    assert len(run) > 30


def in_yaml(text: str) -> str:
    """A quoted scalar that says the text and carries none of it."""
    return '"' + "".join(f"\\U{ord(char):08x}" for char in text if not 0xD800 <= ord(char) < 0xE000) + '"'


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two local hosts with one hostile log, a mark, a job and a release name that carry payloads."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "inventory").mkdir()
    log = folder / "shop.log"
    log.write_text(EVERYTHING)
    (folder / "inventory/ondeck.yml").write_text("ondeck: 1\nenvironments:\n  prod: {protection: none}\n")
    (folder / "inventory/hosts.yml").write_text(
        "hosts:\n" + "".join(f"  web-{n}: {{env: prod, transport: local}}\n" for n in (1, 2))
    )
    (folder / "inventory/services.yml").write_text(
        f"services:\n  shop:\n    on: {{prod: env=prod}}\n    logs: {{app: {{file: {log}}}}}\n"
        f"    docs: {in_yaml(ONE_LINE)}\n"
    )
    return folder


@pytest.fixture
def env(place: Path) -> dict[str, str]:
    return {
        **os.environ,
        "ONDECK_INVENTORY": str(place / "inventory"),
        "ONDECK_STATE": str(place / "state"),
        "XDG_CACHE_HOME": str(place / "cache"),
        "HOME": str(place),
        "LANG": "C.UTF-8",
    }


def on_a_terminal(env: dict[str, str], *argv: str, status: int | None = None) -> bytes:
    with Terminal([ONDECK, *argv], env=env, columns=120, rows=40) as terminal:
        code = terminal.wait(40)
        terminal.close()
        assert status is None or code == status, terminal.text()
        assert b"Traceback" not in terminal.raw, terminal.text()
        return bytes(terminal.raw)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_no_verb_passes_hostile_text_on_to_the_terminal(env: dict[str, str], place: Path) -> None:
    line = LINE
    on_a_terminal(env, "mark", "shop@prod", line)
    found: dict[str, list[str]] = {}
    for name, argv in COMMANDS.items():
        words = [w.format(line=line, lines=line, file=place / "shop.log", place=place) for w in argv]
        wrong = problems(on_a_terminal(env, *words))
        if wrong:
            found[name] = wrong[:3]
    assert not found


@pytest.mark.slow
def test_the_hostile_host_was_really_heard(env: dict[str, str], place: Path) -> None:
    said = on_a_terminal(
        env, "exec", "-l", "name=web-1", "--yes", "--", "cat", str(place / "shop.log"), status=0
    )
    assert b"markup" in said
    assert b"evil.example" in said
    assert b"evil.example" in on_a_terminal(env, "logs", "shop@prod", status=0)


def test_json_says_the_same_and_hides_nothing() -> None:
    value = {"text": EVERYTHING, "tag": "\U000e0041", "word": "zähler ✓"}
    for written in (out.dumps(value), out.compact(value)):
        assert json.loads(written) == value
        assert problems(written.encode()) == []
        assert "zähler ✓" in written


@pytest.mark.slow
def test_an_inventory_that_is_refused_is_quoted_safely(env: dict[str, str], place: Path) -> None:
    broken = place / "broken"
    broken.mkdir()
    (broken / "ondeck.yml").write_text(f"ondeck: 1\nenvironments:\n  prod: {{colour: {in_yaml(LINE)}}}\n")
    said = on_a_terminal({**env, "ONDECK_INVENTORY": str(broken)}, "check", status=2)
    assert problems(said) == []
    assert b"owned" in said
