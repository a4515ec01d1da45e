"""A template of CloudFormation as a file, or as it stands at a commit."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import msgspec

from ondeck.errors import BadInput, Missing
from ondeck.text import decode, safe_line

LARGEST = 51_200
"""Bytes of a template that goes with the request; a larger one needs a bucket ("CloudFormation quotas")."""
_GIT_SECONDS = 30.0


class Template(msgspec.Struct, frozen=True):
    """A template's text, and where it comes from in words."""

    body: str
    source: str

    @property
    def digest(self) -> str:
        """sha256, hexadecimal."""
        return hashlib.sha256(self.body.encode()).hexdigest()


async def read(path: str, ref: str) -> Template:
    """The template, as the file lies there or as a commit has it.

    Raises:
        BadInput: It cannot be read, is too large, or there is no such commit.
        Missing: git is not installed.
    """
    file = _absolute(path)
    if not ref:
        try:
            data = await asyncio.to_thread(file.read_bytes)
        except OSError as error:
            raise BadInput(f"the template cannot be read: {error.strerror}", where=str(file)) from error
        return _checked(data, str(file), f"{file.name} as it lies here")
    if ref.startswith("-"):
        raise BadInput(f"{ref!r} names no commit")
    # `--end-of-options`: what somebody typed is a name, never a flag.
    commit = decode(
        await _git(file.parent, "rev-parse", "--verify", "--end-of-options", f"{ref}^{{commit}}")
    ).strip()
    data = await _git(file.parent, "show", f"{commit}:./{file.name}")
    return _checked(data, str(file), f"{file.name} at {safe_line(ref)} ({commit[:8]})")


def _absolute(path: str) -> Path:
    return Path(path).expanduser().absolute()


def _checked(data: bytes, where: str, source: str) -> Template:
    if len(data) > LARGEST:
        raise BadInput(
            f"the template has {len(data)} bytes, {LARGEST} can be sent with a request", where=where
        )
    try:
        return Template(data.decode(), source)
    except UnicodeDecodeError as error:
        raise BadInput("the template is not UTF-8", where=where) from error


async def _git(folder: Path, *argv: str) -> bytes:
    try:
        process = await asyncio.create_subprocess_exec(
            "git", "-C", str(folder), *argv,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
    except FileNotFoundError as error:
        raise Missing("git is not installed") from error
    try:
        async with asyncio.timeout(_GIT_SECONDS):
            out, err = await process.communicate()
    except TimeoutError as error:
        process.kill()
        await process.wait()
        raise BadInput("git did not answer in time", where=str(folder)) from error
    if process.returncode != 0:
        raise BadInput(f"git says: {safe_line(decode(err).strip())}", where=str(folder))
    return out
