from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from tui.cli.face import Face, Globals
from tui.cli.root import root

_ROOT = Path(__file__).parents[2]
# After a backtick, a colon or the opening quote of a text: what a person would type.
_SAID = re.compile(r"""[`"':(] ?ondeck ([a-z]+(?:-[a-z]+)*)\b""")


_NO_COMMANDS = {"inventory", "stopped"}  # the name of a file kind, the word of a crash


def _texts() -> list[tuple[str, str]]:
    found = []
    for room in ("ondeck", "providers", "tui"):
        for path in sorted((_ROOT / room).rglob("*.py")):
            found += [
                (path.name, word) for word in _SAID.findall(path.read_text()) if word not in _NO_COMMANDS
            ]
    return found


def test_every_verb_that_a_text_tells_people_to_type_exists() -> None:
    context = click.Context(root, obj=None)
    verbs = set(root.list_commands(context))
    assert [said for said in _texts() if said[1] not in verbs] == []


@pytest.mark.parametrize(
    "line",
    [
        "trust web-1",
        "trust -l env=staging",
        "lock break checkout@prod --confirm checkout@prod --reason why",
        "settle JOB web-1 succeeded --reason why",
        "reconcile JOB",
        "attach JOB",
        "cancel JOB --now",
        "check --live -l env=staging",
        "exec -l name=web-1 -- COMMAND",
        "logs -l group=web",
        "put - web-1:/etc/motd --undo JOB",
        "put motd env=prod,group=web:/etc/motd",
        "put -l group=web motd :/etc/motd",
        "rollback checkout@prod --to 2.14.0 --reason why",
    ],
)
def test_lines_that_hints_tell_people_to_type_are_taken(line: str) -> None:
    words = line.split()
    context = click.Context(root, obj=Face(Globals()))
    command = root.get_command(context, words[0])
    assert command is not None
    command.make_context(words[0], words[1:], parent=context, resilient_parsing=False)
