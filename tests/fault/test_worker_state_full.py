"""Our own state goes wrong: full disk, foreign folders, a deleted index, damaged files."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from ondeck.deck import Deck
from ondeck.errors import PlanStale, StateBroken
from ondeck.job.events import Ask, Ended, JobEnded, Note, TargetEnded, What
from ondeck.job.outcome import Outcome
from ondeck.operate import road
from ondeck.record import outputs
from ondeck.record.journal import Journal, Tail
from ondeck.record.store import Record
from tests import road as on_road
from tui.cli.root import main

# A file that may not grow is how a full disk looks to one process; the reserve is what is left to it.
_FULL = """
import sys
from pathlib import Path
from ondeck.job.events import Note, JobEnded
from ondeck.job.outcome import Outcome
from ondeck.record import journal
path = Path(sys.argv[1])
own = journal.Journal(path)
calls = 0
real = journal.write_all
def write(fd, data):
    global calls
    if (path.parent / "reserve").exists() and calls >= 3:
        import os, errno
        os.write(fd, data[:7])
        raise OSError(errno.ENOSPC, "No space left on device")
    calls += 1
    real(fd, data)
journal.write_all = write
for number in range(5):
    own.record(Note(text=f"note {number}"))
assert own.full
own.record(JobEnded(outcome=Outcome.UNKNOWN))
own.close(ended=True)
"""


def test_on_a_full_disk_the_reserve_takes_what_must_be_recorded(tmp_path: Path) -> None:
    path = tmp_path / "events.log"
    subprocess.run([sys.executable, "-c", _FULL, str(path)], check=True)
    tail = Tail(path)
    events = tail.read()
    assert [e.text for e in events if isinstance(e, Note)] == [f"note {n}" for n in range(5)]
    assert isinstance(events[-1], JobEnded)
    assert (tail.torn, tail.damaged) == (0, -1)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small tmpfs needs root")
def test_a_job_on_a_really_full_disk_ends_truthfully_and_reading_goes_on(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=512k,mode=0700", "tmpfs", str(disk)], check=False
    )
    if mounted.returncode != 0:
        pytest.skip("this machine allows no tmpfs")
    try:
        _fill_while_it_runs(tmp_path, disk)
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def _fill_while_it_runs(tmp_path: Path, disk: Path) -> None:
    plain = on_road.deck(tmp_path)
    own = msgspec.structs.replace(plain.settings, state=disk / "state")
    deck = msgspec.structs.replace(plain, settings=own, record=Record(own))
    job = on_road.start(deck, tmp_path, batches="1,1,1", delay=40.0)
    on_road.wait_for(deck, job, lambda v: v.targets["web-1"].running)
    _use_up_the_page(deck, job)
    _fill(disk)
    view = on_road.over(deck, job)
    assert (view.outcome, view.why) == (Outcome.MIXED, Ended.STOPPED), deck.record.folder(job).log.read_text()
    assert view.targets["web-1"].outcome is Outcome.SUCCEEDED
    ended = [e for e in deck.record.folder(job).events_after(0) if isinstance(e, TargetEnded)]
    for row in view.targets.values():
        assert (row.outcome is Outcome.SUCCEEDED) <= any(
            e.target == row.target and e.status == 0 for e in ended
        )
    while deck.record.folder(job).is_alive():  # its worker still gives back what it had kept for the end
        time.sleep(0.01)
    (disk / "state/index.db").unlink()  # a cache, which gives way where room is wanted
    _fill(disk)
    with pytest.raises(StateBroken, match="free some space"):
        on_road.start(deck, tmp_path)
    assert deck.record.job(job).id == job
    (disk / "filler").unlink()
    assert on_road.over(deck, on_road.start(deck, tmp_path)).outcome is Outcome.SUCCEEDED


def test_output_that_could_not_be_written_is_told_and_the_job_is_no_quiet_success(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    deck = on_road.deck(tmp_path)
    job = on_road.start(deck, tmp_path, batches="1,1,1", delay=20.0)
    on_road.wait_for(deck, job, lambda v: v.targets["web-1"].running)
    (deck.record.folder(job).out / "web-2.out").mkdir()
    view = on_road.over(deck, job)
    (deck.record.folder(job).out / "web-2.out").rmdir()
    assert [row.outcome for row in view.targets.values()] == [Outcome.SUCCEEDED] * 3
    assert (view.outcome, view.exit_code, view.cut) == (Outcome.MIXED, 3, ("web-2",))
    assert "output was cut: Is a directory, 14 bytes lost" in view.targets["web-2"].text
    ops = tmp_path / "ops"
    ops.mkdir()
    (ops / "ondeck.yml").write_text("ondeck: 1\nenvironments:\n  lab: {}\n")
    monkeypatch.setenv("ONDECK_INVENTORY", str(ops))
    monkeypatch.setenv("ONDECK_STATE", str(deck.settings.state))
    for verb, code in (("attach", 3), ("jobs", 0)):
        assert main((verb, job), screen=lambda face: 99) == code
        said = capsys.readouterr()
        assert "output was cut: Is a directory" in said.out + said.err
    main(("jobs", job, "-o", "json"), screen=lambda face: 99)
    assert json.loads(capsys.readouterr().out)["targets"]["web-2"]["output_lost"] == 14


def test_a_hole_in_the_output_is_told_at_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = outputs.Output(tmp_path, "web-1")
    own.write(b"one\n")

    def full(fd: int, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(outputs.folder, "write_all", full)
        own.write(b"two\n")
    own.write(b"three\n")
    own.close()
    assert (own.lost, own.why) == (4, "no space")
    said, place = b"", 0
    while (part := outputs.read(tmp_path, "web-1", place, 999)).data:
        said, place = said + part.data, part.end
    assert said == b"one\n\n[ondeck: 4 bytes left out here]\nthree\n"


def _fill(disk: Path) -> None:
    filler = os.open(disk / "filler", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    with contextlib.suppress(OSError):
        while True:
            os.write(filler, b"x" * 512)
    os.close(filler)


def _use_up_the_page(deck: Deck, job: str) -> None:
    """A full disk still has the rest of the log's last block: use it up with requests that are refused."""
    path = deck.record.folder(job).events
    while (left := 4096 - path.stat().st_size % 4096) > 400:
        name = deck.record.ask(job, Ask(what=What.CONTINUE, reason="x" * min(1900, left - 350)))
        on_road.wait_for(deck, job, lambda v, name=name: name in v.asked)


