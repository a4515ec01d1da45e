"""The command line and the hosts of a running demo, as a person at the bastion uses them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from lab.embedded.demo import Demo

T = TypeVar("T")
ONDECK = str(Path(sys.executable).parent / "ondeck")
MORTAL = str(Path(__file__).with_name("mortal.py"))


@dataclass(frozen=True, slots=True)
class Done:
    """One command that ended."""

    code: int
    out: str
    err: str
    raw: bytes = b""

    @property
    def data(self) -> Any:
        return json.loads(self.out)

    def __str__(self) -> str:
        return f"exit {self.code}\n--- out\n{self.out}\n--- err\n{self.err}"


@dataclass(slots=True)
class Player:
    """Types commands at a demo; `state` and `inventory` may be others than the demo's own."""

    demo: Demo
    timescale: float = 0.2
    more: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        path = f"{Path(ONDECK).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        return {
            **os.environ,
            **self.demo.environment,
            "ONDECK_TIMESCALE": str(self.timescale),
            "PATH": path,
            "TERM": "dumb",
            **self.more,
        }

    def env(self, **more: str) -> Player:
        return Player(self.demo, self.timescale, {**self.more, **more})

    def run(
        self, *argv: str, data: bytes | None = None, timeout: float = 60.0, code: int | None = None
    ) -> Done:
        program = [sys.executable, "-P", MORTAL] if "ONDECK_FAULT_AT" in self.more else [ONDECK]
        done = subprocess.run(
            [*program, *argv], env=self.environment, capture_output=True, timeout=timeout, check=False,
            **({"stdin": subprocess.DEVNULL} if data is None else {"input": data}),  # type: ignore[call-overload]
        )  # fmt: skip
        said = Done(
            done.returncode,
            done.stdout.decode(errors="replace"),
            done.stderr.decode(errors="replace"),
            done.stdout,
        )
        if code is not None:
            assert said.code == code, f"ondeck {' '.join(argv)}: wanted exit {code}\n{said}"
        return said

    def start(self, *argv: str) -> subprocess.Popen[bytes]:
        """A command that goes on; the caller ends it."""
        return subprocess.Popen(
            [ONDECK, *argv], env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )  # fmt: skip

    def ssh(self, host: str, command: str, timeout: float = 30.0) -> str:
        """What a host itself says, past ondeck."""
        done = subprocess.run(
            ["ssh", "-F", str(self.demo.base / "ssh_config"), "-o", "BatchMode=yes", host, command],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip
        return done.stdout.strip()

    def jobs(self) -> list[dict[str, Any]]:
        found = self.run("jobs", "-o", "json", code=0).data
        assert isinstance(found, list)
        return found

    def job(self, name: str) -> Mapping[str, Any]:
        found = self.run("jobs", name, "-o", "json", code=0).data
        assert isinstance(found, dict)
        return found

    def newest(self) -> str:
        return str(self.jobs()[0]["job"])


def eventually(look: Callable[[], T], seconds: float = 20.0, pause: float = 0.1) -> T:
    """The first true answer."""
    until = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < until, f"never came: {found!r}"
        time.sleep(pause)
