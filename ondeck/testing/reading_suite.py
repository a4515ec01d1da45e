"""The contract suite of reading: what every provider of `logs` and `facts` has to hold.

Subclass the suites in a test module, name the provider, give the fixtures they ask for, and pytest runs them:

    class TestMyLogs(LogReaderSuite):
        provider = "mine"

        @pytest.fixture
        def log(self) -> LogCase: ...
"""

# ruff: noqa: D102 - the names of the tests are the promises
from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing

import msgspec

from ondeck.bench import Bench
from ondeck.inventory.model import Host, LogSource
from ondeck.observe.ports import FactsReader, LogReader, UnitReader
from ondeck.observe.records import Health, LogBatch, LogLine, SourceState
from ondeck.testing.suite import PortSuite
from ondeck.text import is_safe

PATIENCE = 20.0


class LogCase(msgspec.Struct, kw_only=True):
    """What a suite needs to try a reader of logs.

    Attributes:
        write: Append lines to the source.
        lose: Lose the connection under the reader; it comes back by itself.
        missing: A source that is not there.
    """

    host: Host
    source: LogSource
    missing: LogSource
    bench: Bench
    write: Callable[[bytes], Awaitable[None]]
    lose: Callable[[], None]


class FactsCase(msgspec.Struct, kw_only=True):
    """What a suite needs to try a reader of figures."""

    host: Host
    bench: Bench
    lose: Callable[[], None]


class Reader:
    """Collects what an iterator yields until something has been seen."""

    def __init__(self, batches: AsyncIterator[LogBatch]) -> None:
        self._batches = batches
        self.lines: list[LogLine] = []
        self.states: list[SourceState] = []
        self.caught_up = False

    async def until(self, seen: Callable[[Reader], bool]) -> None:
        """Read on.

        Raises:
            TimeoutError: It was not seen within PATIENCE seconds.
        """
        async with asyncio.timeout(PATIENCE):
            while not seen(self):
                batch = await anext(self._batches)
                self.lines.extend(batch.lines)
                self.caught_up = self.caught_up or batch.caught_up
                if batch.state is not None:
                    self.states.append(batch.state)

    @property
    def texts(self) -> list[str]:
        """The messages so far."""
        return [line.message for line in self.lines]

    @property
    def health(self) -> Health | None:
        """The last state that was told."""
        return self.states[-1].health if self.states else None


class LogReaderSuite(PortSuite):
    """Promises of `ondeck.observe.ports.LogReader`."""

    capability = "logs"

    async def test_history_comes_before_what_is_written_later(
        self, provided: LogReader, log: LogCase
    ) -> None:
        await log.write(b"one\ntwo\n")
        async with aclosing(provided.follow(log.host, log.source, log.bench)) as batches:
            reader = Reader(batches)
            await reader.until(lambda r: r.caught_up)
            assert reader.texts[-2:] == ["one", "two"]
            await log.write(b"three\n")
            await reader.until(lambda r: "three" in r.texts)
            assert reader.texts[-3:] == ["one", "two", "three"]
            assert Health.OK in [state.health for state in reader.states]

    async def test_without_follow_it_ends(self, provided: LogReader, log: LogCase) -> None:
        await log.write(b"one\n")
        async with asyncio.timeout(PATIENCE):
            batches = [
                batch async for batch in provided.follow(log.host, log.source, log.bench, follow=False)
            ]
        assert [line.message for batch in batches for line in batch.lines][-1] == "one"

    async def test_a_lost_link_is_told_and_nothing_is_lost_or_repeated(
        self, provided: LogReader, log: LogCase
    ) -> None:
        await log.write(b"one\n")
        async with aclosing(provided.follow(log.host, log.source, log.bench)) as batches:
            reader = Reader(batches)
            await reader.until(lambda r: r.caught_up)
            await log.write(b"two\n")
            await reader.until(lambda r: "two" in r.texts)
            log.lose()
            await reader.until(lambda r: r.health is Health.LOST)
            await log.write(b"three\n")
            await reader.until(lambda r: "three" in r.texts and r.health is Health.OK)
            await log.write(b"four\n")
            await reader.until(lambda r: "four" in r.texts)
            assert reader.texts[-4:] == ["one", "two", "three", "four"]

    async def test_what_acts_on_a_terminal_arrives_as_visible_text(
        self, provided: LogReader, log: LogCase
    ) -> None:
        await log.write(b"\x1b]52;c;aGk=\x07 \x9b2J \xc2\x9b2J bad \xff\n")
        async with aclosing(provided.follow(log.host, log.source, log.bench)) as batches:
            reader = Reader(batches)
            await reader.until(lambda r: any("52;c" in text for text in r.texts))
            assert all(is_safe(text) for text in reader.texts)

    async def test_a_source_that_is_not_there_is_lost_with_a_reason(
        self, provided: LogReader, log: LogCase
    ) -> None:
        async with aclosing(provided.follow(log.host, log.missing, log.bench)) as batches:
            reader = Reader(batches)
            await reader.until(lambda r: r.health is Health.LOST)
            assert reader.states[-1].error
            assert not reader.lines


class FactsReaderSuite(PortSuite):
    """Promises of `ondeck.observe.ports.FactsReader`."""

    capability = "facts"

    async def test_figures_come_again_and_again(self, provided: FactsReader, facts: FactsCase) -> None:
        found = []
        async with aclosing(provided.watch(facts.host, facts.bench)) as batches:
            async with asyncio.timeout(PATIENCE):
                async for batch in batches:
                    if batch.facts is not None:
                        found.append(batch.facts)
                    if len(found) == 3:
                        break
        assert all(sample.host == facts.host.name and sample.boot_id for sample in found)
        assert found[0].time < found[1].time < found[2].time

    async def test_a_lost_link_is_told_and_opened_again(
        self, provided: FactsReader, facts: FactsCase
    ) -> None:
        healths: list[Health] = []
        async with aclosing(provided.watch(facts.host, facts.bench)) as batches:
            async with asyncio.timeout(PATIENCE):
                async for batch in batches:
                    if batch.state is not None:
                        healths.append(batch.state.health)
                        if batch.state.health is Health.OK and Health.LOST not in healths:
                            facts.lose()
                    if healths[-2:] == [Health.LOST, Health.OK]:
                        break


class UnitReaderSuite(PortSuite):
    """Promises of `ondeck.observe.ports.UnitReader`; give an `unreachable` bench."""

    capability = "units"

    async def test_a_host_that_cannot_be_asked_is_an_error_and_not_no_units(
        self, provided: UnitReader, unreachable: Bench
    ) -> None:
        asked = await provided.units(Host(name="web-1", env="prod"), unreachable)
        assert asked.error
        assert asked.units == ()
