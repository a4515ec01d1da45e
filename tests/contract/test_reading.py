# ruff: noqa: ASYNC240 - a test may wait for its own small files
from __future__ import annotations

import asyncio
import json
import os
import re
import time
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from ondeck.inventory.model import Host, LogSource
from ondeck.observe.records import Health, HistoryCut, LogBatch
from ondeck.testing.reading_suite import (
    FactsCase,
    FactsReaderSuite,
    LogCase,
    LogReaderSuite,
    Reader,
    UnitReaderSuite,
)
from providers.linux import journal
from providers.linux.changes import LinuxChanges
from providers.linux.facts import LinuxFacts
from providers.linux.logs import LinuxLogs
from providers.linux.units import LinuxUnits
from tests.contract.childlink import ChildBench
from tests.contract.programs import JOURNALCTL, program

HOST = Host(name="web-1", env="prod")


def append(path: Path, word: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{word}\n")


def cut_of(batches: list[LogBatch]) -> HistoryCut | None:
    """What the last state says of the begin of the history."""
    return [b.state for b in batches if b.state is not None][-1].cut


class TestFiles(LogReaderSuite):
    provider = "linux"

    @pytest.fixture
    def log(self, tmp_path: Path) -> LogCase:
        path = tmp_path / "app.log"
        path.write_bytes(b"")
        bench: Any = ChildBench()

        async def write(data: bytes) -> None:
            with path.open("ab") as file:
                file.write(data)

        return LogCase(
            host=HOST,
            source=LogSource(name="app", file=str(path)),
            missing=LogSource(name="app", file=str(tmp_path / "none.log")),
            bench=bench,
            write=write,
            lose=bench.children.lose,
        )

    @pytest.mark.parametrize("connected", [True, False])
    async def test_a_rotation_loses_and_repeats_nothing(self, log: LogCase, connected: bool) -> None:
        path = Path(log.source.file)
        await log.write(b"1\n")
        async with aclosing(LinuxLogs().follow(log.host, log.source, log.bench)) as batches:
            reader = Reader(batches)
            await reader.until(lambda r: r.caught_up)
            await log.write(b"2\n")
            await reader.until(lambda r: "2" in r.texts)
            if not connected:
                log.lose()
                await reader.until(lambda r: r.health is Health.LOST)
            await log.write(b"3\n")
            path.rename(path.with_name("app.log.1"))
            with path.with_name("app.log.1").open("ab") as old:
                old.write(b"4\n")
            await log.write(b"5\n")
            await reader.until(lambda r: "5" in r.texts)
            await log.write(b"6\n")
            await reader.until(lambda r: "6" in r.texts)
            assert reader.texts == ["1", "2", "3", "4", "5", "6"]

    async def test_what_is_written_to_a_rotated_file_is_read_until_its_writer_lets_go(
        self, log: LogCase
    ) -> None:
        path, moved = Path(log.source.file), Path(log.source.file + ".1")
        await log.write(b"1\n")
        async with aclosing(LinuxLogs().follow(log.host, log.source, log.bench)) as batches:
            reader = Reader(batches)
            await reader.until(lambda r: r.caught_up)
            await log.write(b"2\n")
            await reader.until(lambda r: "2" in r.texts)
            path.rename(moved)
            await reader.until(lambda r: r.health is Health.LOST)
            for word in ("3", "4"):
                append(moved, word)
                await reader.until(lambda r, word=word: word in r.texts)
            await log.write(b"5\n")
            await reader.until(lambda r: "5" in r.texts)
            assert reader.texts == ["1", "2", "3", "4", "5"]

    @pytest.mark.parametrize("instead", ["folder", "device"])
    async def test_what_is_no_file_is_lost_with_the_reason_and_not_an_empty_log(
        self, log: LogCase, instead: str
    ) -> None:
        path = Path(log.source.file)
        await log.write(b"1\n")
        async with aclosing(LinuxLogs().follow(log.host, log.source, log.bench)) as batches:
            reader = Reader(batches)
            await reader.until(lambda r: r.caught_up)
            path.unlink()
            path.mkdir() if instead == "folder" else path.symlink_to("/dev/zero")
            await reader.until(lambda r: r.health is Health.LOST)
            assert "is no regular file" in reader.states[-1].error
            last = [b async for b in LinuxLogs().follow(log.host, log.source, log.bench, follow=False)]
            assert [b.state.health for b in last if b.state][-1] is Health.LOST
            path.rmdir() if instead == "folder" else path.unlink()
            await log.write(b"2\n")
            await reader.until(lambda r: "2" in r.texts)
            assert reader.texts == ["1", "2"]

    async def test_a_file_that_is_emptied_in_place_is_read_from_its_start(self, log: LogCase) -> None:
        await log.write(b"a long first line\n")
        async with aclosing(LinuxLogs().follow(log.host, log.source, log.bench)) as batches:
            reader = Reader(batches)
            await reader.until(lambda r: r.caught_up)
            Path(log.source.file).write_bytes(b"2\n")
            await reader.until(lambda r: "2" in r.texts)

    async def test_history_is_the_last_lines_or_all_since_a_time(self, log: LogCase, tmp_path: Path) -> None:
        await log.write(
            b"".join(b"2026-11-24T03:%02d:%02dZ INFO n %d\n" % (n // 60, n % 60, n) for n in range(3000))
        )
        last = [b async for b in LinuxLogs().follow(HOST, log.source, log.bench, follow=False)]
        assert [line.message for b in last for line in b.lines] == [f"n {n}" for n in range(2800, 3000)]
        since = 1795489200 * 10**9 + 100 * 10**9
        more = [b async for b in LinuxLogs().follow(HOST, log.source, log.bench, since=since, follow=False)]
        assert [line.message for b in more for line in b.lines] == [f"n {n}" for n in range(100, 3000)]

    @pytest.mark.parametrize(
        ("lines", "since", "begins"), [(3000, 100, 0), (3000, -5, 1), (50, 0, 0), (200, 0, 0)]
    )
    async def test_a_history_that_does_not_reach_back_so_far_says_where_it_begins(
        self, log: LogCase, lines: int, since: int, begins: int
    ) -> None:
        start = 1795489200
        stamps = [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(start + n)) for n in range(lines)]
        await log.write("".join(f"{stamp} INFO n\n" for stamp in stamps).encode())
        asked = (start + since) * 10**9 if since else 0
        got = [b async for b in LinuxLogs().follow(HOST, log.source, log.bench, since=asked, follow=False)]
        cut = cut_of(got)
        assert (cut is not None) is bool(begins)
        if cut is not None:
            assert (cut.time, cut.why) == (start * 10**9, f"{log.source.file} has nothing older")

    @pytest.mark.parametrize("kept", [True, False])
    async def test_generations_of_a_log_are_one_history(
        self, log: LogCase, tmp_path: Path, kept: bool
    ) -> None:
        now = int(time.time())
        for name, ago in (("app.log", 60), ("app.log.1", 7200 if kept else 1800)):
            stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now - ago))
            (tmp_path / name).write_text(f"{stamp} INFO x\n")
        source = LogSource(name="app", file=f"{tmp_path}/app.log*")
        since = (now - 3600) * 10**9
        got = [b async for b in LinuxLogs().follow(HOST, source, log.bench, since=since, follow=False)]
        cut = cut_of(got)
        assert cut == (
            None if kept else HistoryCut((now - 1800) * 10**9, f"{tmp_path}/app.log has nothing older")
        )

    async def test_an_empty_file_is_not_a_complete_history(self, log: LogCase) -> None:
        got = [b async for b in LinuxLogs().follow(HOST, log.source, log.bench, follow=False)]
        assert cut_of(got) == HistoryCut(0, f"{log.source.file} is empty")

    @pytest.mark.parametrize("hour_old", [True, False])
    async def test_lines_without_a_time_are_not_hidden_by_since(self, log: LogCase, hour_old: bool) -> None:
        now = time.time()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now - (7200 if hour_old else 60)))
        await log.write(f"{stamp} INFO dated\n".encode() + b"\x1b[2J\x1b]0;t\x07 odd\n no newline")
        since = int((now - 3600) * 1e9)
        got = [b async for b in LinuxLogs().follow(HOST, log.source, log.bench, since=since, follow=False)]
        shown = [line.message for b in got for line in b.lines]
        assert shown == ["dated"] * (not hour_old) + ["␛[2J␛]0;t␇ odd", " no newline"]

    async def test_old_lines_without_a_time_are_not_taken_for_new_ones(self, log: LogCase) -> None:
        await log.write(b"plain words\n")
        os.utime(log.source.file, (1e9, 1e9))
        since = int((time.time() - 3600) * 1e9)
        got = [b async for b in LinuxLogs().follow(HOST, log.source, log.bench, since=since, follow=False)]
        assert [line for b in got for line in b.lines] == []

    async def test_a_line_longer_than_we_look_back_shows_its_end_and_says_what_is_missing(
        self, log: LogCase
    ) -> None:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        await log.write(f"{stamp} INFO before\n".encode() + b"A" * 10_000_000)
        await log.write(f"\nescapes\n{stamp} INFO after\n".encode())
        since = int((time.time() - 3600) * 1e9)
        got = [b async for b in LinuxLogs().follow(HOST, log.source, log.bench, since=since, follow=False)]
        lines = [line for b in got for line in b.lines]
        cut = cut_of(got)
        assert cut is not None
        assert re.fullmatch(r"\d+ bytes of \S+ before this were not read", cut.why)
        assert cut.time == lines[0].time
        assert lines[0].message.startswith("…AAAA")
        assert [line.message for line in lines[-2:]] == ["escapes", "after"]
        assert len({line.time for line in lines}) == 1

    async def test_a_pattern_reads_every_file_and_finds_new_ones(self, log: LogCase, tmp_path: Path) -> None:
        (tmp_path / "a b.txt").write_bytes(b"one\n")
        source = LogSource(name="app", file=f"{tmp_path}/*.txt")
        async with aclosing(LinuxLogs().follow(HOST, source, log.bench)) as batches:
            reader = Reader(batches)
            await reader.until(lambda r: r.texts == ["one"])
            (tmp_path / "$(touch x) c.txt").write_bytes(b"two\n")
            await reader.until(lambda r: "two" in r.texts)
        assert not (tmp_path / "x").exists()

    async def test_nothing_is_left_running_on_the_host(self, log: LogCase) -> None:
        async with aclosing(LinuxLogs().follow(log.host, log.source, log.bench)) as batches:
            await Reader(batches).until(lambda r: r.caught_up)
        assert log.bench.children.streams == []  # type: ignore[attr-defined]


