"""`ondeck logs --fold`: what repeats, as a person asks it without the full screen."""

from __future__ import annotations

from pathlib import Path

import pytest

from tui.cli.root import main


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "ops").mkdir()
    (tmp_path / "ops" / "ondeck.yml").write_text(
        "ondeck: 1\nenvironments: {lab: {}}\nhosts:\n  here: {env: lab, transport: local}\n"
    )
    monkeypatch.setenv("ONDECK_INVENTORY", str(tmp_path / "ops"))
    monkeypatch.setenv("ONDECK_STATE", str(tmp_path / "state"))
    return tmp_path / "app.log"


def test_what_repeats_is_said_once_with_its_count(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [f"2025-11-24T03:04:{n:02d}Z ERROR timeout {n}ms calling db" for n in range(20)]
    log.write_text("\n".join([*lines, "2025-11-24T03:05:00Z INFO only once"]) + "\n")
    assert main(["logs", "here", "--source", str(log), "--fold"], screen=lambda face: 99) == 0
    said = capsys.readouterr()
    (row,) = said.out.splitlines()
    assert '20 like "timeout <n>ms calling db"' in row
    assert "21 lines, 1 of them do not repeat" in said.err


def test_a_fold_does_not_follow(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["logs", "here", "--source", str(log), "--fold", "-f"], screen=lambda face: 99) == 2
