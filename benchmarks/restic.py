"""What a backup costs under ondeck: restic as a detached command against restic alone, on a folder of random bytes.

The look at the repository afterwards, which proves that the snapshot is there, is a figure of its own: it is
the same few seconds for a backup of any size.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import tempfile
import time
from pathlib import Path

_BYTES = int(os.environ.get("ONDECK_BENCH_RESTIC_MIB", "1024")) << 20
_FILES = 64
_ROUNDS = 3
_WORDS = ("restic", "backup", "--json", "--host", "bench")


def _folder(root: Path) -> Path:
    data = root / "data"
    data.mkdir()
    for number in range(_FILES):
        (data / f"{number}.bin").write_bytes(os.urandom(_BYTES // _FILES))
    return data


def _fresh(root: Path, name: str) -> dict[str, str]:
    env = {"RESTIC_REPOSITORY": str(root / name), "RESTIC_PASSWORD": "bench", "RESTIC_PROGRESS_FPS": "0.5"}
    subprocess.run(["restic", "init", "-q"], env={**os.environ, **env}, check=True)
    return env


def _alone(root: Path, data: Path, name: str) -> float:
    env = _fresh(root, name)
    began = time.perf_counter()
    subprocess.run([*_WORDS, str(data)], env={**os.environ, **env}, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


async def _detached(root: Path, data: Path, name: str) -> float:
    """The same with the words, the folder and the follower that an operation has."""
    from ondeck import settings
    from ondeck.operate.bench import HERE
    from ondeck.reach.detached import Detached
    from ondeck.secret import Secret
    from providers.local.reach import LocalReach

    env = _fresh(root, name)
    own = settings.load()
    reach = LocalReach(own)
    try:
        job = Detached(await reach.connect(HERE), f"bench-{name}", own)
        secret = {"RESTIC_PASSWORD": Secret(env.pop("RESTIC_PASSWORD"))}
        began = time.perf_counter()
        await job.launch([*_WORDS, str(data)], env=env, secret_env=secret)
        await job.follow(lambda data, err: None)
        look = await job.look()
        took = time.perf_counter() - began
        await job.forget()
    finally:
        await reach.aclose()
    if look.status != 0:
        raise RuntimeError(f"restic ended with {look.status}")
    return took


def measure() -> list[tuple[str, float, str]]:
    """The ratio of the best of a few rounds each, taken in turns."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        data = _folder(root)
        alone, under = [], []
        for number in range(_ROUNDS):
            alone.append(_alone(root, data, f"alone-{number}"))
            under.append(asyncio.run(_detached(root, data, f"under-{number}")))
    note = f"alone {min(alone):.2f} s, under ondeck {min(under):.2f} s, {_BYTES >> 20} MiB"
    return [("run_ratio", min(under) / min(alone), note)]
