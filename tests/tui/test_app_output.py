"""What targets printed: read elsewhere, bounded, again only when it changed, and grouped when it is the same."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from ondeck.record.outputs import Part
from ondeck.record.store import Record
from tests import road
from tests.tui.playing import Play, playing
from tests.tui.stage import FakeSession, old_job
from tui.app.live.outputs import END, LiveOutputs
from tui.app.views import OutputLook


class Reads:
    """What was read of the record, by which thread."""

    def __init__(self, record: Record) -> None:
        self.threads: set[int] = set()
        self.bytes = 0
        self._real = record.output

    def output(self, job: str, target: str, offset: int = 0, limit: int = 65536) -> Part:
        self.threads.add(threading.get_ident())
        part = self._real(job, target, offset, limit)
        self.bytes += len(part.data)
        return part


class Shelf:
    """A job of three targets, its outputs, and the reader under test."""

    def __init__(self, record: Record, job: str, patch: pytest.MonkeyPatch) -> None:
        self.job = job
        self.folder = record.folder(job).out
        self.reads = Reads(record)
        patch.setattr(record, "output", self.reads.output)
        self.outputs = LiveOutputs(record, 0.01)

    def put(self, target: str, data: bytes) -> None:
        (self.folder / f"{target}.out").write_bytes(data)

    def until(self, target: str, wanted: Callable[[OutputLook], bool], *, whole: bool = False) -> OutputLook:
        patience = time.monotonic() + 30
        while not wanted(look := self.outputs.look(self.job, target, whole=whole)):
            assert time.monotonic() < patience, look
            time.sleep(0.005)
        return look

    def read(self, target: str, *, whole: bool = False) -> OutputLook:
        return self.until(target, lambda look: not look.reading, whole=whole)


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shelf]:
    on = road.deck(tmp_path)
    found = Shelf(on.record, road.over(on, road.start(on, tmp_path)).id, monkeypatch)
    found.outputs.start()
    yield found
    found.outputs.stop()


def test_the_face_never_reads_a_file_and_the_end_of_a_long_output_is_enough(shelf: Shelf) -> None:
    shelf.put("web-1", b"".join(b"line %d\n" % n for n in range(1_000_000)))
    assert shelf.outputs.look(shelf.job, "web-1").reading
    look = shelf.read("web-1")
    assert look.lines[-1] == "line 999999"
    assert len(look.lines) == 8
    assert shelf.reads.bytes <= END
    assert threading.get_ident() not in shelf.reads.threads


def test_what_has_not_changed_is_not_read_again_and_what_has_is(shelf: Shelf) -> None:
    shelf.put("web-1", b"one\n")
    shelf.read("web-1")
    before = shelf.reads.bytes
    for target in ("web-2", "web-3"):
        shelf.put(target, b"")
        shelf.outputs.look(shelf.job, "web-1")
        shelf.read(target)
    assert shelf.reads.bytes == before
    shelf.put("web-1", b"one\ntwo\n")
    look = shelf.until("web-1", lambda found: found.size == 8)
    assert look.lines == ("one", "two")


def test_equal_outputs_have_one_digest_and_a_difference_at_the_very_end_has_another(shelf: Shelf) -> None:
    body = b"same\n" * 100_000
    shelf.put("web-1", body)
    shelf.put("web-2", body)
    shelf.put("web-3", body[:-5] + b"some\n")
    first, second, third = (shelf.read(f"web-{n}", whole=True) for n in (1, 2, 3))
    assert first == second
    assert first.digest != third.digest
    assert first.lines == third.lines == ("same",) * 30
    assert first.count == 100_000


def test_an_output_that_cannot_be_read_says_why(shelf: Shelf) -> None:
    patience = time.monotonic() + 30
    while not (look := shelf.outputs.look("j-none", "web-1")).error:
        assert time.monotonic() < patience
        time.sleep(0.005)
    assert "j-none" in look.error


async def opened(play: Play, session: FakeSession) -> None:
    done = msgspec.structs.replace(old_job(), id="j-exec", operation="host.exec")
    session.job_list = [done]
    await play.press(":")
    await play.type("j-exec")
    await play.press("enter")


async def test_a_page_that_waits_for_outputs_says_so_and_groups_what_it_has() -> None:
    session = FakeSession()
    session.unread = {
        "web-2": OutputLook(reading=True),
        "web-4": OutputLook(error="disk gone"),
    }
    async with playing(session, size=(100, 40)) as play:
        await opened(play, session)
        shown = await play.until("reading 1: web-2")
        assert "-- web-1" in shown
        assert "its output cannot be read: disk gone" in shown
        session.unread = {}
        session.dirty = True
        await play.until("3 alike: web-1 web-2 web-4")


async def test_the_page_of_a_job_that_runs_says_that_it_reads() -> None:
    session = FakeSession()
    session.unread = {f"web-{n}": OutputLook(reading=True) for n in range(1, 5)}
    async with playing(session, size=(100, 40)) as play:
        await play.press(":")
        await play.type("j-1")
        await play.press("enter")
        await play.until("reading what it printed ..")


def test_everything_is_every_line_and_of_a_very_long_output_begin_and_end(shelf: Shelf) -> None:
    shelf.put("web-1", b"".join(b"line %d\n" % n for n in range(5_000)))
    shelf.put("web-2", b"".join(b"line %d\n" % n for n in range(1_000_000)))
    wanted = lambda target: shelf.outputs.look(shelf.job, target, everything=True)  # noqa: E731 - two uses
    patience = time.monotonic() + 30
    while wanted("web-1").reading or wanted("web-2").reading:
        assert time.monotonic() < patience
        time.sleep(0.005)
    assert wanted("web-1").lines[4_999] == "line 4999"
    assert not wanted("web-1").cut
    long = wanted("web-2")
    assert long.cut
    assert (long.lines[0], long.lines[-1]) == ("line 0", "line 999999")
    assert sum("not shown" in line for line in long.lines) == 1


async def test_enter_on_a_target_opens_everything_about_it_and_slash_searches_there() -> None:
    session = FakeSession()
    lines = (*(f"step {n} done" for n in range(200)), "Traceback: boom", "end of it")
    session.everything = {"web-1": OutputLook(lines=lines, size=4000, count=202)}
    async with playing(session) as play:
        await opened(play, session)
        targets = session.job_list[0].targets
        evidence = "exit 1: " + "the health check did not answer in time, " * 4 + "LAST WORD"
        bad = msgspec.structs.replace(targets[0], outcome="failed", evidence=evidence)
        session.job_list = [msgspec.structs.replace(session.job_list[0], targets=(bad, *targets[1:]))]
        session.dirty = True
        await play.until("failed")
        await play.press("enter")
        shown = await play.until("LAST WORD")
        assert "step 0 done" in shown
        await play.press("/")
        await play.type("traceback")
        await play.press("enter")
        shown = await play.until("Traceback: boom")
        assert "1 of 1" in shown
        await play.press("g", "space")
        assert "step 0 done" not in play.text
        await play.press("escape")
        await play.until("JOB j-exec")


async def test_what_failed_printed_comes_before_what_went_well_printed() -> None:
    session = FakeSession()
    async with playing(session, size=(100, 40)) as play:
        await opened(play, session)
        targets = list(session.job_list[0].targets)
        targets[2] = msgspec.structs.replace(targets[2], outcome="failed", evidence="exit 1")
        session.job_list = [msgspec.structs.replace(session.job_list[0], targets=tuple(targets))]
        session.dirty = True
        shown = await play.until("web-3  failed")
        assert shown.index("91%") < shown.index("63%")
