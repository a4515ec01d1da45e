"""Who holds the lock of a state: a holder that lives is never called dead, whatever hides it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from providers.terraform import holder, unlocking
from providers.terraform.stream import LockInfo
from tests import required

_HOLD = """
import fcntl, sys
file = open(sys.argv[1], "r+")
fcntl.lockf(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""
_LOOK = """
import sys
from pathlib import Path
from providers.terraform import holder, unlocking
state = Path(sys.argv[1])
print(holder.local_holder(state), unlocking._local(state).alive)
"""
HERE = socket.gethostname()


@contextlib.contextmanager
def held(state: Path) -> Iterator[int]:
    argv = [sys.executable, "-c", _HOLD, str(state)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as one:
        assert one.stdin is not None
        assert one.stdout is not None
        assert one.stdout.readline() == b"held\n"
        yield one.pid
        one.stdin.close()


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state on this machine with what a program wrote of its lock beside it."""
    file = tmp_path / "terraform.tfstate"
    file.write_text("{}")
    said = {"ID": "one", "Who": f"anna@{HERE}", "Operation": "OperationTypeApply", "Created": ""}
    (tmp_path / ".terraform.tfstate.lock.info").write_text(json.dumps(said))
    return file


def test_a_lock_from_another_pid_namespace_is_held_by_somebody_who_lives(state: Path) -> None:
    if shutil.which("unshare") is None:
        required.cannot("unshare is not installed")
    argv = [
        "unshare",
        "--user",
        "--map-root-user",
        "--pid",
        "--fork",
        sys.executable,
        "-c",
        _LOOK,
        str(state),
    ]
    with held(state):
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if "unshare" in done.stderr:
        required.cannot(f"no namespaces here: {done.stderr.strip()}")
    assert done.stdout.split() == ["0", "True"], done


def test_a_lock_that_the_kernel_reports_is_alive_although_its_process_cannot_be_read(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with held(state) as pid:
        found = unlocking._local(state)
        assert found is not None
        assert (found.alive, f"pid {pid} " in found.why) == (True, True)
        monkeypatch.setattr(holder, "process", lambda pid: None)  # as under hidepid
        found = unlocking._local(state)
        assert found is not None
        assert found.alive is True
        assert "not seen from here" in found.why


def test_what_a_dead_process_left_beside_a_local_state_is_dead_and_no_lock_is_none(state: Path) -> None:
    found = unlocking._local(state)
    assert found is not None
    assert found.alive is False
    (state.parent / ".terraform.tfstate.lock.info").unlink()
    assert unlocking._local(state) is None


def test_a_lock_of_another_machine_on_a_network_file_system_is_not_called_dead(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holder, "is_shared", lambda state: True)  # no NFS server in a test
    info = state.parent / ".terraform.tfstate.lock.info"
    info.write_text(info.read_text().replace(HERE, "elsewhere.example"))
    found = unlocking._local(state)
    assert found is not None
    assert (found.alive, "network file system" in found.why) == (None, True)
    with held(state):
        found = unlocking._local(state)
        assert found is not None
        assert (found.alive, "not seen from here" in found.why) == (True, True)


def test_the_file_system_is_that_of_the_last_mount_that_holds_the_path() -> None:
    mounts = (
        "27 1 254:0 / / rw - ext4 /dev/vda rw\n"
        "30 27 0:40 / /srv/my\\040states rw shared:1 - nfs4 server:/states rw\n"
        "31 30 0:41 / /srv/my\\040states/here rw - tmpfs tmpfs rw\n"
    )
    kinds = [
        holder._type_of(path, mounts)
        for path in ("/srv/my states/a.tfstate", "/srv/my states/here/a", "/srv/my statesx", "/")
    ]
    assert kinds == ["nfs4", "tmpfs", "ext4", "ext4"]
    assert [holder._is_network(kind) for kind in (*kinds[:3], "fuse.sshfs")] == [True, False, False, True]


def test_a_state_that_cannot_be_asked_is_an_error_and_not_free(state: Path, tmp_path: Path) -> None:
    with pytest.raises(unlocking.RemoteFailed, match="cannot find out"):
        unlocking._local(tmp_path / ("x" * 300))


def test_where_processes_of_others_are_hidden_nobody_is_called_dead(tmp_path: Path) -> None:
    (tmp_path / "self/ns").mkdir(parents=True)
    (tmp_path / "self/ns/pid").symlink_to("pid:[4026532999]")
    assert "container" in holder.hidden(tmp_path)
    (tmp_path / "self/ns/pid").unlink()
    (tmp_path / "self/ns/pid").symlink_to("pid:[4026531836]")
    assert "hidepid" in holder.hidden(tmp_path), "its pid 1 is not there to see"
    (tmp_path / "1").mkdir()
    (tmp_path / "1/stat").write_text("1 (init) S")
    assert holder.hidden(tmp_path) == ""
    found = unlocking.judge(LockInfo(id="a", who=f"anna@{HERE}"), None, here=True, doubt="hidden")
    assert found.alive is None


def test_a_program_under_another_name_raises_a_doubt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holder, "hidden", lambda: "")
    lock = LockInfo(id="a", who=f"nobody-{os.getpid()}@{HERE}")
    assert holder.doubt(lock) == "", "no process of that user runs"
    script = tmp_path / "tf-of-our-own"
    shutil.copy("/bin/sh", script)  # its binary is called neither terraform nor tofu
    argv = [str(script), "-c", "read x", "apply"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE) as one:
        found = None
        until = time.monotonic() + 10
        while found is None and time.monotonic() < until:
            found = holder.process(one.pid)
        assert found is not None
        said = holder.doubt(LockInfo(id="a", who=f"{found.user}@{HERE}"))
        assert one.stdin is not None
        one.stdin.close()
    assert "may be it" in said
