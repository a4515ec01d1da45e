"""The promises of a Link, over asyncssh and over the system's ssh, against a real OpenSSH server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ondeck.testing.reach_suite import Place, ReachSuite
from tests.contract.sshd import Sshd, serving, settings


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with serving(tmp_path_factory.mktemp("sshd")) as server:
        yield server


class TestSsh(ReachSuite):
    provider = "ssh"

    @pytest.fixture
    def place(self, sshd: Sshd, tmp_path: Path) -> Place:
        return Place(inventory=sshd.inventory(), settings=settings(tmp_path, 0.1), host=sshd.host())


class TestSystemSsh(ReachSuite):
    provider = "ssh"

    @pytest.fixture
    def place(self, sshd: Sshd, tmp_path: Path) -> Place:
        inventory = sshd.inventory(fallback=True)
        return Place(inventory=inventory, settings=settings(tmp_path, 0.1), host=sshd.host())
