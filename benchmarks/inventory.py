"""Loading 100,000 hosts against PyYAML's C loader on the same file, and choosing among 10,000.

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
SELECT = """
import sys, time
from pathlib import Path
from ondeck.inventory import selector
from ondeck.inventory.loader import load
inventory = load(Path(sys.argv[1]).parent)
start = time.perf_counter()
found = selector.parse(["env=prod,role=web", "name=*77* or rack in (r01,r02)"]).select(inventory)
print(time.perf_counter() - start)
assert found
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
        big = folder / "big" / "ondeck.yml"
        small = folder / "small" / "ondeck.yml"
        for path, hosts in ((big, HOSTS), (small, HOSTS // 10)):
            path.parent.mkdir()
            path.write_text(text_of(hosts))
        cache = str(folder / "cache")
        count = str(HOSTS)
        peer = _seconds(PEER, str(big))
        first = _seconds(OURS, str(big), "", count)
        _seconds(OURS, str(big), cache, count)
        cached = min(_seconds(OURS, str(big), cache, count) for _ in range(2))
        small_peer = _seconds(PEER, str(small))
        select = _seconds(SELECT, str(small))
    return [
        ("inventory 100k first load", first / peer, f"{first:.2f} s, yaml.CSafeLoader {peer:.2f} s"),
        ("inventory 100k from cache", cached / peer, f"{cached:.3f} s, yaml.CSafeLoader {peer:.2f} s"),
        (
            "inventory 10k one selector",
            select / small_peer,
            f"{select * 1000:.1f} ms, yaml.CSafeLoader reads it in {small_peer:.2f} s",
        ),
    ]


if __name__ == "__main__":
    for name, ratio, note in measure():
        print(f"{name}: {ratio:.4f}x ({note})")
