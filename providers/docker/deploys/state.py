"""What one host has and runs of a service, read from the labels of its containers and from its images."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

import msgspec

from ondeck.errors import LinkLost, Missing, RemoteFailed, Unreachable
from ondeck.inventory.model import Host, Service
from ondeck.operate.deploys.state import HostState, Kept
from ondeck.reach.ports import Link
from ondeck.text import decode, safe_line
from providers.docker.client import Client
from providers.docker.deploys.options import DockerOptions

SERVICE, ENV, VERSION = "ondeck.service", "ondeck.env", "ondeck.version"
DIGEST, ATTEMPT = "ondeck.digest", "ondeck.attempt"
CLAIM = "ondeck.claim"
"""On a container that is never started: it only holds an attempt's name. Its value is `SERVICE@ENV`."""

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}
NEVER = "0001-01-01T00:00:00Z"

_LOOK = """date +%s.%N; p=$1
while [ ! -d "$p" ]; do n=${p%/*}; p=${n:-/}; done
df -Pk -- "$p" | awk 'NR==2 {print $4}'"""


class Container(msgspec.Struct, frozen=True, kw_only=True):
    """One container of a service; times are ns of the host's clock, 0 when never.

    Attributes:
        digest: Hexadecimal digits of the image's digest; empty when it has none.
        started: As the engine writes it: another text means that it was started again.
        health: Docker's own word: `healthy`, `unhealthy`, `starting`; empty without a check.
        own: Made by ondeck.
    """

    id: str
    name: str
    version: str
    digest: str
    image: str
    status: str
    started: str = NEVER
    created: int = 0
    since: int = 0
    exit_code: int = 0
    restarts: int = 0
    health: str = ""
    oom: bool = False
    restart_policy: str = "no"
    attempt: str = ""
    claim: bool = False
    own: bool = True

    @property
    def running(self) -> bool:
        """Whether its process lives, or is about to be started again by the engine."""
        return self.status in ("running", "paused", "restarting")

    @property
    def begun(self) -> bool:
        """Whether it was ever started."""
        return self.started != NEVER

    def ended(self) -> str:
        """How its process ended: `exit 3`, `killed: out of memory`."""
        return "killed: out of memory" if self.oom else f"exit {self.exit_code}"


class DockerState(HostState, frozen=True, kw_only=True):
    """A host with its engine.

    Attributes:
        containers: Of the service, newest first, without claims.
        claims: Names of containers that only hold an attempt's name.
        images: Digests of the service's images that are there.
        platform: `linux/amd64`.
    """

    containers: tuple[Container, ...] = ()
    claims: tuple[str, ...] = ()
    images: frozenset[str] = frozenset()
    platform: str = ""

    @property
    def live(self) -> tuple[Container, ...]:
        """Those that run, the one started last first."""
        found = [one for one in self.containers if one.running]
        return tuple(sorted(found, key=lambda one: one.since, reverse=True))

    def stopped(self, digest: str) -> Container | None:
        """The newest kept container of an image, ready to be started again."""
        return next(
            (c for c in self.containers if c.digest == digest and c.own and not c.running and c.begun), None
        )


def nanoseconds(text: str) -> int:
    """An engine's time; 0 for never or what is none."""
    if not text or text.startswith("0001-"):
        return 0
    head, _, rest = text.rstrip("Z").partition(".")
    fraction = rest[:9].ljust(9, "0") if rest else "0"
    try:
        return int(datetime.fromisoformat(f"{head}+00:00").timestamp()) * 10**9 + int(fraction)
    except ValueError:
        return 0