def test_the_index_is_only_a_cache(tmp_path: Path) -> None:
    deck = on_road.deck(tmp_path)
    job = on_road.over(deck, on_road.start(deck, tmp_path)).id
    for content in (None, b"garbage", b""):
        if content is not None:
            (deck.record.root / "index.db").write_bytes(content)
        else:
            (deck.record.root / "index.db").unlink(missing_ok=True)
        assert [view.id for view in Record(deck.settings).jobs()] == [job]
        assert Record(deck.settings).remembered("touched env=lab") == "web-1,web-2,web-3"
        assert [view.id for view in Record(deck.settings).jobs()] == [job]


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o707])
def test_a_state_folder_that_is_open_to_others_is_refused_with_the_remedy(tmp_path: Path, mode: int) -> None:
    own = on_road.settings(tmp_path)
    own.state.mkdir()
    own.state.chmod(mode)
    with pytest.raises(StateBroken) as refused:
        Record(own)
    assert f"chmod 0700 {own.state}" in refused.value.hint


def test_marks_and_jobs_are_changes_newest_first(tmp_path: Path) -> None:
    deck = on_road.deck(tmp_path)
    deck.record.mark("checkout@prod", "deployed by CI", who="ci", time=5)
    job = on_road.over(deck, on_road.start(deck, tmp_path)).id
    on_road.over(deck, on_road.start(deck, tmp_path, read=True))
    found = deck.record.changes(0)
    assert [(c.kind, c.job or c.text) for c in found] == [("touch", job), ("mark", "deployed by CI")]
    assert found[1].env == "prod"


def test_a_plan_that_was_tampered_with_never_runs(tmp_path: Path) -> None:
    deck = on_road.deck(tmp_path)
    drafted = on_road.drafted(deck, tmp_path)
    drafted.path.write_bytes(drafted.stored.replace(b"web-1", b"web-9"))
    with pytest.raises(Exception, match="not those that were shown"):
        road.start(
            deck, road.Drafted(**{**_fields(drafted), "stored": drafted.path.read_bytes()}), on_road.YES
        )
    with pytest.raises(PlanStale, match="not those that were shown"):
        road.stored_plan(deck, drafted.plan.id)
    assert deck.record.jobs() == []


def _fields(drafted: road.Drafted) -> dict[str, object]:
    return {name: getattr(drafted, name) for name in drafted.__struct_fields__}


def test_a_job_whose_log_is_damaged_says_so_and_never_goes_on(tmp_path: Path) -> None:
    deck = on_road.deck(tmp_path)
    job = on_road.over(deck, on_road.start(deck, tmp_path, script=("web-1=lost",), max_failures=3)).id
    path = deck.record.folder(job).events
    data = bytearray(path.read_bytes())
    data[data.index(b"\n") + 40] ^= 1
    path.write_bytes(bytes(data))
    assert deck.record.job(job).damaged == 1
    with pytest.raises(StateBroken, match="damaged"):
        Journal(path)
