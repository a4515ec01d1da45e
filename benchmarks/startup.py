"""The first frame of the Now pane on 10,000 hosts against a bare Textual app, in a pty.

Rounds are interleaved and a ratio is taken inside each of them, because other work on the machine comes and
goes. The marker stands in the last block of the pane, so that all of the frame has to be there.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from tests.terminal import Terminal

_HELLO = """
from textual.app import App
from textual.widgets import Static
class Hello(App):
    def compose(self):
        yield Static("READY")
Hello().run()
"""
_ROUNDS = 9
_MARKER = b"FLEET"
_LONGEST = 20.0


def inventory(folder: Path, hosts: int) -> None:
    (folder / "ondeck.yml").write_text("ondeck: 1\nenvironments:\n  prod: {protection: confirm}\n")
    blocks = (
        f"  web-{n}: {{env: prod, group: [web], address: 10.0.{n // 250}.{n % 250 + 1}}}\n"
        for n in range(hosts)
    )
    (folder / "hosts.yml").write_text("hosts:\n" + "".join(blocks))


class Frame(NamedTuple):
    """What it took until the marker was sent to the terminal.

    Attributes:
        cpu: Seconds that its threads ran until then.
        resident: MB.
    """

    wall: float
    cpu: float
    resident: float


def _first_frame(argv: list[str], env: dict[str, str], marker: bytes) -> Frame:
    begun = time.perf_counter()
    with Terminal(argv, env=env) as terminal:
        while marker not in terminal.raw:
            if time.perf_counter() - begun > _LONGEST:
                raise RuntimeError(f"no {marker.decode()} on screen: {terminal.text()[:200]}")
            time.sleep(0.001)
        wall = time.perf_counter() - begun
        process = Path(f"/proc/{terminal.pid}")
        ran = sum(int(stat.read_text().split()[0]) for stat in process.glob("task/*/schedstat"))
        status = (process / "status").read_text().splitlines()
        resident = next(line for line in status if line.startswith("VmRSS")).split()[1]
        return Frame(wall, ran / 1e9, int(resident) / 1024)


def measure() -> list[tuple[str, float, str]]:
    """First frame and memory of the app on 10,000 hosts, against a bare Textual app."""
    with tempfile.TemporaryDirectory() as temp:
        folder = Path(temp)
        (folder / "inv").mkdir()
        inventory(folder / "inv", 10_000)
        env = {**os.environ, "TERM": "xterm-256color", "HOME": temp, "ONDECK_INVENTORY": str(folder / "inv")}
        for name in ("XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "ONDECK_STATE"):
            env.pop(name, None)
        ondeck = str(Path(sys.executable).with_name("ondeck"))
        subprocess.run([ondeck, "get", "hosts", "-o", "name"], env=env, stdout=subprocess.DEVNULL, check=True)
        rounds = [
            (
                _first_frame([ondeck], env, _MARKER),
                _first_frame([sys.executable, "-c", _HELLO], env, b"READY"),
            )
            for _ in range(_ROUNDS)
        ]
    wall = statistics.median(ours.wall / hello.wall for ours, hello in rounds)
    cpu = statistics.median(ours.cpu / hello.cpu for ours, hello in rounds)
    app, bare = (statistics.median(frame.wall for frame in frames) for frames in zip(*rounds, strict=True))
    return [
        ("first_frame_10k", wall, f"{app:.3f} s against {bare:.3f} s; {cpu:.2f} x its CPU"),
        ("memory_10k", rounds[-1][0].resident, ""),
    ]
