"""The promises of a Link, over asyncssh and over the system's ssh, against a real OpenSSH server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from ondeck.reach.ports import Link
from ondeck.testing.reach_suite import ReachSuite
from providers.ssh.reach import SshTransport
from tests.contract.sshd import Sshd, serving, settings


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with serving(tmp_path_factory.mktemp("sshd")) as server:
        yield server


class TestSsh(ReachSuite):
    @pytest.fixture
    async def link(self, sshd: Sshd, tmp_path: Path) -> AsyncIterator[Link]:
        reach = SshTransport().open(sshd.inventory(), settings(tmp_path, 0.1))
        opened = await reach.connect(sshd.host())
        yield opened
        await opened.aclose()
        await reach.aclose()


class TestSystemSsh(ReachSuite):
    @pytest.fixture
    async def link(self, sshd: Sshd, tmp_path: Path) -> AsyncIterator[Link]:
        reach = SshTransport().open(sshd.inventory(fallback=True), settings(tmp_path, 0.1))
        opened = await reach.connect(sshd.host())
        yield opened
        await opened.aclose()
        await reach.aclose()
