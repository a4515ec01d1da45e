"""The promises of `shell`, over this machine and over a real OpenSSH server."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ondeck.inventory.model import Host, Inventory, Revision
from ondeck.reach.ports import Become
from ondeck.testing.shell_suite import ShellCase, ShellSuite
from tests.contract.sshd import Sshd, serving
from tests.required import cannot


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with serving(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture
def become() -> Become:
    if os.geteuid() != 0 or shutil.which("sudo") is None:
        cannot("only root can become another user here without a password, and needs sudo for it")
    return Become("nobody")


class TestSshShell(ShellSuite):
    provider = "ssh"

    @pytest.fixture
    def shell(self, sshd: Sshd) -> ShellCase:
        return ShellCase(inventory=sshd.inventory(), host=sshd.host())


class TestLocalShell(ShellSuite):
    provider = "local"

    @pytest.fixture
    def shell(self, tmp_path: Path) -> ShellCase:
        here = Host(name="here", env="test", transport="local")
        inventory = Inventory(revision=Revision(root=str(tmp_path)), hosts={here.name: here})
        return ShellCase(inventory=inventory, host=here)
