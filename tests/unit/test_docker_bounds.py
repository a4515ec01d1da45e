"""What a registry sends is bounded, and a file of `tls` is the same one for a list and for a shell inside."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from ondeck.errors import RemoteFailed
from ondeck.inventory.model import Cluster, Environment, Inventory, Revision
from ondeck.settings import Settings
from providers.docker import registry
from providers.docker.inside import DockerInside

_TLS = {"ca": "tls/ca.pem", "cert": "tls/cert.pem", "key": "/etc/ondeck/key.pem"}


@asynccontextmanager
async def endless(body: bytes, **headers: str) -> AsyncIterator[str]:
    """A stand-in: no real registry can be made to send so much."""

    async def tags(request: web.Request) -> web.Response:
        return web.Response(body=body, headers={"Content-Type": "application/json", **headers})

    app = web.Application()
    app.router.add_get("/v2/{path:.*}", tags)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        host, port = runner.addresses[0][:2]
        yield f"{host}:{port}"
    finally:
        await runner.cleanup()


async def test_an_answer_of_a_registry_that_is_too_long_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "_MOST", 1 << 20)
    settings = Settings(state=tmp_path, cache=tmp_path, config=tmp_path)
    whole = b'{"tags": ["1.0", "' + b"x" * (1 << 20) + b'"]}'
    for body, wanted in ((whole, None), (whole.replace(b"x" * (1 << 19), b""), ["1.0"])):
        async with endless(body) as name, registry.Registry(name, None, settings).asked() as asked:
            if wanted is not None:
                assert await asked.tags("shop") == wanted
            else:
                with pytest.raises(RemoteFailed, match="longer than 1 MiB"):
                    await asked.tags("shop")


def test_a_shell_inside_finds_its_tls_files_beside_the_inventory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    place = Cluster(name="eng", kind="docker", env="lab", options={"url": "tcp://eng:2376", "tls": _TLS})
    inventory = Inventory(
        revision=Revision(root="/srv/ops"),
        environments={"lab": Environment(name="lab")},
        clusters={"eng": place},
    )
    nowhere: Any = None
    argv = DockerInside().inside_argv(inventory, place, "web", {"command": "sh"}, nowhere)
    assert {
        "--tlscacert=/srv/ops/tls/ca.pem",
        "--tlscert=/srv/ops/tls/cert.pem",
        "--tlskey=/etc/ondeck/key.pem",
    } <= set(argv)
