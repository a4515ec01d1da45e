"""`trust`, `shell` and `check --live` of the SSH provider, found through the registry as faces find them."""

from __future__ import annotations

import asyncio
import shutil
import socket
import socketserver
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from threading import Thread

import msgspec
import pytest

from ondeck.errors import HostKeyUnknown
from ondeck.inventory.model import Host
from ondeck.reach.ports import Become, LiveCheck, Trust
from ondeck.registry import Registry
from ondeck.testing.changes_suite import HOSTILE
from ondeck.testing.live_check_suite import LiveCase, LiveCheckSuite
from ondeck.testing.trust_suite import TrustCase, TrustSuite
from providers.host.manifest import MANIFEST as HOST
from providers.ssh.manifest import MANIFEST as SSH
from tests.contract.busybox import userland
from tests.contract.sshd import Sshd, serving, settings
from tests.contract.twin_hosts import twins
from tests.required import cannot

REGISTRY = Registry([SSH, HOST])


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with serving(tmp_path_factory.mktemp("sshd")) as server:
        yield server


def test_manifests_load_no_ssh_library() -> None:
    script = (
        "import sys, providers.ssh.manifest, providers.host.manifest;"
        "sys.exit('asyncssh' in sys.modules or 'cryptography' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


async def test_the_shell_s_argv_logs_in_by_the_inventory_s_words(sshd: Sshd) -> None:
    jump, web = sshd.host("jump-1"), sshd.host("web-1", via="jump-1")
    argv = REGISTRY.load("ssh", "shell").shell_argv(
        sshd.inventory(jump, web), web, command=["printf", "%s|", "a b", "$HOME"]
    )
    child = await asyncio.create_subprocess_exec(
        *argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert (await child.communicate())[0] == b"a b|$HOME|"


def test_a_shell_as_another_user_may_ask_and_never_turns_checking_off(sshd: Sshd) -> None:
    argv = list(REGISTRY.load("ssh", "shell").shell_argv(sshd.inventory(), sshd.host(), become=Become("web")))
    assert argv[-3:] == ["--", "web-1", "sudo -u web -i"]
    assert "StrictHostKeyChecking=yes" in argv
    assert "ForwardAgent=no" in argv


@pytest.fixture
def strangers() -> Iterator[tuple[Host, ...]]:
    """Nobody, somebody who says nothing, and somebody who says something else."""
    silent = socket.create_server(("127.0.0.1", 0))
    noisy = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Noise)
    noisy.daemon_threads = True
    thread = Thread(target=noisy.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    ports = {"web-2": 1, "web-3": silent.getsockname()[1], "web-4": noisy.server_address[1]}
    try:
        yield tuple(
            Host(name=name, env="test", address="127.0.0.1", port=port) for name, port in ports.items()
        )
    finally:
        noisy.shutdown()
        thread.join()
        noisy.server_close()
        silent.close()


class Noise(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.request.sendall(HOSTILE + b" is no SSH\r\n")


class TestSshTrust(TrustSuite):
    provider = "ssh"

    @pytest.fixture
    def trust(self, tmp_path: Path, strangers: tuple[Host, ...]) -> Iterator[TrustCase]:
        known = tmp_path / "known"
        known.write_text("")
        with serving(tmp_path / "sshd") as server:
            yield TrustCase(
                inventory=server.inventory(server.host(), *strangers, known_hosts=known),
                settings=settings(tmp_path),
                impatient=settings(tmp_path, 0.05),
                host=server.host(),
                known=known,
                other=" ".join((server.folder / "id.pub").read_text().split()[:2]),
                strangers=strangers,
                logins=lambda: server.log.count("Accepted"),
            )

    async def test_an_enrolled_host_can_be_connected_to(self, provided: Trust, trust: TrustCase) -> None:
        reach = REGISTRY.load("ssh", "reach").open(trust.inventory, trust.settings)
        with pytest.raises(HostKeyUnknown):
            await reach.connect(trust.host)
        found = await provided.scan(trust.inventory, trust.settings, trust.host)
        trust.known.write_text(provided.known_hosts_line(trust.inventory, trust.host, found) + "\n")
        link = await reach.connect(trust.host)
        assert (await link.run(["true"])).ok
        await reach.aclose()


class TestSshLiveCheck(LiveCheckSuite):
    provider = "ssh"

    @pytest.fixture
    async def live(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LiveCase]:
        async with twins("ssh", tmp_path, monkeypatch) as hosts:
            hosts.hold_program("df")
            home = tmp_path / "sshd" / "home"
            yield LiveCase(
                host=msgspec.structs.replace(hosts.hosts[0], become="sudo"),
                nobody=hosts.nobody,
                reach=hosts.bench.reach("ssh"),
                world=lambda: str(sorted((str(p), p.lstat().st_mtime_ns) for p in [home, *home.rglob("*")])),
                lose_during=hosts.lose_during,
            )

    async def test_a_sudo_that_says_no_is_a_bad_row_and_not_an_unasked_one(
        self, provided: LiveCheck, live: LiveCase
    ) -> None:
        if shutil.which("sudo") is None:
            cannot("there is no sudo")
        rows = await provided.check(msgspec.structs.replace(live.host, become="nobody-at-all"), live.reach)
        (row,) = (row for row in rows if row.what == "sudo")
        assert row.ok is False
        assert "nobody-at-all" in row.text


async def test_a_host_that_has_only_busybox_is_found_fit(tmp_path: Path) -> None:
    with serving(tmp_path / "sshd", path=str(userland(tmp_path / "bin"))) as server:
        reach = REGISTRY.load("ssh", "reach").open(server.inventory(), settings(tmp_path))
        rows = await REGISTRY.load("ssh", "live_check").check(server.host(), reach)
        await reach.aclose()
    assert {row.what: row.ok for row in rows} == dict.fromkeys(
        ("reachable", "clock", "state folder", "tools"), True
    )
