"""The promises of a Link where another SSH server answers, and where busybox is all that a host has."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncssh
import pytest

from lab.embedded.server import Machine, serve
from ondeck.errors import Refused
from ondeck.inventory.model import Environment, Host, Inventory, Revision, SshDefaults
from ondeck.reach.detached import Detached, Stage
from ondeck.reach.ports import Link
from ondeck.testing.reach_suite import Place, ReachSuite, gone, started, unique
from tests.contract.busybox import userland
from tests.contract.sshd import Sshd, serving, settings


@pytest.fixture
async def asyncssh_place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    """A server of asyncssh in this process, with the manners that the demo gives it."""
    folder = tmp_path_factory.mktemp("asyncssh")
    key, own = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    own.write_private_key(folder / "id")
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    known = folder / "known_hosts"
    known.write_text(f"[127.0.0.1]:{port} {key.export_public_key().decode()}")
    (folder / "ssh_config").write_text(f"IdentityFile {folder}/id\nIdentitiesOnly yes\nIdentityAgent none\n")
    machine = Machine(
        "web-1", {"PATH": os.environ["PATH"], "HOME": str(folder)}, str(folder), lambda text: text
    )
    ready = asyncio.Event()
    serving = asyncio.create_task(serve(machine, listening, key, own.export_public_key().decode(), ready.set))
    await ready.wait()
    host = Host(name="web-1", env="test", address="127.0.0.1", port=port, user="ops")
    yield Place(
        inventory=Inventory(
            revision=Revision(root=str(folder)),
            ssh=SshDefaults(known_hosts=str(known), config=str(folder / "ssh_config")),
            environments={"test": Environment(name="test")},
            hosts={host.name: host},
        ),
        settings=settings(folder, 0.1),
        host=host,
    )
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)


class TestAsyncsshServer(ReachSuite):
    provider = "ssh"

    @pytest.fixture
    def place(self, asyncssh_place: Place) -> Place:
        return asyncssh_place


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    folder = tmp_path_factory.mktemp("busybox")
    with serving(folder / "sshd", path=str(userland(folder / "bin"))) as server:
        yield server


class TestBusybox(ReachSuite):
    provider = "ssh"

    @pytest.fixture
    def place(self, small: Sshd, tmp_path: Path) -> Place:
        return Place(inventory=small.inventory(), settings=settings(tmp_path, 0.1), host=small.host())

    async def test_nothing_but_busybox_is_in_reach(self, link: Link) -> None:
        tools = ("sh", "stat", "head", "setsid", "mktemp", "readlink", "sync", "cat", "mv", "sha256sum")
        script = 'for t; do "$t" --help 2>&1 | head -n 1; done; command -v bash perl python3 gawk chcon sudo'
        done = await link.run(["sh", "-c", script, "sh", *tools])
        lines = done.stdout.decode().splitlines()
        assert len(lines) == len(tools)
        assert all(line.startswith("BusyBox ") for line in lines)

    async def test_a_command_that_outlives_its_connection_does_so_there_too(
        self, link: Link, tmp_path: Path
    ) -> None:
        told: dict[bool, bytes] = {False: b"", True: b""}

        def tell(data: bytes, err: bool) -> None:
            told[err] += data

        name = tmp_path.name
        short = Detached(link, f"{name}-short", settings(tmp_path, 0.1))
        await short.launch(["sh", "-c", "echo out; echo err >&2; head -c 9000 /dev/zero; exit 3"], kept=4000)
        await short.follow(tell)
        assert (await short.look()).status == 3
        assert told[True] == b"err\n"
        assert told[False].startswith(b"out\n\0")
        assert b"[... cut ...]" in told[False]
        with pytest.raises(Refused):
            await short.launch(["true"])
        mark = unique()
        long = Detached(link, f"{name}-long", settings(tmp_path, 0.1))
        await long.launch(["sleep", mark])
        await started(mark)
        assert (await long.look()).stage is Stage.RUNNING
        ended = await long.stop()
        assert (ended.stage, ended.status) == (Stage.ENDED, 143)
        assert await gone(mark)
        await long.forget()
        assert (await long.look(take=True)).stage is Stage.ABSENT
