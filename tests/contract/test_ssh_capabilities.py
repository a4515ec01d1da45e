"""`trust`, `shell` and `check --live` of the SSH provider, found through the registry as faces find them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ondeck.inventory.model import Host
from ondeck.reach.ports import Become
from ondeck.registry import Registry
from providers.host.manifest import MANIFEST as HOST
from providers.ssh.manifest import MANIFEST as SSH
from tests.contract.sshd import Sshd, serving, settings

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


async def test_an_enrolled_host_is_the_same_at_the_next_scan(sshd: Sshd, tmp_path: Path) -> None:
    path = tmp_path / "known"
    path.write_text("")
    inventory, host = sshd.inventory(known_hosts=path), sshd.host()
    trust = REGISTRY.load("ssh", "trust")
    found = await trust.scan(inventory, settings(tmp_path), host)
    assert (found.recorded, found.line) == ("unknown", sshd.key())
    assert "Accepted" not in sshd.log
    path.write_text(trust.known_hosts_line(inventory, host, found) + "\n")
    assert (await trust.scan(inventory, settings(tmp_path), host)).recorded == "same"
    path.write_text(f"[{sshd.address}]:{sshd.port} {sshd.key()[:-6]}AAAAAA\n")
    changed = await trust.scan(inventory, settings(tmp_path), host)
    assert changed.recorded == "changed"
    assert changed.was.startswith("SHA256:")


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


async def test_a_live_check_says_what_a_night_needs_and_never_raises(sshd: Sshd, tmp_path: Path) -> None:
    down = Host(name="web-2", env="test", address="127.0.0.1", port=1)
    inventory = sshd.inventory(sshd.host(), down)
    reach = REGISTRY.load("ssh", "reach").open(inventory, settings(tmp_path))
    check = REGISTRY.load("ssh", "live_check")
    rows = {row.what: row for row in await check.check(sshd.host(become="sudo"), reach)}
    assert {name: row.ok for name, row in rows.items()} == {
        "reachable": True,
        "clock": True,
        "state folder": True,
        "tools": True,
        "sudo": True,
    }
    (row,) = await check.check(down, reach)
    assert (row.what, row.ok) == ("reachable", False)
    assert "refused" in row.text
    await reach.aclose()
