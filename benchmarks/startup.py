from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.terminal import Terminal

_HELLO = """
from textual.app import App
from textual.widgets import Static
class Hello(App):
    def compose(self):
        yield Static("READY")
Hello().run()
"""
_ROUNDS = 5
_LONGEST = 20.0


def inventory(folder: Path, hosts: int) -> None:
    (folder / "ondeck.yml").write_text("ondeck: 1\nenvironments:\n  prod: {protection: confirm}\n")
    blocks = (
        f"  web-{n}: {{env: prod, group: [web], address: 10.0.{n // 250}.{n % 250 + 1}}}\n"
        for n in range(hosts)
    )
    (folder / "hosts.yml").write_text("hosts:\n" + "".join(blocks))


def _first_frame(argv: list[str], env: dict[str, str], marker: bytes) -> tuple[float, float]:
    """Seconds until the marker was sent to the terminal, and resident MB then."""
    begun = time.perf_counter()
    with Terminal(argv, env=env) as terminal:
        while marker not in terminal.raw:
            if time.perf_counter() - begun > _LONGEST:
                raise RuntimeError(f"no {marker.decode()} on screen: {terminal.text()[:200]}")
            time.sleep(0.001)
        seconds = time.perf_counter() - begun
        status = Path(f"/proc/{terminal.pid}/status").read_text()
        resident = next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]
        return seconds, int(resident) / 1024


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
        ours, bare, memory = [], [], 0.0
        for _ in range(_ROUNDS):
            seconds, memory = _first_frame([ondeck], env, b"Now")
            ours.append(seconds)
            bare.append(_first_frame([sys.executable, "-c", _HELLO], env, b"READY")[0])
    app, hello = statistics.median(ours), statistics.median(bare)
    return [
        ("first_frame_10k", app / hello, f"{app:.3f} s against {hello:.3f} s"),
        ("memory_10k", memory, ""),
    ]
