"""Sockets that lead to what is as good as root lie where only the user comes, and their paths are short enough."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ondeck.errors import BadInput
from ondeck.reach import sockets


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a short name, as homes have them."""
    made = Path(tempfile.mkdtemp(prefix="o"))
    yield made
    shutil.rmtree(made)


@pytest.fixture
def runtime(short: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = short / "runtime"
    made.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(made))
    return made


async def test_a_socket_lies_in_the_user_s_runtime_folder_and_leaves_nothing(
    runtime: Path, short: Path
) -> None:
    async with sockets.private_path(short / "state") as path:
        folder = Path(path).parent
        assert folder.parent == runtime
        assert folder.stat().st_mode & 0o777 == 0o700
    assert os.listdir(runtime) == []  # noqa: PTH208 - an async test
    assert os.listdir(short) == ["runtime"]  # noqa: PTH208 - an async test


def test_a_runtime_folder_that_others_may_enter_is_not_taken(runtime: Path, short: Path) -> None:
    runtime.chmod(0o755)
    found = sockets.folder_in(short / "state")
    assert found.parent == short / "state" / "run"
    assert [p.stat().st_mode & 0o777 for p in (found, found.parent)] == [0o700, 0o700]


def test_a_link_to_a_runtime_folder_is_not_taken(
    runtime: Path, short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (short / "link").symlink_to(runtime)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short / "link"))
    assert sockets.folder_in(short / "state").parent == short / "state" / "run"


def test_the_longest_root_that_is_taken_still_holds_a_socket_of_ssh(runtime: Path, short: Path) -> None:
    runtime.chmod(0o755)
    room = sockets._ROOT - len(os.fsencode(short)) - len("//run")
    found = sockets.folder_in(short / ("x" * room))
    with socket.socket(socket.AF_UNIX) as held:
        held.bind(f"{found}/s.{'a' * 16}")
    with pytest.raises(BadInput, match="too long for the path of a socket"):
        sockets.folder_in(short / ("x" * (room + 1)))
