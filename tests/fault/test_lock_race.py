"""Several processes want one lock, again and again: never two hold it at once, whoever is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ondeck.record.lock import Lock, Owner, views

ROUNDS = 150
PROCESSES = 3

# Holds the lock, writes begin and end in two writes with a pause in between, and says how often it had to wait.
HOLDER = """
import os, sys, time
from pathlib import Path
from ondeck.record.lock import Lock, Owner, views

root, log, name, rounds = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
fd = os.open(log, os.O_WRONLY | os.O_APPEND)
print("ready", flush=True)
sys.stdin.readline()
waits = 0
for number in range(rounds):
    lock = Lock(root, "checkout@prod")
    owner = Owner(key="checkout@prod", job=f"{name}-{number}", actor=name, reason="race", since=0, pid=os.getpid())
    while lock.take(owner, lambda job: False) is not None:
        waits += 1
        time.sleep(0)
    os.write(fd, f"begin {name} {number}\\n".encode())
    time.sleep(0)
    assert lock.owner().job == owner.job, "the owner's file is not ours while we hold the lock"
    os.write(fd, f"end {name} {number}\\n".encode())
    lock.release(clear=number % 2 == 0)
print(waits, flush=True)
"""


def holders(tmp: Path, rounds: int, count: int = PROCESSES) -> list[subprocess.Popen[str]]:
    (tmp / "log").touch()
    found = [
        subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(tmp / "locks"), str(tmp / "log"), f"p{index}", str(rounds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for index in range(count)
    ]
    for process in found:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in found:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.close()
    return found


def held(log: str, killed: str = "") -> int:
    """How often it was held; every begin is followed by its own end, but for the killed one's last."""
    lines, count, open_by = log.splitlines(), 0, ""
    for line in lines:
        word, _, who = line.partition(" ")
        if word == "begin":
            assert not open_by or open_by.startswith(f"{killed} "), f"{who} began while {open_by} held it"
            open_by, count = who, count + 1
        else:
            assert who == open_by, f"{who} ended while {open_by or 'nobody'} held it"
            open_by = ""
    return count


def finished(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    with process.stdout as out:
        text = out.read()
    assert process.wait() == 0
    return text


def test_a_lock_is_never_held_twice_at_once(tmp_path: Path) -> None:
    waits = [int(finished(process)) for process in holders(tmp_path, ROUNDS)]
    assert held((tmp_path / "log").read_text()) == PROCESSES * ROUNDS
    assert sum(waits) > ROUNDS, "they never met, so nothing was shown"


def test_a_killed_holder_neither_keeps_the_lock_nor_shares_it(tmp_path: Path) -> None:
    victim, *others = holders(tmp_path, 400)
    while (tmp_path / "log").read_text().count("end p0 ") < 20:
        time.sleep(0.001)
    os.kill(victim.pid, signal.SIGKILL)
    assert victim.wait() == -signal.SIGKILL
    assert victim.stdout is not None
    victim.stdout.close()
    for process in others:
        finished(process)
    log = (tmp_path / "log").read_text()
    assert held(log, killed="p0") >= 400 * len(others) + 20
    assert all(log.count(f"end {name} ") == 400 for name in ("p1", "p2"))


def test_the_lock_of_a_killed_holder_is_kept_while_its_job_is_in_doubt(tmp_path: Path) -> None:
    (victim,) = holders(tmp_path, 100_000, count=1)
    while "begin" not in (tmp_path / "log").read_text():
        time.sleep(0.001)
    os.kill(victim.pid, signal.SIGKILL)
    victim.wait()
    assert victim.stdout is not None
    victim.stdout.close()
    mine = Owner(key="checkout@prod", job="mine", actor="anna", reason="", since=0, pid=os.getpid())
    lock = Lock(tmp_path / "locks", "checkout@prod")
    if (left := lock.owner()) is not None:
        found = lock.take(mine, lambda job: job == left.job)
        assert found is not None
        assert found.job == left.job
    assert lock.take(mine, lambda job: False) is None
    lock.release(clear=True)
    assert lock.owner() is None


def test_a_lock_that_is_not_held_has_no_descriptor_to_hand_on(tmp_path: Path) -> None:
    lock = Lock(tmp_path, "checkout@prod")
    with pytest.raises(ValueError, match="is not held"):
        lock.fileno()


def test_a_lock_that_a_left_process_holds_on_stands_under_the_name_of_who_took_it(tmp_path: Path) -> None:
    lock = Lock(tmp_path, "shop@lab")
    mine = Owner(key="shop@lab", job="pid 1", actor="anna", reason="ci#4711", since=1, pid=1)
    assert lock.take(mine, lambda job: False) is None
    child = subprocess.Popen(["sleep", "60"], pass_fds=(lock.fileno(),))
    try:
        lock.release(clear=True)
        (seen,) = views(tmp_path, lambda job: False)
        assert (seen.key, seen.actor, seen.reason, seen.held) == ("shop@lab", "anna", "ci#4711", True)
        (tmp_path / "shop@lab.owner").unlink()
        (seen,) = views(tmp_path, lambda job: False)
        assert (seen.key, seen.held) == ("shop@lab", True), "held, although nobody's name stands beside it"
    finally:
        child.kill()
        child.wait()
    assert views(tmp_path, lambda job: False) == []
    assert Lock(tmp_path, "shop@lab").take(mine, lambda job: False) is None
