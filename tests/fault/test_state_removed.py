"""A worker whose job folder was removed under it ends: nobody could ever read, cancel or find it again."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from ondeck.job.events import JobStarted
from ondeck.job.outcome import JobState
from tests import road as on_road


def gone_within(pid: int, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize(
    ("state", "params"),
    [
        (JobState.PAUSED, {"script": ("web-1=fail",), "batches": "1,2"}),
        (JobState.RUNNING, {"delay": 600.0}),
        (JobState.RUNNING, {"script": ("web-1=deaf",), "parallel": 1}),
    ],
    ids=["paused", "running", "deaf"],
)
def test_a_worker_ends_when_its_state_is_removed(
    tmp_path: Path, state: JobState, params: dict[str, Any]
) -> None:
    on = on_road.deck(tmp_path)
    job = on_road.start(on, tmp_path, **params)
    on_road.wait_for(on, job, lambda v: v.state is state)
    started = next(e for e in on.record.folder(job).events_after(0) if isinstance(e, JobStarted))
    while on.record.root.exists():
        shutil.rmtree(on.record.root, ignore_errors=True)
    assert gone_within(started.pid, 30)