def container_of(said: dict[str, Any]) -> Container:
    """A container from what `inspect` says."""
    labels = said["Config"].get("Labels") or {}
    state = said.get("State") or {}
    image = str(said["Config"].get("Image", ""))
    digest = str(labels.get(DIGEST) or image.partition("@")[2]).removeprefix("sha256:")
    tag = image.partition("@")[0].rpartition("/")[2].partition(":")[2]
    return Container(
        id=str(said["Id"]),
        name=safe_line(str(said["Name"]).lstrip("/")),
        version=safe_line(str(labels.get(VERSION) or tag or image[:64])),
        digest=safe_line(digest),
        image=str(said.get("Image", "")),
        status=safe_line(str(state.get("Status", ""))),
        started=str(state.get("StartedAt", NEVER)),
        created=nanoseconds(str(said.get("Created", ""))),
        since=nanoseconds(str(state.get("StartedAt", ""))),
        exit_code=int(state.get("ExitCode", 0)),
        restarts=int(said.get("RestartCount", 0)),
        health=safe_line(str((state.get("Health") or {}).get("Status", ""))),
        oom=bool(state.get("OOMKilled")),
        restart_policy=str((said["HostConfig"].get("RestartPolicy") or {}).get("Name") or "no"),
        attempt=safe_line(str(labels.get(ATTEMPT, ""))),
        claim=CLAIM in labels,
        own=SERVICE in labels or CLAIM in labels,
    )


async def inspect(engine: Client, name: str) -> Container | None:
    """One container by name or id; None when there is none."""
    try:
        return container_of(await engine.ask(lambda api: api.inspect_container(name)))
    except Missing:
        return None


async def containers(engine: Client, service: Service, env: str, foreign: str = "") -> list[Container]:
    """Every container of a service, newest first; with `foreign` also one that ondeck did not make."""
    wanted = {"label": [f"{SERVICE}={service.name}", f"{ENV}={env}"]}
    held = {"label": [f"{CLAIM}={service.name}@{env}"]}
    listed = await engine.ask(lambda api: api.containers(all=True, filters=wanted))
    listed += await engine.ask(lambda api: api.containers(all=True, filters=held))
    names = [str(one["Id"]) for one in listed] + ([foreign] if foreign else [])
    found = [one for name in names if (one := await inspect(engine, name)) is not None]
    unique = {one.id: one for one in found}
    return sorted(unique.values(), key=lambda one: one.created, reverse=True)


async def look(
    link: Link, engine: Client, service: Service, host: Host, options: DockerOptions
) -> DockerState:
    """Read a host's state.

    Raises:
        LinkLost, Unreachable, TimeoutError: It could not be asked.
        RemoteFailed: It answered with an error.
    """
    known = await containers(engine, service, host.env, options.container)
    info = await engine.ask(lambda api: api.info())
    images = await engine.ask(lambda api: api.images(name=options.image))
    free, offset = await _room(link, str(info.get("DockerRootDir", "/var/lib/docker")))
    digests = frozenset(
        reference.partition("@sha256:")[2]
        for image in images
        for reference in image.get("RepoDigests") or ()
        if reference.startswith(f"{options.image}@")
    )
    own = tuple(one for one in known if not one.claim)
    state = DockerState(
        host=host.name,
        kept=_kept(own),
        free=free,
        offset=offset,
        containers=own,
        claims=tuple(one.name for one in known if one.claim),
        images=digests,
        platform=f"{info.get('OSType', '')}/{_architecture(str(info.get('Architecture', '')))}",
    )
    if not state.live:
        return state
    first = state.live[0]
    version = "+".join(dict.fromkeys(one.version for one in state.live))
    previous = next((one.version for one in own if not one.running and one.begun), "")
    return msgspec.structs.replace(
        state, version=version, digest=first.digest, since=first.since, previous=previous
    )


def _architecture(name: str) -> str:
    return ARCHITECTURES.get(name, safe_line(name))


def _kept(known: tuple[Container, ...]) -> tuple[Kept, ...]:
    found: dict[str, Kept] = {}
    for one in known:
        found.setdefault(one.version, Kept(one.version, one.digest, one.created))
    return tuple(found.values())


async def _room(link: Link, root: str) -> tuple[int | None, float | None]:
    before = time.time()
    try:
        done = await link.run(["sh", "-c", _LOOK, "sh", root])
    except (LinkLost, Unreachable):
        raise
    except (RemoteFailed, TimeoutError):
        return None, None
    middle = (before + time.time()) / 2
    lines = decode(done.stdout).split()
    free = int(lines[1]) * 1024 if len(lines) > 1 and lines[1].isdecimal() else None
    try:
        return free, float(lines[0].removesuffix("%N").removesuffix(".")) - middle
    except (IndexError, ValueError):
        return free, None
