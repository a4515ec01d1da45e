"""Wall and CPU of a command with everything it started, also what outlives it (the worker of a job).

`python -m benchmarks.tree REPORT ARGV...` runs the command as the parent of all its orphans, waits for
each of them, and writes the figures into a file. Standard output and error are those of the command.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER, see prctl(2)


class Cost(NamedTuple):
    """What one run cost.

    Attributes:
        wall: Seconds until the command itself ended, its interpreter's start included.
        cpu: User and system seconds of the command and of every process below it.
    """

    wall: float
    cpu: float
    said: str


def timed(argv: Sequence[str], env: Mapping[str, str]) -> Cost:
    """Run a command and everything it starts to the end.

    Raises:
        RuntimeError: It did not end with 0.
    """
    with tempfile.NamedTemporaryFile("r") as report:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.tree", report.name, *argv],
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        said = done.stdout.decode(errors="replace")
        if done.returncode:
            raise RuntimeError(f"{argv[0]} ended with {done.returncode}: {said[-300:]}")
        wall, cpu = json.load(report)
    return Cost(wall, cpu, said)


def _main(report: str, argv: list[str]) -> int:
    if ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0):
        raise OSError("orphans cannot be adopted, so their CPU would be missed")
    began = time.perf_counter()
    first = os.posix_spawnp(argv[0], argv, os.environ)
    status, wall = 0, 0.0
    while True:
        try:
            pid, ended = os.wait()
        except ChildProcessError:
            break
        if pid == first:
            status, wall = os.waitstatus_to_exitcode(ended), time.perf_counter() - began
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    Path(report).write_text(json.dumps([wall, usage.ru_utime + usage.ru_stime]))
    return status


if __name__ == "__main__":
    raise SystemExit(_main(sys.argv[1], sys.argv[2:]))