class TestJournal(LogReaderSuite):
    provider = "linux"

    @pytest.fixture
    def log(self, tmp_path: Path) -> LogCase:
        programs = tmp_path / "bin"
        program(programs, "journalctl", JOURNALCTL)
        bench: Any = ChildBench(programs)
        count = 0

        async def write(data: bytes) -> None:
            nonlocal count
            with (programs / "journal").open("a") as file:
                for text in data.rstrip(b"\n").split(b"\n"):
                    count += 1
                    try:
                        message: Any = text.decode("ascii")
                    except UnicodeDecodeError:
                        message = list(text)
                    entry = {
                        "__CURSOR": f"c{count}",
                        "__REALTIME_TIMESTAMP": str(time.time_ns() // 1000),
                        "MESSAGE": message,
                        "PRIORITY": "6",
                    }
                    file.write(json.dumps(entry) + "\n")

        return LogCase(
            host=HOST,
            source=LogSource(name="jrn", unit="checkout"),
            missing=LogSource(name="jrn", unit="missing"),
            bench=bench,
            write=write,
            lose=bench.children.lose,
        )

    @pytest.mark.parametrize("reaches", [True, False])
    async def test_a_vacuumed_journal_says_where_it_begins(self, log: LogCase, reaches: bool) -> None:
        before = time.time_ns()
        await log.write(b"one\n")
        since = before + 1_000_000_000 if reaches else before - 1_000_000_000
        got = [b async for b in LinuxLogs().follow(HOST, log.source, log.bench, since=since, follow=False)]
        cut = cut_of(got)
        assert (cut is None) is reaches
        if cut is not None:
            assert cut.why == "the journal has nothing older"
            assert cut.time >= before - 1000

    async def test_a_journal_with_fewer_lines_than_asked_for_says_where_it_begins(self, log: LogCase) -> None:
        await log.write(b"one\n" * 199)
        for lines, cut in ((199, True), (200, False)):
            got = [b async for b in LinuxLogs().follow(HOST, log.source, log.bench, follow=False)]
            assert sum(len(b.lines) for b in got) == lines
            assert (cut_of(got) is not None) is cut
            await log.write(b"one\n")

    async def test_more_than_one_answer_may_hold_is_read_page_by_page(
        self, log: LogCase, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(journal, "FURTHEST", 1000)
        await log.write(b"".join(b"n %d\n" % n for n in range(100)))
        since = time.time_ns() - 3600 * 10**9
        got = [b async for b in LinuxLogs().follow(HOST, log.source, log.bench, since=since, follow=False)]
        assert [line.message for b in got for line in b.lines] == [f"n {n}" for n in range(100)]

    async def test_a_cursor_that_was_rotated_away_goes_on_by_time(self, log: LogCase, tmp_path: Path) -> None:
        await log.write(b"one\n")
        async with aclosing(LinuxLogs().follow(log.host, log.source, log.bench)) as batches:
            reader = Reader(batches)
            await reader.until(lambda r: r.caught_up)
            await log.write(b"two\n")
            await reader.until(lambda r: "two" in r.texts)
            log.lose()
            await reader.until(lambda r: r.health is Health.LOST)
            (tmp_path / "bin" / "journal").write_text("")
            await log.write(b"three\n")
            await reader.until(lambda r: "three" in r.texts)
            assert reader.texts == ["one", "two", "three"]
            cut = reader.states[-1].cut
            assert cut is not None
            assert "rotated away below the cursor" in cut.why


class TestFacts(FactsReaderSuite):
    provider = "linux"

    @pytest.fixture
    def facts(self) -> FactsCase:
        bench: Any = ChildBench()
        return FactsCase(host=HOST, bench=bench, lose=bench.children.lose)

    async def test_the_figures_of_this_machine_make_sense(self, facts: FactsCase) -> None:
        async with aclosing(LinuxFacts().watch(HOST, facts.bench)) as batches:
            async with asyncio.timeout(20):
                async for batch in batches:
                    if batch.facts is not None and batch.facts.cpu is not None:
                        break
        found = batch.facts
        assert found is not None
        assert found.cores == os.cpu_count()
        assert found.memory is not None
        assert 0 < found.memory < 1
        assert found.disks
        assert found.uptime
        assert found.kernel.startswith("Linux")


class TestUnits(UnitReaderSuite):
    provider = "linux"

    @pytest.fixture
    def unreachable(self) -> Any:
        bench = ChildBench()
        bench.children.down = True
        return bench

    async def test_a_host_without_systemd_is_an_error_and_not_no_units(self, tmp_path: Path) -> None:
        program(tmp_path / "bin", "systemctl", "#!/bin/sh\necho 'Host is down' >&2; exit 1\n")
        bench: Any = ChildBench(tmp_path / "bin")
        asked = await LinuxUnits().units(HOST, bench)
        assert asked.error == "Host is down"

    async def test_changes_name_every_part_that_could_not_be_asked(self, tmp_path: Path) -> None:
        program(tmp_path / "bin", "journalctl", "#!/bin/sh\necho 'No journal files were found.' >&2\n")
        bench: Any = ChildBench(tmp_path / "bin")
        asked = await LinuxChanges().changes(HOST, bench, since=0)
        assert "journal: there is no journal" in asked.error
        assert "reboot" in {change.kind for change in asked.changes}
