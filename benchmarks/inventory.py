"""Loading 100,000 hosts against PyYAML's C loader on the same file.

Every contender runs in a process of its own, so that none profits from memory that another one left.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

HOSTS = 100_000
HEAD = "ondeck: 1\nenvironments:\n  prod: {protection: confirm}\nhosts:\n"
ENTRY = """\
  host-{n:06d}.example.net:
    env: prod
    group: [web]
    address: 10.{a}.{b}.{c}
    user: deploy
    labels: {{rack: r{rack:02d}}}
"""

PEER = """
import sys, time, yaml
text = open(sys.argv[1]).read()
start = time.perf_counter()
yaml.load(text, Loader=yaml.CSafeLoader)
print(time.perf_counter() - start)
"""
OURS = """
import sys, time
from pathlib import Path
from ondeck.inventory.loader import load
cache = Path(sys.argv[2]) if sys.argv[2] else None
start = time.perf_counter()
inventory = load(Path(sys.argv[1]).parent, cache=cache)
print(time.perf_counter() - start)
assert len(inventory.hosts) == int(sys.argv[3])
"""


def text_of(hosts: int) -> str:
    """An inventory with five variables a host."""
    entries = (ENTRY.format(n=n, a=n >> 16, b=n >> 8 & 255, c=n & 255, rack=n % 40) for n in range(hosts))
    return HEAD + "".join(entries)


def _seconds(code: str, *words: str) -> float:
    done = subprocess.run(
        [sys.executable, "-c", code, *words], stdout=subprocess.PIPE, check=True, text=True, timeout=300
    )
    return float(done.stdout)


def measure() -> list[tuple[str, float, str]]:
    """Name, ratio to the peer, note; small is good."""
    with tempfile.TemporaryDirectory(prefix="ondeck-bench-") as name:
        folder = Path(name)
        path = folder / "ops" / "ondeck.yml"
        path.parent.mkdir()
        path.write_text(text_of(HOSTS))
        cache = str(folder / "cache")
        count = str(HOSTS)
        peer = _seconds(PEER, str(path))
        first = _seconds(OURS, str(path), "", count)
        _seconds(OURS, str(path), cache, count)
        cached = min(_seconds(OURS, str(path), cache, count) for _ in range(2))
    return [
        ("first_load_100k", first / peer, f"{first:.2f} s, CSafeLoader {peer:.2f} s"),
        ("cached_load_100k", cached / peer, f"{cached:.3f} s, CSafeLoader {peer:.2f} s"),
    ]


if __name__ == "__main__":
    for what, ratio, note in measure():
        print(f"{what}: {ratio:.4f}x ({note})")
