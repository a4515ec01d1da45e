"""What `ondeck logs` prints: how far back it looked, and fields that a program can take as they are."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest

from tui.cli.root import main

LINES = [
    '{"ts":"2026-01-31T03:04:05.123456Z","level":"error","msg":"timeout"}',
    '{"ts":"2026-01-31T03:04:06Z","level":"info","msg":"ok"}',
    '{"ts":"2026-01-31T03:04:07Z","msg":"says no level"}',
]


@pytest.fixture(autouse=True)
def inventory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    log = tmp_path / "app.log"
    log.write_text("\n".join(LINES) + "\n")
    (tmp_path / "ondeck.yml").write_text(
        "ondeck: 1\nenvironments: {lab: {}}\nhosts:\n  web-1: {env: lab, transport: local}\n"
        f"services:\n  shop:\n    on: {{lab: name=web-1}}\n    logs:\n      app: {{file: {log}, format: json}}\n"
        f"      access: {{file: {log}, format: json}}\n"
    )
    monkeypatch.setenv("ONDECK_INVENTORY", str(tmp_path))
    monkeypatch.setenv("ONDECK_STATE", str(tmp_path / "state"))
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    code = main(argv, screen=lambda face: 99)
    said = capsys.readouterr()
    return code, said.out, said.err


def test_without_a_time_it_says_that_only_the_last_lines_were_read(
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, _, err = run(capsys, "logs", "shop@lab", "--grep", "nothing")
    assert "the last 200 lines of each of 2 sources; --since asks for more" in err
    _, _, err = run(capsys, "logs", "shop@lab", "--source", "app")
    assert "the last 200 lines of web-1/app; --since asks for more" in err
    assert "the last" not in run(capsys, "logs", "shop@lab", "--since", "2026-01-30")[2]


def test_a_line_as_json_has_its_time_in_both_forms_and_its_level_as_a_word(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, _ = run(capsys, "logs", "shop@lab", "--source", "app", "-o", "json")
    assert code == 0
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["level"] for line in lines] == ["ERROR", "INFO", None]
    assert lines[0]["time"] == "2026-01-31T03:04:05.123456000Z"
    for line in lines:
        assert line["ns"] // 10**9 == datetime.fromisoformat(line["time"][:19] + "+00:00").timestamp()
    assert lines[0]["source"] == "web-1/app"
    assert lines[0]["message"] == "timeout"


def test_levels_are_said_in_the_words_of_the_full_screen(capsys: pytest.CaptureFixture[str]) -> None:
    from ondeck.observe.records import Level
    from tui.app.logview_lines import LEVELS

    assert {level: word.strip() for level, (word, _) in LEVELS.items()} == {
        level: level.word for level in Level
    }
    _, out, _ = run(capsys, "logs", "shop@lab", "--source", "app")
    assert [line.split()[1] for line in out.splitlines()] == ["ERROR", "INFO", "web-1/app"]


def test_the_pages_name_every_field_of_a_line(capsys: pytest.CaptureFixture[str], checkout: Path) -> None:
    _, out, _ = run(capsys, "logs", "shop@lab", "--source", "app", "-o", "json")
    page = (checkout / "docs/output.md").read_text()
    for field in json.loads(out.splitlines()[0]):
        assert f"`{field}`" in page
