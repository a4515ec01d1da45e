#!/usr/bin/env python3
"""balancer FOLDER NAME=URL...: a few requests a second to every host that is not drained.

It stands in for users and load balancer of the demo. Requests at once are bounded; one that finds no
free slot is left out, so a slow shop never piles up work.
"""

from __future__ import annotations

import random
import sys
import threading
import time
import urllib.error
import urllib.request
from datetime import datetime, timezone
from pathlib import Path

EVERY = 0.4  # seconds between two requests to one host
LOG_LIMIT = 2_000_000
SLOTS = threading.BoundedSemaphore(8)
PATHS = ("/", "/?basket=2", "/?basket=7", "/?voucher=SPRING")


def ask(name: str, url: str, log: Path) -> None:
    """One request and its line in the balancer's log."""
    path = random.choice(PATHS)
    began = time.monotonic()
    try:
        with urllib.request.urlopen(url + path, timeout=8) as answer:
            status = answer.status
            answer.read(4096)
    except urllib.error.HTTPError as error:
        status = error.code
        error.close()
    except OSError:
        status = 502
    finally:
        SLOTS.release()
    now = datetime.now(timezone.utc)  # noqa: UP017 - also for the Python 3.9 of older hosts
    with log.open("a", encoding="utf-8") as file:
        file.write(
            f'127.0.0.1 - - [{now:%d/%b/%Y:%H:%M:%S} +0000] "GET {path} HTTP/1.1" {status} 0 '
            f'"-" "demo" {time.monotonic() - began:.3f} up={name}\n'
        )
    if log.stat().st_size > LOG_LIMIT:
        log.replace(log.with_name(log.name + ".1"))


def main() -> None:
    """Ask for ever."""
    folder, log = Path(sys.argv[1]), Path(sys.argv[2])
    targets = [word.partition("=")[::2] for word in sys.argv[3:]]
    while True:
        for name, url in targets:
            if not (folder / name).exists() and SLOTS.acquire(blocking=False):
                threading.Thread(target=ask, args=(name, url, log), daemon=True).start()
            time.sleep(EVERY / len(targets))


if __name__ == "__main__":
    main()
