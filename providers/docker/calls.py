"""The calls that change something on an engine, one by one, so that each is said in one place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from providers.docker.client import Client


async def create(engine: Client, name: str, body: dict[str, Any]) -> str:
    """Make a container; answers its id.

    Raises:
        Conflict: The name is taken.
        Missing: There is no such image.
        RemoteFailed: The engine makes no such container.
    """
    made = await engine.ask(lambda api: api.create_container_from_config(body, name))
    return str(made["Id"])


async def start(engine: Client, name: str) -> None:
    """Start a container that is there."""
    await engine.ask(lambda api: api.start(name))


async def stop(engine: Client, name: str, grace: int) -> None:
    """TERM, after so many seconds KILL; one that does not run stays as it is."""
    await engine.ask(lambda api: api.stop(name, timeout=grace))


async def restart(engine: Client, name: str, grace: int) -> None:
    """Stop and start again."""
    await engine.ask(lambda api: api.restart(name, timeout=grace))


async def rename(engine: Client, name: str, to: str) -> None:
    """Give a container another name.

    Raises:
        Conflict: The name is taken.
    """
    await engine.ask(lambda api: api.rename(name, to))


async def remove(engine: Client, name: str, *, force: bool = False) -> None:
    """Remove a container with what it wrote; its named volumes stay."""
    await engine.ask(lambda api: api.remove_container(name, force=force))


async def restart_policy(engine: Client, name: str, policy: str, times: int = 0) -> None:
    """What the engine does when the process of a container ends, or with its own next start."""
    wanted = {"Name": policy, "MaximumRetryCount": times if policy == "on-failure" else 0}
    await engine.ask(lambda api: api.update_container(name, restart_policy=wanted))


async def connect(engine: Client, name: str, network: str, aliases: Sequence[str]) -> None:
    """Put a container into one more network."""
    await engine.ask(lambda api: api.connect_container_to_network(name, network, aliases=list(aliases)))


async def remove_image(engine: Client, image: str) -> None:
    """Remove a name of an image, and the image with its last one.

    Raises:
        Conflict: A container uses it.
        Missing: It is not there.
    """
    await engine.ask(lambda api: api.remove_image(image))
