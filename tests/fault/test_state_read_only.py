"""Our own state on a read-only disk: what only reads goes on, and what needs the folder says exactly that."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ondeck.record import folder

ONDECK = str(Path(sys.executable).with_name("ondeck"))
FROZEN = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && shift && exec "$@"'
INVENTORY = """\
ondeck: 1
environments:
  lab: {protection: none, read_commands: [uname]}
hosts:
  here: {env: lab, transport: local}
"""


def frozen(tmp: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A command of ours that sees its state folder on a read-only mount of its own."""
    environ = {
        **os.environ,
        "ONDECK_STATE": str(tmp / "state"),
        "ONDECK_INVENTORY": str(tmp / "inventory"),
        "XDG_CACHE_HOME": str(tmp / "cache"),
    }
    return subprocess.run(
        ["unshare", "-m", "sh", "-c", FROZEN, "sh", str(tmp / "state"), ONDECK, *words],
        env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir(mode=0o700)
    (tmp_path / "inventory").mkdir()
    (tmp_path / "inventory/ondeck.yml").write_text(INVENTORY)
    probe = ["unshare", "-m", "sh", "-c", FROZEN, "sh", str(tmp_path / "state"), "true"]
    if subprocess.run(probe, capture_output=True, check=False).returncode:
        pytest.skip("a read-only mount needs root and mount namespaces")
    environ = {
        **os.environ,
        "ONDECK_STATE": str(tmp_path / "state"),
        "ONDECK_INVENTORY": str(tmp_path / "inventory"),
    }
    argv = [ONDECK, "exec", "-l", "name=here", "--yes", "--", "true"]
    subprocess.run(argv, env=environ, capture_output=True, check=True, timeout=60)
    (tmp_path / "state/index.db").unlink(missing_ok=True)
    return tmp_path


@pytest.mark.parametrize("index", [True, False])
def test_what_only_reads_goes_on(place: Path, index: bool) -> None:
    if index:
        environ = {
            **os.environ,
            "ONDECK_STATE": str(place / "state"),
            "ONDECK_INVENTORY": str(place / "inventory"),
        }
        subprocess.run([ONDECK, "jobs"], env=environ, capture_output=True, check=True, timeout=60)
    for words in (
        ("get", "hosts"),
        ("jobs",),
        ("now",),
        ("top",),
        ("changes", "--own"),
        ("report",),
        ("handover",),
    ):
        done = frozen(place, *words)
        assert "Traceback" not in done.stderr, (words, done.stderr)
        assert done.returncode == 0, (words, done.stderr)


@pytest.mark.parametrize("command", ["uname", "true"])
def test_exec_says_that_it_needs_the_folder_also_for_a_read(place: Path, command: str) -> None:
    done = frozen(place, "exec", "-l", "name=here", "--yes", "--", command)
    assert "Traceback" not in done.stderr
    assert done.returncode == 1, done.stderr
    assert "Read-only file system" in done.stderr
    assert "`exec` needs this folder, also for a read" in done.stderr


@pytest.mark.parametrize("number", [28, 30, 13])
def test_no_hint_promises_more_than_is_true(number: int) -> None:
    hint = folder.broken(Path("/x"), OSError(number, "no")).hint
    assert "`exec` needs this folder, also for a read" in hint
    assert "reading goes on" not in hint
