"""Started with a standard stream closed, as cron and careless wrappers do: the same work, the same locks."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ondeck.record import folder
from ondeck.record.lock import Lock, Owner
from tests import road as on_road
from tests.playing import ONDECK, Player, eventually

STREAMS = {"<&-": 0, ">&-": 1, "2>&-": 2}


def run(player: Player, closed: str, *words: str) -> subprocess.CompletedProcess[bytes]:
    """A command of ours as a shell starts it with one stream closed; the other two are kept apart."""
    line = f'exec "$@" {closed}'
    return subprocess.run(
        ["bash", "-c", line, "bash", ONDECK, *words], env=player.environment, stdin=subprocess.DEVNULL,
        capture_output=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("closed", STREAMS)
def test_exec_holds_its_job_and_can_be_cancelled(player: Player, closed: str) -> None:
    before = {job["job"] for job in player.jobs()}
    done = run(player, closed, "exec", "-l", "name=stg-1", "--yes", "--detach", "--", "sleep", "45")
    assert b"Traceback" not in done.stderr + done.stdout, done
    assert done.returncode == 0, done
    job = next(iter({job["job"] for job in player.jobs()} - before))
    assert eventually(lambda: player.job(job)["state"] == "running")
    alive = player.demo.state / "jobs" / job / "alive"
    with alive.open("rb") as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    player.run("cancel", job, "--now", code=0)
    assert eventually(lambda: player.job(job)["state"] == "ended")
    assert player.job(job)["outcome"] == "cancelled"


@pytest.mark.parametrize("closed", STREAMS)
@pytest.mark.parametrize("words", [("jobs",), ("doctor",), ("now",), ()])
def test_reading_and_the_full_screen_end_in_order(
    player: Player, closed: str, words: tuple[str, ...]
) -> None:
    done = run(player, closed, *words)
    assert b"Traceback" not in done.stderr + done.stdout, done
    if words == ("jobs",):
        assert done.returncode == 0, done


@pytest.mark.parametrize("closed", STREAMS)
def test_with_lock_keeps_what_its_command_prints_out_of_the_lock(player: Player, closed: str) -> None:
    done = run(
        player, closed, "with-lock", "checkout@staging", "--reason", "x", "--",
        sys.executable, "-c", "import os; [os.write(n, b'printed') for n in (1, 2)]",
    )  # fmt: skip
    assert b"Traceback" not in done.stderr + done.stdout, done
    assert done.returncode == 0, done
    locks = player.demo.state / "locks"
    assert {path.name: path.read_bytes() for path in locks.glob("*.lock")} == {
        path.name: b"" for path in locks.glob("*.lock")
    }
    for stream, number in ((done.stdout, 1), (done.stderr, 2)):
        assert (b"printed" in stream) is (STREAMS[closed] != number)


WITHOUT = """
import os, sys
from pathlib import Path
for number in (0, 1, 2):
    os.close(number)
from ondeck.record.folder import open_private
from ondeck.record.jobfolder import JobFolder
base = Path(sys.argv[1])
got = [open_private(base / "a", os.O_RDWR | os.O_CREAT), JobFolder(base).hold()]
os._exit(0 if min(got) >= 3 else 1)
"""


def test_no_file_of_ours_is_opened_where_a_standard_stream_belongs(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT, str(tmp_path)], check=False, timeout=60)
    assert done.returncode == 0


def test_a_descriptor_of_ours_is_not_inherited_by_chance(tmp_path: Path) -> None:
    fd = folder.open_private(tmp_path / "a", os.O_RDWR | os.O_CREAT)
    assert not os.get_inheritable(fd)
    os.close(fd)


def test_a_lock_that_is_not_held_has_no_descriptor(tmp_path: Path) -> None:
    lock = Lock(tmp_path / "locks", "checkout@lab")
    with pytest.raises(ValueError, match="not held"):
        lock.fileno()
    owner = Owner(key="checkout@lab", job="j", actor="a", reason="r", since=1, pid=1)
    assert lock.take(owner, lambda _: False) is None
    assert lock.fileno() >= 3
    lock.release(clear=True)


def test_the_worker_fills_its_own_streams(tmp_path: Path) -> None:
    on = on_road.deck(tmp_path)
    job = on_road.over(on, on_road.start(on, tmp_path))
    assert job.over
    argv = [sys.executable, "-I", "-m", "ondeck.operate.worker", str(tmp_path / "none"), "9"]
    done = subprocess.run(
        ["bash", "-c", 'exec "$@" <&- 9</dev/null', "bash", *argv],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert b"no handshake" in done.stderr, done
