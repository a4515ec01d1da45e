"""Logs: parse, merge, store and filter, as shares of one core and rates."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

from ondeck.inventory.model import Host, LogSource
from ondeck.observe.logs import Tail, merged
from ondeck.observe.logstore import Filtered, LogFilter, LogStore
from ondeck.observe.parse import Parser
from ondeck.observe.patterns import Pattern
from ondeck.observe.records import LogBatch
from ondeck.settings import Settings
from ondeck.text import Lines

SOURCES = 20
RATE = 1000
SECONDS = 4


class _Bench:
    settings = Settings(state=Path("/n"), cache=Path("/n"), config=Path("/n"))


class _Live:
    """A source that writes RATE lines a second in chunks of 50 ms."""

    async def follow(
        self, host: Host, source: LogSource, *_: object, **__: object
    ) -> AsyncIterator[LogBatch]:
        reader, parser = Lines(), Parser(f"{host.name}/{source.name}")
        yield LogBatch(caught_up=True)
        for tick in range(SECONDS * 20):
            stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
            chunk = "".join(
                f"{stamp}.{tick % 20 * 50 + n % 50:03d}Z INFO request id=u{n} took={n}ms status=204 path=/api/v1/cart\n"
                for n in range(RATE // 20)
            ).encode()
            yield LogBatch(tuple(parser.parse(reader.feed(chunk), time.time_ns())))
            await asyncio.sleep(0.05)


async def _load() -> tuple[int, float]:
    store = LogStore()
    view = Filtered(store, LogFilter(drop=(Pattern("healthz"),)))
    tails = [Tail(_Live(), Host(name=f"web-{n}", env="prod"), LogSource(name="app")) for n in range(SOURCES)]
    started, cpu = time.monotonic(), time.process_time()
    async for batch in merged(tails, _Bench()):  # type: ignore[arg-type]
        store.append(batch.lines)
        view.update()
    return len(view), (time.process_time() - cpu) / (time.monotonic() - started)


def _rates() -> list[tuple[str, float, str]]:
    line = b"2026-11-24T03:04:31.220Z ERROR app[999]: request took=191ms user=u4123 status=204 path=/api/v1/cart\n"
    data = line * 50_000
    began = time.process_time()
    reader = Lines()
    texts = [text for at in range(0, len(data), 65_536) for text in reader.feed(data[at : at + 65_536])]
    read = time.process_time() - began
    began = time.process_time()
    lines = Parser("web-1/app").parse(texts, time.time_ns())
    parsed = time.process_time() - began
    store = LogStore(200_000)
    began = time.process_time()
    for _ in range(4):
        store.append(lines)
    stored = time.process_time() - began
    view = Filtered(store, LogFilter(keep=(Pattern("took=1[0-9]1ms.*cart"),)))
    began = time.process_time()
    view.work()
    first = time.process_time() - began
    view.finish()
    whole = time.process_time() - began
    return [
        ("make safe", len(texts) / read / 1e3, "k lines/s"),
        ("parse ISO lines", len(lines) / parsed / 1e3, "k lines/s"),
        ("store", 4 * len(lines) / stored / 1e3, "k lines/s"),
        ("new filter, first 10k lines", first * 1e3, "ms"),
        ("new filter, all 200k lines matching", whole * 1e3, "ms"),
    ]


def measure() -> list[tuple[str, float, str]]:
    """Every figure as (name, value, unit); takes about 8 seconds."""
    count, share = asyncio.run(_load())
    return [
        (f"{SOURCES} sources x {RATE} lines/s: share of a core", share * 100, "%"),
        ("  lines delivered", float(count), "lines"),
        *_rates(),
    ]


if __name__ == "__main__":
    for name, value, unit in measure():
        print(f"{name:45} {value:12.1f} {unit}")
