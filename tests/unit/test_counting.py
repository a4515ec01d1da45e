from __future__ import annotations

import re
from pathlib import Path

import pytest

from ondeck.counting import counted
from tui.cli.root import main

_NOUNS = [
    "hosts",
    "services",
    "sources",
    "connections",
    "targets",
    "lines",
    "keys",
    "warnings",
    "entries",
    "problems",
    "batches",
    "jobs",
]
_ONE_OF_MANY = re.compile(rf"\b1 (?:{'|'.join(_NOUNS)})\b")


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0 batches"), (1, "1 batch"), (2, "2 batches"), (1000, "1000 batches")]
)
def test_a_number_stands_with_its_noun(number: int, said: str) -> None:
    assert counted(number, "batch", "batches") == said
    assert counted(number, "host") == f"{number} host{'' if number == 1 else 's'}"


def test_no_verb_says_one_of_a_plural(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config").write_text("Host web-1\n")
    monkeypatch.setenv("ONDECK_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("ONDECK_INVENTORY", str(tmp_path / "one"))
    (tmp_path / "one").mkdir()
    (tmp_path / "one/ondeck.yml").write_text(
        "ondeck: 1\nenvironments: {lab: {}}\nhosts: {web-1: {env: lab, transport: local}}\n"
        f"services: {{shop: {{on: {{lab: name=web-1}}, logs: {{app: {{file: {tmp_path}/config}}}}}}}}\n"
    )
    for argv in (
        ("init", str(tmp_path / "ops"), "--from", f"ssh_config:{tmp_path}/config"),
        ("check",),
        ("check", "--live"),
        ("doctor",),
        ("exec", "-l", "name=web-1", "--yes", "--", "true"),
        ("get", "hosts", "-l", "disk>=0"),
        ("top",),
        ("logs", "shop@lab"),
        ("jobs",),
        ("audit", "verify"),
        ("now",),
    ):
        main(argv, screen=lambda face: 99)
        said = capsys.readouterr()
        assert not _ONE_OF_MANY.search(said.out + said.err), (argv, said.out + said.err)
