"""20,000 log lines a second from 20 hosts, as the Logs pane reads them.

The hosts are 20 names of one OpenSSH server on loopback, each with a file of its own that another process
appends to; ours reads over SSH through engine, mailbox and store, drained ten times a second as a face does.
The figure is this process's own CPU, all threads: server and writers share the machine and are not in it.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

SOURCES = 20
RATE = 1000
SECONDS = 6
_LONGEST = 60.0
_WRITER = """
import sys, time
rate, seconds, paths = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
files = [open(path, "a", buffering=1 << 16) for path in paths]
begun = time.monotonic()
for tick in range(seconds * 20):
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
    for file in files:
        for n in range(rate // 20):
            file.write(f"{stamp}.{tick % 20 * 50 + n % 50:03d}Z INFO request id=u{n} took={n}ms status=204\\n")
        file.flush()
    time.sleep(max(0.0, begun + (tick + 1) / 20 - time.monotonic()))
"""


def _deck(folder: Path, server: Any) -> Any:
    from ondeck import settings
    from ondeck.deck import open_deck

    place = folder / "inventory"
    place.mkdir()
    at = f"address: {server.address}, port: {server.port}, user: {server.user}"
    hosts = "".join(f"  web-{n}: {{env: bench, group: [web], {at}}}\n" for n in range(SOURCES))
    (place / "ondeck.yml").write_text(
        f"ondeck: 1\nssh: {{known_hosts: {server.known_hosts}, config: {server.folder / 'ssh_config'}}}\n"
        f"environments:\n  bench: {{protection: confirm}}\nhosts:\n{hosts}"
    )
    return open_deck(settings.load(inventory=place))


def _tails(deck: Any, paths: list[Path]) -> Any:
    from ondeck.capabilities import Capabilities
    from ondeck.inventory.model import LogSource
    from ondeck.observe.logs import Tail

    reader = Capabilities(deck.registry).host("logs")
    hosts = deck.inventory.hosts
    return [
        Tail(reader, hosts[f"web-{n}"], LogSource(name="app", file=str(path))) for n, path in enumerate(paths)
    ]


def _until(feed: Any, done: Any, what: str) -> None:
    begun = time.monotonic()
    while not done():
        if time.monotonic() - begun > _LONGEST:
            raise RuntimeError(f"{what} never came; {feed.store.end} lines, {dict(feed.states())}")
        time.sleep(0.1)
        feed.drain()


def _follow(folder: Path, server: Any) -> tuple[float, int]:
    """CPU seconds over wall seconds while the lines came, and lines that did not come."""
    from ondeck.engine import Engine
    from ondeck.observe.logs import merged
    from ondeck.observe.records import Health
    from ondeck.operate.bench import FaceBench
    from tui.app.live.feed import LiveFeed

    deck = _deck(folder, server)
    paths = [folder / f"app-{n}.log" for n in range(SOURCES)]
    for path in paths:
        path.touch()
    engine = Engine(lambda: FaceBench(deck))
    engine.start()
    tails = _tails(deck, paths)
    feed = LiveFeed(engine, lambda since: lambda bench: merged(tails, bench, since=since), "logs")
    try:
        _until(
            feed,
            lambda: sum(s.health is Health.OK for s in feed.states().values()) == SOURCES,
            "every source",
        )
        begun, cpu = time.monotonic(), time.process_time()
        writer = subprocess.Popen([sys.executable, "-c", _WRITER, str(RATE), str(SECONDS), *map(str, paths)])
        wanted = SOURCES * RATE * SECONDS
        _until(feed, lambda: writer.poll() is not None, "the end of the writer")
        share = (time.process_time() - cpu) / (time.monotonic() - begun)
        _until(feed, lambda: feed.store.end + feed.dropped >= wanted, "the last line")
        return share, wanted - feed.store.end
    finally:
        feed.close()
        engine.stop()


def measure() -> list[tuple[str, float, str]]:
    """Share of a core and lost lines."""
    from tests.contract.sshd import serving

    with tempfile.TemporaryDirectory() as temp, serving(Path(temp, "sshd"), "MaxStartups 100") as server:
        share, lost = _follow(Path(temp), server)
    note = f"{SOURCES} hosts over SSH, {RATE} lines/s each, {SECONDS} s"
    return [("cpu_20k", share, note), ("dropped_20k", float(lost), "")]
