"""How long a job takes to its first remote byte, over a real OpenSSH server on loopback.

The command on the host is `date`: client and host share a clock, so its stamp says when the host began.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_ROUNDS = 5
_STAMP = ("date", "+%s.%N")


def _write(folder: Path, server: object) -> None:
    (folder / "ondeck.yml").write_text(
        f"ondeck: 1\nssh: {{known_hosts: {server.known_hosts}, config: {server.folder / 'ssh_config'}}}\n"  # type: ignore[attr-defined]
        "environments:\n  bench: {protection: confirm}\n"
        f"hosts:\n  web-1: {{env: bench, address: {server.address}, port: {server.port}, user: {server.user}}}\n"  # type: ignore[attr-defined]
    )


async def _once(inventory: Path) -> float:
    """Seconds from `road.start` of a change to the first byte that its host wrote."""
    from ondeck import settings
    from ondeck.deck import open_deck
    from ondeck.job.consent import Consent
    from ondeck.job.plan import Request
    from ondeck.operate import road

    deck = open_deck(settings.load(inventory=inventory))
    request = Request(
        operation="host.exec", subject="web-1", targets=("web-1",), env="bench", params={"argv": list(_STAMP)}
    )
    drafted = await road.draft(deck, request)
    began = time.time()
    job = await asyncio.to_thread(road.start, deck, drafted, Consent(confirmed=True))
    async for _, event in deck.record.follow(job):
        if type(event).__name__ == "JobEnded":
            break
    return float(deck.record.output(job, "web-1").data.decode().split()[0]) - began


def _whole(inventory: Path) -> tuple[float, float]:
    """Seconds from the start of `ondeck exec` to the host's stamp, and to its end."""
    ondeck = str(Path(sys.executable).with_name("ondeck"))
    argv = [ondeck, "-i", str(inventory), "exec", "-l", "name=web-1", "-y", "--", *_STAMP]
    began = time.time()
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    ended = time.time() - began
    if done.returncode:
        raise RuntimeError(f"ondeck exec ended with {done.returncode}: {done.stderr[-300:]}")
    words = [word for word in done.stdout.split() if word.startswith("1") and "." in word]
    return float(words[-1]) - began, ended


def measure() -> list[tuple[str, float, str]]:
    """Median of five jobs in a state of their own."""
    from tests.contract.sshd import serving

    with tempfile.TemporaryDirectory() as temp, serving(Path(temp, "sshd")) as server:
        os.environ["HOME"] = temp
        for name in ("STATE", "CACHE", "CONFIG"):
            os.environ[f"XDG_{name}_HOME"] = str(Path(temp, name.lower()))
        inventory = Path(temp, "inventory")
        inventory.mkdir()
        _write(inventory, server)
        jobs = [asyncio.run(_once(inventory)) for _ in range(_ROUNDS)]
        whole = [_whole(inventory) for _ in range(_ROUNDS)]
    stamp, end = (statistics.median(column) for column in zip(*whole, strict=True))
    note = (
        f"of {min(jobs):.2f} to {max(jobs):.2f} s; `ondeck exec`: first byte {stamp:.2f} s, end {end:.2f} s"
    )
    return [("first_byte", statistics.median(jobs), note)]
