"""What one host has and runs of a service, read in one go."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import msgspec

from ondeck.errors import OndeckError, RemoteFailed
from ondeck.inventory.model import Host, Service
from ondeck.reach.ports import Link
from ondeck.text import decode, safe_line
from providers.release import scripts
from providers.release.options import VERSION, ByCommand, Options, words

SHORT = 12
"""How many characters of a digest are shown."""


class Kept(msgspec.Struct, frozen=True):
    """A release that lies on a host; `when` is when it was unpacked, ns."""

    version: str
    sha256: str = ""
    when: int = 0
    migrated: tuple[str, ...] = ()


class HostState(msgspec.Struct, frozen=True, kw_only=True):
    """Facts of one host; None and empty mean not known.

    Attributes:
        version: What `current` names, or what the version command said.
        digest: sha256 of that release.
        since: When it was switched on, ns.
        kept: Releases on the host, newest first.
        free: Bytes free where the releases lie.
        offset: Host clock minus ours, seconds.
        drained: Who drained it, empty when it is in; None when not known.
        unit: Properties of the systemd unit.
    """

    host: str
    version: str = ""
    digest: str = ""
    since: int = 0
    kept: tuple[Kept, ...] = ()
    free: int | None = None
    offset: float | None = None
    drained: str | None = None
    previous: str = ""
    unit: dict[str, str] = {}

    def has(self, version: str) -> Kept | None:
        """The kept release of that version."""
        return next((kept for kept in self.kept if kept.version == version), None)

    def label(self) -> str:
        """As preconditions name it: `2.15.0 9f3c1a2b3c4d`, or `none`."""
        return labelled(self.version, self.digest)


def labelled(version: str, digest: str) -> str:
    """A release in one short text."""
    return f"{version} {digest[:SHORT]}".strip() if version else "none"


class _Json(msgspec.Struct, frozen=True):
    version: str
    sha256: str
    when: int = 0


async def look(link: Link, service: Service, host: Host, options: Options) -> HostState:
    """Read a host's state.

    Raises:
        LinkLost, Unreachable, TimeoutError: It could not be asked.
        RemoteFailed: It answered with an error.
    """
    if isinstance(options, ByCommand):
        return await _by_command(link, service, host, options)
    before = time.time()
    done = await link.run(scripts.argv(scripts.LOOK, options.path, options.unit), become=options.as_user())
    middle = (before + time.time()) / 2
    if not done.ok:
        raise RemoteFailed(
            f"cannot look at {options.path}: {safe_line(decode(done.stderr.strip()))}", where=host.name
        )
    return _read(host.name, decode(done.stdout), middle)


async def _by_command(link: Link, service: Service, host: Host, options: ByCommand) -> HostState:
    done = await link.run(words(options.version, service, host), become=options.as_user())
    if not done.ok:
        said = safe_line(decode((done.stderr or done.stdout).strip()))[:200]
        raise RemoteFailed(f"its version command ended with {done.status}: {said}", where=host.name)
    lines = decode(done.stdout).strip().splitlines()
    return HostState(host=host.name, version=safe_line(lines[0])[:128] if lines else "")


def _read(host: str, text: str, ours: float) -> HostState:
    found: dict[str, str] = {}
    kept: list[Kept] = []
    unit: dict[str, str] = {}
    for line in text.splitlines():
        key, _, value = line.partition("\t")
        if key == "kept":
            kept.extend(_kept(value))
        elif key == "unit":
            name, _, said = value.partition("=")
            unit[name] = said
        else:
            found[key] = value
    kept.sort(key=lambda entry: (entry.when, entry.version), reverse=True)
    version = found.get("link", "").removeprefix("releases/")
    digest = next((entry.sha256 for entry in kept if entry.version == version), "")
    return HostState(
        host=host,
        version=version,
        digest=digest,
        since=int(found["since"]) * 10**9 if found.get("since", "").isdecimal() else 0,
        kept=tuple(kept),
        free=int(found["free"]) * 1024 if found.get("free", "").isdecimal() else None,
        offset=_offset(found, ours),
        drained=found.get("drained", ""),
        previous=found.get("previous", ""),
        unit=unit,
    )


def _offset(found: Mapping[str, str], ours: float) -> float | None:
    try:
        # busybox counts whole seconds and leaves %N as it is.
        return float(found["now"].removesuffix("%N")) - ours
    except (KeyError, ValueError):
        return None


def _kept(value: str) -> list[Kept]:
    name, _, rest = value.partition("\t")
    json, _, marks = rest.partition("\t")
    if not VERSION.fullmatch(name):
        return []
    try:
        said = msgspec.json.decode(json, type=_Json)
    except msgspec.DecodeError:
        return []
    done = tuple(m.removeprefix("migrated-") for m in marks.split() if m != "migrated-*")
    return [Kept(name, said.sha256, said.when, done)]


def release_json(version: str, digest: str, by: str, job: str) -> bytes:
    """The record that lies in a release, one line."""
    record: dict[str, Any] = {
        "version": version,
        "sha256": digest,
        "when": time.time_ns(),
        "by": by,
        "job": job,
    }
    return msgspec.json.encode(record) + b"\n"


def why(error: BaseException) -> str:
    """One line for an error that kept a host from being asked."""
    if isinstance(error, OndeckError):
        return error.message
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return safe_line(str(error)) or type(error).__name__
