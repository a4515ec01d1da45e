"""What a service says under `deploy:` for the kind `docker`, checked."""

from __future__ import annotations

from pathlib import Path

import msgspec

from ondeck.errors import BadInput, Refused
from ondeck.inventory.model import Deploy, Host, Inventory, Protection, Service
from ondeck.inventory.problems import Bad
from ondeck.inventory.values import duration
from providers.docker import compose
from providers.docker.engine import SOCKET
from providers.docker.registry import TAG, Repository, repository
from providers.docker.runspec import RunSpec

LATEST = "latest"


class Compose(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where it is written how the service runs: a file in the inventory's folder, and which service of it."""

    file: str
    service: str


class Account(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who we are for the registry; the password is a reference to a secret."""

    user: str
    password: str


class DockerOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of `kind: docker`.

    Attributes:
        image: Name without a version: `registry.example.net/shop/checkout`.
        socket: Where the engines listen; `${host}` and `${address}` are filled in.
        order: `stop-first` or `start-first`; empty: the first where a port of the host is published, else the second.
        container: A container that ondeck did not make and that the first deploy takes the place of.
        secrets: Variable -> reference to a secret; given to the container beside the variables of the file.
        registry: In place of what `docker login` stored.
        lives: How long a new container has to live without a restart before it counts as healthy.
        timeout: Seconds for pulling, and for each command around the change.
    """

    image: str
    compose: Compose
    socket: str = SOCKET
    order: str = ""
    container: str = ""
    secrets: dict[str, str] = {}
    registry: Account | None = None
    lives: float | str = 15.0
    timeout: float | str = 600.0

    @property
    def repository(self) -> Repository:
        """Where its images lie."""
        return repository(self.image)

    def seconds(self) -> float:
        """The timeout in seconds."""
        return _seconds("timeout", self.timeout)

    def must_live(self) -> float:
        """Seconds that a container has to live, before timescale."""
        return _seconds("lives", self.lives)


def _seconds(name: str, value: float | str) -> float:
    if isinstance(value, (int, float)):
        return float(value)
    try:
        return duration(value)
    except Bad as error:
        raise BadInput(f"deploy.{name} {value!r}: {error}") from error


def options_of(service: Service) -> tuple[Deploy, DockerOptions]:
    """The deploy section of a service with its options checked.

    Raises:
        BadInput: It has none, or an option is wrong; the message names the key.
    """
    deploy = service.deploy
    if deploy is None:
        raise BadInput(
            f"service {service.name} declares no `deploy`", hint="add it to the service in the inventory"
        )
    try:
        options = msgspec.convert(deploy.options, DockerOptions, strict=False)
    except msgspec.ValidationError as error:
        raise BadInput(f"service {service.name}: deploy: {error}") from error
    if options.order not in ("", "stop-first", "start-first"):
        raise BadInput(f"service {service.name}: deploy.order {options.order!r} is stop-first or start-first")
    _ = options.repository, options.seconds(), options.must_live()
    return deploy, options


def spec_of(
    inventory: Inventory, service: Service, options: DockerOptions, host: Host, version: str
) -> RunSpec:
    """How the service runs on a host, from the compose file.

    Raises:
        Missing: There is no such file.
        BadInput: It is wrong, or asks for what is not supported.
    """
    path = Path(inventory.revision.root, Path(options.compose.file).expanduser())
    values = {
        "host": host.name,
        "address": host.address or host.name,
        "env": host.env,
        "service": service.name,
        "version": version,
    }
    return compose.read(path, options.compose.service, values)


def stop_first(options: DockerOptions, spec: RunSpec) -> bool:
    """Whether the old container has to go before the new one starts.

    Raises:
        BadInput: It is to start first, and holds a port of the host.
    """
    if options.order == "start-first" and spec.publishes:
        raise BadInput(
            "deploy.order is start-first, but the compose file publishes a port of the host: two cannot have it"
        )
    return options.order == "stop-first" or (not options.order and spec.publishes)


def version_of(text: str) -> str:
    """A version that is an image's tag.

    Raises:
        BadInput: It is not.
    """
    if not TAG.fullmatch(text):
        raise BadInput(
            f"version {text!r} is no image tag", hint="letters, digits, dot, dash and underscore; at most 128"
        )
    return text


def refuse_latest(inventory: Inventory, env: str, version: str) -> None:
    """`latest` names another image tomorrow: only an environment without any protection takes it.

    Raises:
        Refused: The environment is protected.
    """
    environment = inventory.environments.get(env)
    words = environment.protection if environment is not None else {}
    level = words.get("deploy", words.get("*", Protection.CONFIRM))
    if version == LATEST and level is not Protection.NONE:
        raise Refused(
            f"{LATEST} is no version: it names another image tomorrow, so it is not deployed to {env}",
            hint="deploy a version; only an environment whose protection of deploy is none takes it",
        )
