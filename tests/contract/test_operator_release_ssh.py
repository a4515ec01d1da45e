from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ondeck.inventory.model import Host
from ondeck.reach.ports import Link
from providers.ssh.reach import SshTransport
from tests.contract.release_site import Site
from tests.contract.sshd import serving


class OverSsh:
    """Every host of the site is the one SSH server; the names stay those of the site."""

    def __init__(self, reach: Any, server: Host) -> None:
        self._reach = reach
        self._server = server

    async def connect(self, host: Host) -> Link:
        link: Link = await self._reach.connect(self._server)
        return link

    async def aclose(self) -> None:
        await self._reach.aclose()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    (tmp_path / "sshd").mkdir()
    with serving(tmp_path / "sshd") as server:
        site = Site(tmp_path / "site", drains=True)
        site.bench.local = OverSsh(SshTransport().open(server.inventory(), site.settings), server.host())
        yield site
        site.close()


async def test_a_deploy_and_the_way_back_work_over_ssh_too(site: Site) -> None:
    site.build("1.0")
    site.build("1.1", "bad", big=bytes(6 << 20))
    found, _ = await site.do("deploy", version="1.0")
    assert found["web-1"].outcome == "succeeded"
    found, _ = await site.do("deploy", version="1.1")
    assert found["web-1"].outcome == "failed"
    assert "went back to 1.0, healthy" in found["web-1"].evidence
    assert site.current() == "1.0"
    await site.bench.aclose()
