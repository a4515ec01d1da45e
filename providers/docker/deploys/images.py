"""Getting an image onto a host before anything is stopped."""

from __future__ import annotations

import asyncio
from typing import Any

from ondeck.errors import LinkLost, Missing, RemoteFailed
from ondeck.operate.ports import Emit
from ondeck.text import safe_line
from providers.docker.auth import Login
from providers.docker.client import Client


class Progress:
    """What a pull said so far of its layers, as one figure."""

    def __init__(self) -> None:
        self._layers: dict[str, tuple[int, int]] = {}

    def take(self, said: dict[str, Any]) -> str:
        """One line of the engine; answers words for people where there is something new to say."""
        layer = str(said.get("id", ""))
        detail = said.get("progressDetail") or {}
        status = str(said.get("status", ""))
        if status == "Downloading" and detail.get("total"):
            self._layers[layer] = (int(detail.get("current", 0)), int(detail["total"]))
            return ""
        if status in ("Download complete", "Pull complete") and layer in self._layers:
            total = self._layers[layer][1]
            self._layers[layer] = (total, total)
        if status in ("Pull complete", "Already exists") or status.startswith(("Digest", "Status")):
            return safe_line(f"{layer} {status}".strip())
        return ""

    @property
    def moved(self) -> tuple[int, int]:
        """Bytes that came, and of how many as far as is known."""
        return sum(done for done, _ in self._layers.values()), sum(
            total for _, total in self._layers.values()
        )


async def has(engine: Client, image: str) -> bool:
    """Whether an image with its digest is there."""
    try:
        await engine.ask(lambda api: api.inspect_image(image))
    except Missing:
        return False
    return True


async def pull(
    engine: Client, image: str, login: Login | None, registry: str, emit: Emit, seconds: float
) -> None:
    """Fetch an image by its digest. Cancelled, the engine stops fetching.

    Args:
        engine: Of the host.
        image: With its digest.
        login: For the registry.
        registry: Its name.
        emit: Where progress goes.
        seconds: How long it may take, timescale applied.

    Raises:
        RemoteFailed: The engine could not fetch it; nothing was stopped.
        LinkLost: The connection ended, and the image is not there as far as is known.
        TimeoutError: It took too long.
    """
    headers = {"X-Registry-Auth": login.header(registry)} if login else {}
    progress = Progress()
    try:
        async with (
            asyncio.timeout(seconds),
            engine.stream(
                "images/create", method="POST", params={"fromImage": image}, headers=headers
            ) as answer,
        ):
            async for said in engine.lines(answer):
                if words := progress.take(said):
                    emit.output(f"{words}\n".encode())
                done, total = progress.moved
                if total:
                    emit.moved(done, total, "B")
    except (Missing, RemoteFailed) as error:
        raise RemoteFailed(f"the image cannot be pulled: {error.message}; nothing was stopped") from error
    except TimeoutError as error:
        raise TimeoutError(f"pulling took longer than {seconds:g} s; nothing was stopped") from error
    # Only what is there afterwards was pulled.
    if not await has(engine, image):
        raise LinkLost("the pull ended, and the image is not there", where=engine.where)
    emit.step(f"pulled {image.partition('@sha256:')[2][:12]}")
