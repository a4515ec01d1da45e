"""`ondeck creds` in the face of programs: rows, exit codes, and what it refuses to keep."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tui.cli.root import main


@pytest.fixture
def ops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "ondeck.yml").write_text(
        "ondeck: 1\nenvironments: {lab: {}}\nhosts: {web-1: {env: lab, transport: local}}\n"
        "secrets: {command: {says: [echo, a-value-4711]}}\n"
        "backups: {b: {engine: restic, host: web-1, one: 'env:ONE', two: 'command:says', three: 'file:./three'}}\n"
    )
    monkeypatch.setenv("ONDECK_INVENTORY", str(tmp_path))
    monkeypatch.setenv("ONDECK_STATE", str(tmp_path / "state"))
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    code = main(argv, screen=lambda face: 99)
    said = capsys.readouterr()
    return code, said.out, said.err


def states(capsys: pytest.CaptureFixture[str], *more: str) -> tuple[int, dict[str, Any]]:
    code, out, _ = run(capsys, "creds", "-o", "json", *more)
    return code, {row["name"].rpartition(".")[2]: row["state"] for row in json.loads(out)}


def test_what_is_at_hand_is_looked_at_and_the_rest_only_when_asked_for(
    ops: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert states(capsys) == (1, {"one": "no", "two": "not asked", "three": "no"})
    monkeypatch.setenv("ONE", "a-value-0815")
    (ops / "three").touch(0o600)
    (ops / "three").write_text("a-value-1234")
    assert states(capsys) == (0, {"one": "yes", "two": "not asked", "three": "yes"})
    assert states(capsys, "--check") == (0, {"one": "yes", "two": "yes", "three": "yes"})
    code, out, err = run(capsys, "creds", "--check")
    assert "a-value" not in out + err
    assert "command:says" in out
    assert code == 0


def test_doctor_says_what_is_not_to_be_had(
    ops: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = {row["what"]: row for row in json.loads(run(capsys, "doctor", "-o", "json")[1])}
    assert rows["secrets"]["state"] == "warn"
    assert "env:ONE" in rows["secrets"]["detail"]


@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [
        (("creds", "set", "vault:kv/x#y"), 2, "secrets of scheme 'vault' are not kept from here"),
        (("creds", "set", "hunter2"), 2, "no reference to a secret"),
        (("creds", "set", "other:x"), 2, "nobody here knows"),
        (("creds", "set", "keyring:x"), 1, "no keyring is open here"),
        (("creds", "forget", "keyring:x"), 1, "no keyring is open here"),
        (("--read-only", "creds", "set", "keyring:x"), 4, "read-only"),
    ],
)
def test_what_cannot_be_kept_is_refused(
    ops: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    argv: tuple[str, ...],
    code: int,
    words: str,
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a-value\n")))
    found, out, err = run(capsys, *argv)
    assert (found, out) == (code, "")
    assert words in err
    assert "a-value" not in err
    assert "hunter2" not in err


@pytest.mark.parametrize(
    ("data", "words"), [(b"", "no value"), (b"\n", "no value"), (b"\xff\xfe", "not UTF-8")]
)
def test_nothing_and_what_is_no_text_is_not_kept(
    ops: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, data: bytes, words: str
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    code, _, err = run(capsys, "creds", "set", "keyring:x")
    assert code in (1, 2)
    assert words in err
