from __future__ import annotations

import time
from pathlib import Path

from ondeck.record.jobfolder import first_id, new_id, time_of
from ondeck.record.store import Record
from ondeck.settings import Settings

_HOUR = 3600 * 10**9


def record(folder: Path) -> Record:
    return Record(
        Settings(state=folder / "state", cache=folder / "cache", config=folder / "config", actor="anna")
    )


def test_a_job_that_cannot_be_read_is_named_among_the_changes(tmp_path: Path) -> None:
    on = record(tmp_path)
    name = new_id(time.time_ns())
    (on.jobs_root / name).mkdir(parents=True, mode=0o700)
    (on.jobs_root / name / "plan.json").write_text("not a plan")
    (on.jobs_root / name / "events.log").write_text("")
    found = on.changes(time.time_ns() - _HOUR)
    assert [change.job for change in found] == [name]
    assert "cannot be read" in found[0].text
    assert name in on.unread()
    assert on.jobs() == []


def test_ids_sort_by_the_time_they_were_made() -> None:
    now = time.time_ns()
    assert first_id(now - _HOUR) < new_id(now) < first_id(now + _HOUR)
    assert abs(time_of(new_id(now)) - now) < 10**9
    assert time_of("nonsense") == 0


def test_ids_made_in_the_same_second_still_sort_by_the_time_they_were_made() -> None:
    second = time.time_ns() // 10**9 * 10**9
    ids = [new_id(second + part * 10**7) for part in range(100)]
    assert ids == sorted(set(ids))
