"""What `ondeck put` says: what it kept, and the command that takes it back."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tui.cli.root import main


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    code = main(argv, screen=lambda face: 99)
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "ops").mkdir()
    (tmp_path / "ops/ondeck.yml").write_text(
        "ondeck: 1\nenvironments: {lab: {protection: none}}\nhosts:\n  here-1: {env: lab, transport: local}\n"
    )
    monkeypatch.setenv("ONDECK_INVENTORY", str(tmp_path / "ops"))
    monkeypatch.setenv("ONDECK_STATE", str(tmp_path / "state"))
    (tmp_path / "file").write_text("new\n")
    return tmp_path / "file"


def test_a_file_is_said_to_be_kept_only_where_there_was_one(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there = tmp_path / "there"
    code, _, err = run(capsys, "put", str(file), f"here-1:{there}")
    assert code == 0, err
    assert "kept the old file" not in err, err
    file.write_text("newer\n")
    code, _, err = run(capsys, "put", str(file), f"here-1:{there}")
    assert code == 0, err
    assert "here-1: kept the old file" in err


def test_nothing_is_said_to_be_kept_before_a_failure(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there = tmp_path / "there"
    there.mkdir()
    (there / "x").write_text("old\n")
    code, _, err = run(capsys, "put", str(file), f"here-1:{there}/x", "--owner", "nobody-of-this-name")
    assert code == 1, err
    assert "kept the old file" not in err
    assert "--undo" not in err.splitlines()[-1], "nothing was put"


def test_the_last_line_of_a_put_takes_it_back(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there = tmp_path / "there is one"
    there.write_text("old\n")
    code, _, err = run(capsys, "put", str(file), f"here-1:{there}")
    assert code == 0, err
    assert there.read_text() == "new\n"
    line = err.splitlines()[-1]
    program, *argv = shlex.split(line.partition("take it back: ")[2])
    assert program == "ondeck"
    code, _, err = run(capsys, *argv)
    assert code == 0, err
    assert there.read_text() == "old\n"
