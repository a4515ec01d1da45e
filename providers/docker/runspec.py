"""How a container runs: read from the compose file in git, never from what runs."""

from __future__ import annotations

from typing import Any

import msgspec


class Port(msgspec.Struct, frozen=True, kw_only=True):
    """A published port; `address` empty means every address of the host, `host` 0 a free port of its own."""

    container: int
    host: int = 0
    address: str = ""
    protocol: str = "tcp"

    def __str__(self) -> str:
        at = f"{self.address}:" if self.address else ""
        host = f"{at}{self.host}:" if self.host else at
        return f"{host}{self.container}" + ("" if self.protocol == "tcp" else f"/{self.protocol}")


class Mount(msgspec.Struct, frozen=True, kw_only=True):
    """A volume by name, a folder of the host, or memory.

    Attributes:
        kind: `volume`, `bind` or `tmpfs`.
        source: Name or absolute path; empty for memory.
    """

    kind: str
    source: str
    target: str
    read_only: bool = False

    def __str__(self) -> str:
        return f"{self.source}:{self.target}{':ro' if self.read_only else ''}"


class Healthcheck(msgspec.Struct, frozen=True, kw_only=True):
    """The image's own check: `test` as Docker takes it, times in seconds; 0 means Docker's default."""

    test: tuple[str, ...]
    interval: float = 0.0
    timeout: float = 0.0
    retries: int = 0
    start_period: float = 0.0


class Ulimit(msgspec.Struct, frozen=True, kw_only=True):
    """A limit of its processes."""

    name: str
    soft: int
    hard: int


class RunSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What a container is made from beside its image; empty means what the image says.

    Attributes:
        env_files: Paths on the bastion with the sha256 of each: what stands in them is no part of a plan.
        restart: Docker's own words: `no`, `always`, `unless-stopped`, `on-failure`; with `restart_times`.
        stop_grace: Seconds between TERM and KILL.
    """

    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    environment: dict[str, str] = {}
    env_files: tuple[tuple[str, str], ...] = ()
    ports: tuple[Port, ...] = ()
    mounts: tuple[Mount, ...] = ()
    networks: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    network_mode: str = ""
    labels: dict[str, str] = {}
    restart: str = "unless-stopped"
    restart_times: int = 0
    user: str = ""
    working_dir: str = ""
    hostname: str = ""
    healthcheck: Healthcheck | None = None
    stop_grace: float = 10.0
    stop_signal: str = ""
    ulimits: tuple[Ulimit, ...] = ()
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    read_only: bool = False
    tmpfs: tuple[str, ...] = ()
    extra_hosts: tuple[str, ...] = ()
    log_driver: str = ""
    log_options: dict[str, str] = {}

    @property
    def publishes(self) -> bool:
        """Whether it holds a port of the host, so that two of it cannot stand side by side."""
        return any(port.host for port in self.ports) or self.network_mode == "host"

    def words(self) -> tuple[str, ...]:
        """As flags of `docker run`, for who reads a plan; values of variables are left out."""
        flags = [f"--publish={port}" for port in self.ports]
        flags += [f"--volume={mount}" for mount in self.mounts]
        flags += [f"--network={name}" for name in self.networks or filter(None, (self.network_mode,))]
        flags += [f"--env={name}" for name in self.environment]
        flags += [f"--env-file={path}" for path, _ in self.env_files]
        flags += [f"--restart={self.restart}" + (f":{self.restart_times}" if self.restart_times else "")]
        flags += [f"--user={self.user}"] if self.user else []
        flags += ["--read-only"] if self.read_only else []
        flags += [f"--cap-add={name}" for name in self.cap_add] + [f"--cap-drop={n}" for n in self.cap_drop]
        return tuple(flags)


_NS = 10**9


def created(spec: RunSpec, image: str, environment: dict[str, str], labels: dict[str, str]) -> dict[str, Any]:
    """The body of `POST /containers/create`.

    Args:
        spec: How it runs.
        image: With its digest.
        environment: All variables, also those of files and secrets.
        labels: All labels.
    """
    body: dict[str, Any] = {
        "Image": image,
        "Env": [f"{name}={value}" for name, value in environment.items()],
        "Labels": labels,
        "ExposedPorts": {f"{port.container}/{port.protocol}": {} for port in spec.ports},
        "StopTimeout": round(spec.stop_grace),
        "HostConfig": _host(spec),
    }
    for name, value in (
        ("Cmd", list(spec.command) if spec.command is not None else None),
        ("Entrypoint", list(spec.entrypoint) if spec.entrypoint is not None else None),
        ("User", spec.user or None),
        ("WorkingDir", spec.working_dir or None),
        ("Hostname", spec.hostname or None),
        ("StopSignal", spec.stop_signal or None),
        ("Healthcheck", _checked(spec.healthcheck)),
    ):
        if value is not None:
            body[name] = value
    if spec.networks:
        body["NetworkingConfig"] = {"EndpointsConfig": {spec.networks[0]: {"Aliases": list(spec.aliases)}}}
    return body


def _host(spec: RunSpec) -> dict[str, Any]:
    bindings: dict[str, list[dict[str, str]]] = {}
    for port in spec.ports:
        binding = {"HostIp": port.address, "HostPort": str(port.host) if port.host else ""}
        bindings.setdefault(f"{port.container}/{port.protocol}", []).append(binding)
    return {
        "PortBindings": bindings,
        "Mounts": [
            {"Type": m.kind, "Source": m.source, "Target": m.target, "ReadOnly": m.read_only}
            for m in spec.mounts
        ],
        "NetworkMode": spec.networks[0] if spec.networks else spec.network_mode or "default",
        "RestartPolicy": {"Name": spec.restart, "MaximumRetryCount": spec.restart_times},
        "Ulimits": [{"Name": u.name, "Soft": u.soft, "Hard": u.hard} for u in spec.ulimits],
        "CapAdd": list(spec.cap_add) or None,
        "CapDrop": list(spec.cap_drop) or None,
        "ReadonlyRootfs": spec.read_only,
        "Tmpfs": dict(_parted(entry) for entry in spec.tmpfs) or None,
        "ExtraHosts": list(spec.extra_hosts) or None,
        "LogConfig": {"Type": spec.log_driver, "Config": spec.log_options} if spec.log_driver else None,
    }


def _parted(entry: str) -> tuple[str, str]:
    path, _, options = entry.partition(":")
    return path, options


def _checked(check: Healthcheck | None) -> dict[str, Any] | None:
    if check is None:
        return None
    return {
        "Test": list(check.test),
        "Interval": round(check.interval * _NS),
        "Timeout": round(check.timeout * _NS),
        "Retries": check.retries,
        "StartPeriod": round(check.start_period * _NS),
    }
