"""What our texts tell people to type is what the command line takes: verb, options and number of words."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tui.cli.face import Face, Globals
from tui.cli.root import root

_ROOT = Path(__file__).parents[2]
# Behind a backtick, a colon, a bracket, a quote or at the start of a text stands what a person would type;
# behind another word it may be a sentence about ondeck, so there only its verbs count.
_SAID = re.compile(r"(?P<sure>\A|[`\"'(:] ?)?\bondeck (?P<line>[a-z]+(?:-[a-z]+)*(?:[^\n`;]|$)*)")
_NO_COMMANDS = {"inventory", "stopped"}  # the name of a file kind, the word of a crash
_HOLE = "X1"  # stands for what is filled in
# Where the sentence goes on behind a command: a comma, a bracket, a full stop, a quote, or one of these words.
_ENDS = re.compile(
    r"[,)\]\"'](?= |$)| \(|\.(?= |$)| (?:in|and|or|from|before|elsewhere|there|waits|see|by|opens)\b|: "
)


def _literals(path: Path) -> Iterator[str]:
    """Every text of a file; what an f-string fills in is one word. The parts of an f-string are not told alone."""
    tree = ast.parse(path.read_text())
    parts = {id(v) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for v in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(v.value if isinstance(v, ast.Constant) else _HOLE for v in node.values)  # type: ignore[misc]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
            yield node.value


def said() -> list[tuple[str, str]]:
    """File and command line, without `ondeck`."""
    found = []
    verbs = root.list_commands(click.Context(root, obj=None))
    for room in ("ondeck", "providers", "tui"):
        for path in sorted((_ROOT / room).rglob("*.py")):
            for text in _literals(path):
                for match in _SAID.finditer(text):
                    command = _ENDS.split(match["line"], maxsplit=1)[0].strip()
                    verb = command.split(" ")[0]
                    if verb in verbs or (match["sure"] is not None and verb not in _NO_COMMANDS):
                        found.append((str(path.relative_to(_ROOT)), command))
    return sorted(set(found))


def trouble_with(line: str) -> str:
    """Why the command line would not take it; empty when it would."""
    words = [word.strip("[]") for word in line.split()]
    context: click.Context = click.Context(root, obj=Face(Globals()))
    command: click.Command = root
    while isinstance(command, click.Group) and not (
        command.invoke_without_command and words[:1] == ["--check"]
    ):
        if not words or _HOLE in words[0]:
            return "" if command is not root else "no verb"  # which one it is, only the text itself knows
        name = words.pop(0)
        found = command.get_command(context, name)
        if found is None:
            return f"no {name!r} in {command.name or 'ondeck'}"
        command, context = found, click.Context(found, parent=context, info_name=name, obj=context.obj)
    return _usage(command, words, context.parent) if words else ""  # alone it is named, not spelt out


def _usage(command: click.Command, words: list[str], parent: click.Context | None) -> str:
    try:
        command.make_context(command.name, [*words], parent=parent, resilient_parsing=False)
    except click.exceptions.Exit:
        return ""  # --help
    except click.MissingParameter as error:
        return error.format_message()
    except click.BadParameter as error:
        # OUTCOME stands for one of the words that it takes.
        return "" if any(word.isupper() or _HOLE in word for word in words) else error.format_message()
    except click.UsageError as error:
        return error.format_message()
    return ""


def test_every_line_that_a_text_tells_people_to_type_is_taken() -> None:
    found = {(name, line): trouble_with(line) for name, line in said()}
    assert {place: why for place, why in found.items() if why} == {}
    assert len(found) > 60, "it does not find what is said any more"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("jobs show X1", "unexpected extra argument"),
        ("lock smash x@lab", "no 'smash'"),
        ("attach", ""),
        ("settle JOB web-1 failed", "Missing option '--reason'"),
        ("settle JOB TARGET OUTCOME --reason WHY", ""),
        ("continue X1 --forever", "No such option"),
        ("nosuch", "no 'nosuch'"),
    ],
)
def test_a_line_that_would_be_refused_is_found(line: str, why: str) -> None:
    found = trouble_with(line)
    assert why in found
    assert bool(why) is bool(found)


@pytest.mark.parametrize(
    "line",
    [
        "trust web-1",
        "trust -l env=staging",
        "lock break checkout@prod --confirm checkout@prod --reason why",
        "settle JOB web-1 succeeded --reason why",
        "settle JOB --gate passed --reason why",
        "reconcile JOB",
        "attach JOB",
        "cancel JOB --now",
        "continue JOB --confirm prod --reason why",
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
    assert trouble_with(line) == ""
