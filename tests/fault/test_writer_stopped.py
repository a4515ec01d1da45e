"""A stopped process that holds a file of the record: nobody waits for ever, and who it is gets told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ondeck.errors import StateBroken
from ondeck.job.events import Ended
from ondeck.job.outcome import JobState, Outcome
from tests import road as on_road

HOLDER = """
import fcntl, os, sys
fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o600)
fcntl.flock(fd, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""
READER = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1])
database.execute("begin exclusive")
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def stopped(path: Path, script: str = HOLDER) -> Iterator[int]:
    """A process that holds a file and was stopped."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        os.kill(process.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        yield process.pid
    finally:
        process.kill()
        process.communicate()


def test_a_change_is_refused_while_the_audit_is_held_and_says_by_whom(tmp_path: Path) -> None:
    on = on_road.deck(tmp_path)
    with stopped(tmp_path / "state" / "audit" / "lock") as pid:
        view = on_road.over(on, on_road.start(on, tmp_path))
        assert (view.outcome, view.why) == (Outcome.NOT_STARTED, Ended.REFUSED)
        assert f"process {pid} (" in view.summary
        assert "stopped)" in view.summary
        assert f"kill -CONT {pid}" in view.summary
        assert on_road.effects(tmp_path) == {}
    view = on_road.over(on, on_road.start(on, tmp_path))
    assert view.outcome is Outcome.SUCCEEDED
    assert on.record.audit.verify().ok


def test_a_job_that_runs_ends_although_its_outcome_cannot_be_audited_and_says_so(tmp_path: Path) -> None:
    on = on_road.deck(tmp_path)
    job = on_road.start(on, tmp_path, batches="1,2", script=("web-1=fail",))
    on_road.wait_for(on, job, lambda v: v.state is JobState.PAUSED)
    with stopped(tmp_path / "state" / "audit" / "lock") as pid:
        on_road.go_on(on, job)
        view = on_road.over(on, job)
    assert view.outcome is Outcome.MIXED
    assert any(f"process {pid}" in note for note in view.notes)
    assert on.record.audit.verify().open == (job,)


def test_a_mark_is_refused_while_another_holds_the_marks(tmp_path: Path) -> None:
    on = on_road.deck(tmp_path)
    with stopped(tmp_path / "state" / "marks.log") as pid, pytest.raises(StateBroken) as caught:
        on.record.mark("shop@lab", "deployed")
    assert f"process {pid}" in caught.value.message
    assert f"kill -CONT {pid}" in caught.value.hint
    on.record.mark("shop@lab", "deployed")
    assert [change.subject for change in on.record.changes(0)] == ["shop@lab"]


def test_jobs_are_listed_although_another_holds_the_index_and_it_is_left_alone(tmp_path: Path) -> None:
    on = on_road.deck(tmp_path)
    job = on_road.over(on, on_road.start(on, tmp_path)).id
    index = tmp_path / "state" / "index.db"
    assert [view.id for view in on.record.jobs()] == [job]
    before = index.stat().st_ino
    with stopped(index, READER):
        assert [view.id for view in on.record.jobs()] == [job]
        assert on.record.facts()
    assert index.stat().st_ino == before
    assert [view.id for view in on.record.jobs()] == [job]
