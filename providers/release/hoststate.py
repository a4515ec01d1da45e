"""What one host has and runs of a service, read in one go."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import msgspec

from ondeck.errors import RemoteFailed
from ondeck.inventory.model import Host, Service
from ondeck.operate.deploys.state import HostState, Kept
from ondeck.reach.ports import Link
from ondeck.text import decode, safe_line
from providers.release import scripts
from providers.release.options import VERSION, ByCommand, Options, words


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
