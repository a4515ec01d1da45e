"""What a verb that asks hosts ends with: every source that gave something is one that answered."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tui.cli.root import main

HOSTS = {
    "partly": "here: {env: lab, transport: local}",
    "not": "gone: {env: lab, address: 127.0.0.1, port: 1}",
}


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    code = main(argv, screen=lambda face: 99)
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host whose journal cannot be read; its boots can."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "journalctl").write_text("#!/bin/sh\necho 'no journal here' >&2\nexit 1\n")
    (folder / "journalctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("ONDECK_STATE", str(tmp_path / "state"))
    return folder


@pytest.mark.parametrize(
    ("hosts", "code"), [(("partly",), 0), (("partly", "not"), 3), (("not",), 6)], ids=str
)
def test_changes_end_well_when_every_source_gave_something_and_name_what_did_not(
    hosts: tuple[str, ...],
    code: int,
    programs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "ondeck.yml").write_text(
        "ondeck: 1\nenvironments: {lab: {}}\nhosts:\n" + "".join(f"  {HOSTS[name]}\n" for name in hosts)
    )
    monkeypatch.setenv("ONDECK_INVENTORY", str(tmp_path))
    found, _, err = run(capsys, "changes", "--since", "1h")
    assert found == code, err
    assert ("PARTLY  here: journal" in err) is ("partly" in hosts)
    assert ("NOT ASKED  gone: " in err) is ("not" in hosts)
    assert "every source answered" not in err
