"""The README's console blocks are typed into a demo, in order, and say what the page says."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from lab.embedded.demo import start_demo
from tests.playing import Player

_BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
_EXIT = re.compile(r"\s+# exit ([0-9]+)$")


class Typed(msgspec.Struct, frozen=True):
    """One `$ ` line, the exit code that it ends with, and the lines that the page shows below it."""

    command: str
    code: int
    shown: tuple[str, ...]


def typed(page: str) -> list[Typed]:
    """Every command of every console block."""
    found: list[Typed] = []
    for block in _BLOCK.findall(page):
        for line in block.splitlines():
            if line.startswith("$ "):
                code = _EXIT.search(line)
                found.append(Typed(_EXIT.sub("", line[2:]), int(code[1]) if code else 0, ()))
            elif line.strip() not in ("", "..."):
                last = found.pop()
                found.append(msgspec.structs.replace(last, shown=(*last.shown, line)))
    return found


def says(shown: str, lines: list[str]) -> bool:
    """`...` stands for anything; blanks between words do not count."""
    words = (r"\s+".join(map(re.escape, part.split())) for part in shown.split("..."))
    pattern = re.compile(r".*".join(f"\\s*{word}\\s*" for word in words))
    return any(pattern.fullmatch(line) for line in lines)


@pytest.fixture(scope="module")
def player() -> Iterator[Player]:
    with start_demo() as demo:
        yield Player(demo)


@pytest.mark.slow
def test_the_tour_of_the_readme_does_what_it_says(player: Player, checkout: Path) -> None:
    tour = typed((checkout / "README.md").read_text())
    assert len(tour) >= 8
    for step in tour:
        program, *argv = shlex.split(step.command)
        assert program == "ondeck"
        done = player.run(*argv, timeout=90)
        assert done.code == step.code, f"$ {step.command}\n{done}"
        lines = (done.out + done.err).splitlines()
        for shown in step.shown:
            assert says(shown, lines), f"$ {step.command}\nnever said: {shown}\n{done}"


def test_every_verb_and_flag_that_the_pages_name_exists(checkout: Path) -> None:
    import click

    from tui.cli.root import Root, root

    assert isinstance(root, Root)
    verbs = set(root.list_commands(click.Context(root)))
    named = {
        (page.name, match[1])
        for page in (checkout / "README.md", *(checkout / "docs").glob("*.md"))
        for match in re.finditer(r"(?:`|^\$ |-- )ondeck ([a-z][a-z-]*)", page.read_text(), re.MULTILINE)
    }
    assert named
    assert not {(page, verb) for page, verb in named if verb not in verbs}


def test_who_made_the_demo_is_told_how_to_run_ondeck(checkout: Path) -> None:
    done = subprocess.run(
        ["make", "--no-print-directory", "-n", "demo"],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    for said in (done.stdout, (checkout / "README.md").read_text()):
        assert ".venv/bin/ondeck" in said
    assert done.stdout.splitlines()[-1].endswith('.venv/bin/ondeck demo --shell"')


def test_the_house_of_the_page_has_every_room(checkout: Path) -> None:
    rooms = {path.parent.name for path in checkout.glob("ondeck/*/__init__.py")}
    page = (checkout / "CONTRIBUTING.md").read_text()
    assert not {room for room in rooms if f"`{room}`" not in page}


def test_the_exit_codes_of_the_page_are_those_of_the_program(checkout: Path) -> None:
    from ondeck.errors import ExitCode

    rows = re.findall(r"^\| ([0-9]+) \|", (checkout / "README.md").read_text(), re.MULTILINE)
    assert [int(row) for row in rows] == sorted(ExitCode)
