#!/usr/bin/env python3
"""checkout: the small web shop of the demo. Started by `ctl`; standard library only.

What it does wrong is its version's: 2.15.0 lost its way to orders-db, every other version is well.
"""

from __future__ import annotations

import json
import random
import sys
import threading
import time
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SICK = {"2.15.0"}
LOG_LIMIT = 2_000_000  # bytes; then the file is rotated to .1
SLOTS = 16  # requests at once; beyond it the answer is 503


class Log:
    """Append lines to a file, bounded by one rotation."""

    def __init__(self, path: Path) -> None:
        """Open for appending."""
        self._path = path
        self._lock = threading.Lock()
        self._file = path.open("a", encoding="utf-8")

    def write(self, line: str) -> None:
        """One line, at once in the file."""
        with self._lock:
            self._file.write(line + "\n")
            self._file.flush()
            if self._file.tell() > LOG_LIMIT:
                self._file.close()
                self._path.replace(self._path.with_name(self._path.name + ".1"))
                self._file = self._path.open("a", encoding="utf-8")


def utc() -> datetime:
    """Now, in UTC."""
    return datetime.now(timezone.utc)  # noqa: UP017 - also for the Python 3.9 of older hosts


class Shop:
    """What the answers are made from."""

    def __init__(self, version: str, logs: Path) -> None:
        """Open the logs."""
        self.version = version
        self.sick = version in SICK
        self.app = Log(logs / "app.log")
        self.access = Log(logs / "access.log")
        self.worker = Log(logs / "worker.log")
        self.system = Log(logs / "system.log")
        self.slots = threading.BoundedSemaphore(SLOTS)
        self.served = 0

    def say(self, level: str, message: str, **fields: object) -> None:
        """One JSON line of the application's log."""
        stamp = utc().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        record = {"ts": stamp, "level": level, "msg": message, "version": self.version, **fields}
        self.app.write(json.dumps(record))

    def buy(self) -> tuple[int, str]:
        """One purchase: its status and body, after the time that it takes."""
        if not self.sick:
            time.sleep(random.uniform(0.02, 0.12))
            return 200, "bought\n"
        slow = random.uniform(0.9, 2.4)
        time.sleep(slow)
        if random.random() < 0.3:
            attempt = random.randint(1, 9)
            self.say("error", f"timeout 5000ms calling orders-db attempt={attempt}/9", took_ms=5000)
            return 504, "orders-db did not answer\n"
        self.say("warn", f"pool {random.randint(37, 40)}/40 in use", waiting=random.randint(0, 5))
        return 200, "bought, slowly\n"

    def work(self) -> None:
        """The background worker: a logfmt line now and then, for ever."""
        turn = 0
        while True:
            time.sleep(random.uniform(1.5, 3.0))
            turn += 1
            level = "warn" if self.sick and turn % 3 == 0 else "info"
            queue = random.randint(80, 400) if self.sick else random.randint(0, 9)
            stamp = utc().isoformat(timespec="seconds").replace("+00:00", "Z")
            self.worker.write(f'ts={stamp} level={level} component=mailer msg="queue drained" queue={queue}')
            if turn % 4 == 0:
                self.system.write(f"{utc():%b %d %H:%M:%S} checkout[{turn}]: {self.served} requests served")


def handler(shop: Shop) -> type[BaseHTTPRequestHandler]:
    """The request handler of one shop."""

    class Handler(BaseHTTPRequestHandler):
        server_version = f"checkout/{shop.version}"
        timeout = 10

        def do_GET(self) -> None:
            began = time.monotonic()
            if self.path == "/healthz":
                status, body = (503, "orders-db: pool exhausted 40/40\n") if shop.sick else (200, "ok\n")
            elif self.path == "/version":
                status, body = 200, shop.version + "\n"
            elif self.path.split("?")[0] == "/":
                if shop.slots.acquire(blocking=False):
                    try:
                        status, body = shop.buy()
                    finally:
                        shop.slots.release()
                else:
                    status, body = 503, "too many requests at once\n"
            else:
                status, body = 404, "no such page\n"
            self._answer(status, body, time.monotonic() - began)

        def _answer(self, status: int, body: str, took: float) -> None:
            data = body.encode()
            shop.served += 1
            stamp = f"{utc():%d/%b/%Y:%H:%M:%S} +0000"
            agent = self.headers.get("User-Agent", "-")[:80].replace('"', "'")
            shop.access.write(
                f'{self.client_address[0]} - - [{stamp}] "GET {self.path[:200]} HTTP/1.1" {status} '
                f'{len(data)} "-" "{agent}" {took:.3f}'
            )
            try:
                self.send_response(status)
                self.send_header("Content-Type", "text/plain")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)
            except ConnectionError:
                shop.say("warn", "client went away")

        def log_message(self, *arguments: object) -> None:
            """The access log is ours."""

    return Handler


def main() -> None:
    """`checkout ADDRESS PORT LOGS`: serve until told to stop."""
    address, port, logs = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    version = (Path(__file__).resolve().parent.parent / "VERSION").read_text().strip()
    shop = Shop(version, logs)
    server = ThreadingHTTPServer((address, port), handler(shop))
    shop.say("info", f"checkout {version} listens on {address}:{port}")
    threading.Thread(target=shop.work, daemon=True).start()
    server.serve_forever()


if __name__ == "__main__":
    main()
