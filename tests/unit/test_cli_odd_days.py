"""The command line where something is odd: never a stack on the terminal, one clear message, the right exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tui.cli import root as command_line

ONDECK = str(Path(sys.executable).with_name("ondeck"))
SAMPLE = str(Path(__file__).parents[2] / "sample-inventory")


def run(tmp_path: Path, *argv: str | bytes, **more: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "ONDECK_STATE": str(tmp_path / "state"), **more}
    return subprocess.run(
        [ONDECK, "-i", SAMPLE, *argv], env=env, capture_output=True, text=True, errors="replace", check=False,
        stdin=subprocess.DEVNULL, timeout=60,
    )  # fmt: skip


def test_a_time_before_every_calendar_is_bad_input(tmp_path: Path) -> None:
    done = run(tmp_path, "report", "--since", "99999999d")
    assert (done.returncode, "lies before 1970" in done.stderr) == (2, True), done
    assert "Traceback" not in done.stderr


def test_an_output_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [ONDECK, "-i", SAMPLE, "get", "hosts"], env=env, stdout=full, stderr=subprocess.PIPE, text=True,
            check=False, timeout=60,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.strip() == "ondeck: the output cannot be written: No space left on device"


def test_in_the_c_locale_arguments_are_still_utf8_and_what_is_not_is_refused(tmp_path: Path) -> None:
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = run(tmp_path, "mark", "checkout@prod", "caf\u00e9", **plain)
    assert done.returncode == 0, done
    assert "caf\\xe9" in run(tmp_path, "changes", "--own", **plain).stdout
    bad = run(tmp_path, "mark", "checkout@prod", b"x\xff", **plain)
    assert (bad.returncode, "is not UTF-8" in bad.stderr) == (2, True), bad


def test_an_index_that_is_a_folder_is_only_a_lost_cache(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(mode=0o700)
    (tmp_path / "state/index.db").mkdir()
    done = run(tmp_path, "jobs", "-o", "json")
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done


def test_what_nobody_foresaw_leaves_a_file_and_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ONDECK_STATE", str(tmp_path / "state"))

    def breaks(**_: object) -> None:
        raise ZeroDivisionError("a secret value")

    monkeypatch.setattr(command_line.root, "main", breaks)
    assert command_line.main(["now"], screen=lambda face: 0) == 1
    said = capsys.readouterr().err
    (path,) = (tmp_path / "state/crashes").iterdir()
    assert str(path) in said
    assert "a secret value" not in said
    assert "Traceback" not in said
    assert path.stat().st_mode & 0o777 == 0o600
