"""What SSH does when hosts, keys, daemons, disks and connections misbehave."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncssh
import msgspec
import pytest

from ondeck.errors import (
    AuthFailed,
    HostKeyChanged,
    HostKeyUnknown,
    LinkLost,
    Reason,
    Refused,
    RemoteFailed,
    Unreachable,
)
from ondeck.inventory.model import Host, Inventory
from ondeck.job.outcome import Outcome
from ondeck.reach.detached import Detached, Stage
from ondeck.reach.ports import Become, Link
from ondeck.testing.reach_suite import gone, started, unique
from providers.ssh.link import refused_by_sudo
from providers.ssh.reach import SshReach, SshTransport
from tests.contract.sshd import Sshd, serving, settings


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with serving(tmp_path_factory.mktemp("sshd"), keys=("ed25519", "rsa")) as server:
        yield server


@asynccontextmanager
async def reaching(inventory: Inventory, folder: Path, timescale: float = 0.2) -> AsyncIterator[SshReach]:
    reach = SshTransport().open(inventory, settings(folder, timescale))
    try:
        yield reach
    finally:
        await reach.aclose()


@asynccontextmanager
async def linked(server: Sshd, folder: Path, timescale: float = 0.2) -> AsyncIterator[Link]:
    async with reaching(server.inventory(), folder, timescale) as reach:
        link = await reach.connect(server.host())
        yield link
        await link.aclose()


async def refusal(inventory: Inventory, host: Host, folder: Path, timescale: float = 0.2) -> Unreachable:
    async with reaching(inventory, folder, timescale) as reach:
        with pytest.raises(Unreachable) as caught:
            await reach.connect(host)
    return caught.value


def known(folder: Path, *lines: str) -> Path:
    path = folder / "known"
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def other_key(folder: Path, kind: str = "ed25519") -> str:
    subprocess.run(
        ["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", str(folder / f"other_{kind}")], check=True
    )
    return " ".join((folder / f"other_{kind}.pub").read_text().split()[:2])


def quiet(argv: list[str], *, check: bool = True) -> int:
    return subprocess.run(argv, check=check, capture_output=True).returncode


def start_agent(socket: Path) -> subprocess.Popen[bytes]:
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL)
    for _ in range(500):
        if socket.exists():
            return agent
        time.sleep(0.02)
    raise AssertionError("no agent")


def login_lines(server: Sshd) -> int:
    return server.log.count("Accepted publickey") + server.log.count("Failed publickey")


async def test_an_unknown_key_is_not_trusted_and_no_login_is_tried(sshd: Sshd, tmp_path: Path) -> None:
    before = login_lines(sshd)
    error = await refusal(sshd.inventory(known_hosts=known(tmp_path)), sshd.host(), tmp_path)
    assert type(error) is HostKeyUnknown
    assert "ondeck trust web-1" in error.hint
    assert login_lines(sshd) == before


async def test_a_changed_key_is_told_from_an_unknown_one(sshd: Sshd, tmp_path: Path) -> None:
    line = f"[{sshd.address}]:{sshd.port} {other_key(tmp_path)}"
    error = await refusal(sshd.inventory(known_hosts=known(tmp_path, line)), sshd.host(), tmp_path)
    assert type(error) is HostKeyChanged
    assert "known:1" in error.message


async def test_a_key_of_another_kind_than_recorded_is_changed_not_lost(sshd: Sshd, tmp_path: Path) -> None:
    line = f"[{sshd.address}]:{sshd.port} {other_key(tmp_path, 'ecdsa')}"
    error = await refusal(sshd.inventory(known_hosts=known(tmp_path, line)), sshd.host(), tmp_path)
    assert type(error) is HostKeyChanged


async def test_a_host_with_two_keys_shows_the_one_that_is_recorded(sshd: Sshd, tmp_path: Path) -> None:
    line = f"[{sshd.address}]:{sshd.port} {sshd.key('host_rsa')}"
    async with reaching(sshd.inventory(known_hosts=known(tmp_path, line)), tmp_path) as reach:
        link = await reach.connect(sshd.host())
        assert (await link.run(["true"])).ok


async def test_a_revoked_key_is_refused_although_it_is_recorded(sshd: Sshd, tmp_path: Path) -> None:
    name = f"[{sshd.address}]:{sshd.port}"
    path = known(tmp_path, f"{name} {sshd.key()}", f"@revoked * {sshd.key()}")
    error = await refusal(sshd.inventory(known_hosts=path), sshd.host(), tmp_path)
    assert "REVOKED" in error.message


async def test_a_host_signed_by_the_recorded_authority_is_trusted(tmp_path: Path) -> None:
    authority = other_key(tmp_path)
    with serving(tmp_path / "s") as first:
        pass
    folder = tmp_path / "s"
    sign = ["ssh-keygen", "-q", "-s", str(tmp_path / "other_ed25519"), "-I", "web", "-h", "-V", "-1d:+1d"]
    quiet([*sign, str(folder / "host_ed25519.pub")])
    assert first.address
    with serving(folder, f"HostCertificate {folder / 'host_ed25519-cert.pub'}") as server:
        path = known(tmp_path, f"@cert-authority * {authority}")
        async with reaching(server.inventory(known_hosts=path), tmp_path) as reach:
            assert (await (await reach.connect(server.host())).run(["true"])).ok


async def test_a_login_that_is_refused_says_what_was_offered(sshd: Sshd, tmp_path: Path) -> None:
    other_key(tmp_path)
    inventory = with_key(sshd, tmp_path, tmp_path / "other_ed25519")
    error = await refusal(inventory, sshd.host(), tmp_path, 1.0)
    assert type(error) is AuthFailed
    assert "no agent" in error.hint


async def test_an_encrypted_key_without_an_agent_says_so(sshd: Sshd, tmp_path: Path) -> None:
    argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", str(tmp_path / "locked")]
    quiet(argv)
    error = await refusal(with_key(sshd, tmp_path, tmp_path / "locked"), sshd.host(), tmp_path, 1.0)
    assert type(error) is AuthFailed
    assert "encrypted" in error.hint


def with_key(server: Sshd, folder: Path, key: Path) -> Inventory:
    config = folder / "config"
    config.write_text(f"IdentityFile {key}\nIdentitiesOnly yes\nIdentityAgent none\n")
    inventory = server.inventory()
    ssh = msgspec.structs.replace(inventory.ssh, config=str(config))
    return msgspec.structs.replace(inventory, ssh=ssh)


async def settled(sshd: Sshd) -> int:
    """Connections that the server has told of; it tells of their end some time after we saw it."""
    last = -1
    while (now := sshd.log.count("Connection from") + sshd.log.count("Connection closed")) != last:
        last = now
        await asyncio.sleep(0.5)
    return last


async def test_three_equal_refusals_stop_the_group_until_it_is_reset(sshd: Sshd, tmp_path: Path) -> None:
    other_key(tmp_path)
    async with reaching(with_key(sshd, tmp_path, tmp_path / "other_ed25519"), tmp_path, 1.0) as reach:
        for name in ("a", "b", "c"):
            with pytest.raises(AuthFailed):
                await reach.connect(sshd.host(name))
        tried = await settled(sshd)
        with pytest.raises(AuthFailed, match="not tried"):
            await reach.connect(sshd.host("d"))
        assert await settled(sshd) == tried
        reach.reset("test")
        with pytest.raises(AuthFailed, match="refused the login"):
            await reach.connect(sshd.host("d"))


async def test_an_agent_is_asked_as_it_is_when_we_connect(
    sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    socket = tmp_path / "agent"
    agent = start_agent(socket)
    try:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
        add = ["ssh-add", "-q", str(sshd.folder / "id")]
        quiet(add)
        inventory = with_key(sshd, tmp_path, tmp_path / "none")
        (tmp_path / "config").write_text(f"IdentityFile {tmp_path / 'none'}\n")
        async with reaching(inventory, tmp_path, 1.0) as reach:
            link = await reach.connect(sshd.host())
            assert (await link.run(["sh", "-c", 'test -z "$SSH_AUTH_SOCK"'])).ok
    finally:
        agent.kill()
        agent.wait()


async def test_a_killed_daemon_makes_a_running_command_unknown_and_stops_it(
    sshd: Sshd, tmp_path: Path
) -> None:
    mark = unique()
    async with linked(sshd, tmp_path) as link:
        task = asyncio.ensure_future(link.run(["sleep", mark], timeout=600))
        await started(mark)
        sshd.kill_sessions()
        with pytest.raises(LinkLost):
            await task
        assert link.closed
        with pytest.raises(Unreachable):
            await link.run(["true"])
        assert await gone(mark)


async def test_a_lost_link_is_unknown_for_a_stream_and_for_its_wait(sshd: Sshd, tmp_path: Path) -> None:
    mark = unique()
    async with linked(sshd, tmp_path) as link, link.stream(["sleep", mark]) as stream:
        await started(mark)
        sshd.kill_sessions()
        assert [chunk async for chunk in stream] == []
        with pytest.raises(LinkLost):
            await stream.wait()


async def test_a_lost_host_is_connected_anew_when_asked_again(sshd: Sshd, tmp_path: Path) -> None:
    async with reaching(sshd.inventory(), tmp_path) as reach:
        first = await reach.connect(sshd.host())
        sshd.kill_sessions()
        for _ in range(100):
            if first.closed:
                break
            await asyncio.sleep(0.02)
        assert (await (await reach.connect(sshd.host())).run(["true"])).ok


async def test_a_frozen_daemon_is_found_out_by_keepalive(sshd: Sshd, tmp_path: Path) -> None:
    import signal

    async with linked(sshd, tmp_path, 0.05) as link:
        task = asyncio.ensure_future(link.run(["sleep", "99"], timeout=10_000))
        await asyncio.sleep(0.3)
        sshd.kill_sessions(signal.SIGSTOP)
        try:
            with pytest.raises(LinkLost):
                await task
        finally:
            sshd.kill_sessions()


async def test_a_black_hole_is_given_up_in_time(tmp_path: Path, sshd: Sshd) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    host = sshd.host(address="127.0.0.1", port=port)
    error = await refusal(sshd.inventory(host), host, tmp_path, 0.02)
    assert error.reason is Reason.TIMEOUT
    server.close()


async def test_nothing_that_listens_and_no_such_name_are_told_apart(tmp_path: Path, sshd: Sshd) -> None:
    closed = sshd.host(address="127.0.0.1", port=1)
    assert (await refusal(sshd.inventory(closed), closed, tmp_path)).reason is Reason.REFUSED
    nowhere = sshd.host(address="no-such-name.invalid", port=22)
    assert (await refusal(sshd.inventory(nowhere), nowhere, tmp_path, 1.0)).reason is Reason.DNS


async def test_a_host_that_allows_two_sessions_still_runs_twelve_commands(tmp_path: Path) -> None:
    with serving(tmp_path / "s", "MaxSessions 2") as server:
        async with linked(server, tmp_path, 1.0) as link:
            done = await asyncio.gather(*(link.run(["sh", "-c", "sleep 0.1"]) for _ in range(12)))
            assert all(one.ok for one in done)


async def test_a_host_that_allows_no_session_is_unreachable_not_unknown(tmp_path: Path) -> None:
    with serving(tmp_path / "s", "MaxSessions 0") as server:
        async with linked(server, tmp_path, 1.0) as link:
            with pytest.raises(Unreachable) as caught:
                await link.run(["true"])
            assert caught.value.reason is Reason.SESSIONS


async def test_sixty_connects_at_once_pass_a_daemon_that_drops_after_ten(tmp_path: Path) -> None:
    with serving(tmp_path / "s", "MaxStartups 4:50:10") as server:
        hosts = [server.host(f"web-{n}", user=server.user) for n in range(60)]

        async def one(reach: SshReach, host: Host) -> bool:
            return (await (await reach.connect(host)).run(["true"])).ok

        async with asyncio.TaskGroup() as group:
            tasks = []
            for host in hosts:
                reach = SshTransport().open(server.inventory(host), settings(tmp_path, 1.0))
                tasks.append(group.create_task(closing(reach, one(reach, host))))
        assert all(task.result() for task in tasks)


async def closing(reach: SshReach, work: object) -> bool:
    try:
        return bool(await work)  # type: ignore[misc]
    finally:
        await reach.aclose()


async def test_a_jump_host_that_is_down_is_named(sshd: Sshd, tmp_path: Path) -> None:
    jump = sshd.host("jump-1", address="127.0.0.1", port=1)
    web = sshd.host("web-1", via="jump-1")
    error = await refusal(sshd.inventory(jump, web), web, tmp_path)
    assert error.reason is Reason.JUMP
    assert "jump-1" in error.message


async def test_a_host_behind_a_jump_host_is_reached_and_its_absence_told_apart(
    sshd: Sshd, tmp_path: Path
) -> None:
    jump, web = sshd.host("jump-1"), sshd.host("web-1", via="jump-1", user="root")
    down = sshd.host("web-2", via="jump-1", port=1)
    async with reaching(sshd.inventory(jump, web, down), tmp_path) as reach:
        assert (await (await reach.connect(web)).run(["true"])).ok
        with pytest.raises(Unreachable) as caught:
            await reach.connect(down)
        assert caught.value.reason is Reason.JUMP


async def test_sudo_that_would_ask_is_unreachable_with_what_to_do(tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "sudo").write_text("#!/bin/sh\necho 'sudo: a password is required' >&2\nexit 1\n")
    (tools / "sudo").chmod(0o755)
    path = f"{tools}:/usr/bin:/bin"
    with serving(tmp_path / "t", f"SetEnv HOME={tmp_path} PATH={path}") as server:
        async with linked(server, tmp_path) as link:
            with pytest.raises(Unreachable) as caught:
                await link.run(["true"], become=Become("somebody"))
            assert caught.value.reason is Reason.BECOME
            async with link.stream(["true"], become=Become("somebody")) as stream:
                assert b"password" in b"".join([chunk.data async for chunk in stream])
                with pytest.raises(Unreachable):
                    await stream.wait()


def test_what_the_real_sudo_says_is_recognised() -> None:
    if shutil.which("sudo") is None or os.geteuid() != 0:
        pytest.skip("needs root and sudo")
    argv = ["sudo", "-n", "-u", "nobody", "--", "sudo", "-n", "-u", "root", "--", "true"]
    done = subprocess.run(argv, capture_output=True, check=False)
    assert refused_by_sudo(Become(), done.returncode, done.stdout, done.stderr)
    assert not refused_by_sudo(Become(), 1, b"", b"grep: sudo: no such file\n")


async def test_a_full_disk_leaves_the_old_file_and_nothing_beside(sshd: Sshd, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(small)]
    if os.geteuid() != 0 or quiet(mount, check=False) != 0:
        pytest.skip("needs root to mount a small tmpfs")
    try:
        (small / "file").write_text("old")
        async with linked(sshd, tmp_path, 1.0) as link:
            with pytest.raises(RemoteFailed, match=r"[Nn]o space"):
                await link.write_file(str(small / "file"), b"x" * 200_000)
        assert [(one.name, one.read_text()) for one in small.iterdir()] == [("file", "old")]
    finally:
        quiet(["umount", "-l", str(small)])


async def test_a_write_cut_in_the_middle_leaves_the_old_file(sshd: Sshd, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    async with linked(sshd, tmp_path) as link:
        task = asyncio.ensure_future(link.write_file(str(tmp_path / "file"), b"x" * 30_000_000))
        await asyncio.sleep(0.05)
        sshd.kill_sessions()
        result = (await asyncio.gather(task, return_exceptions=True))[0]
    content = (tmp_path / "file").read_bytes()
    assert isinstance(result, LinkLost) or result is None
    assert content in (b"old", b"x" * 30_000_000)


async def test_a_second_launch_of_an_id_is_refused_and_runs_nothing(sshd: Sshd, tmp_path: Path) -> None:
    async with linked(sshd, tmp_path) as link:
        job = Detached(link, "twice-1", settings(tmp_path))
        await job.launch(["sh", "-c", f"echo x >>{tmp_path}/count"])
        with pytest.raises(Refused):
            await job.launch(["sh", "-c", f"echo x >>{tmp_path}/count"])
        await job.follow(lambda data, err: None)
        assert (tmp_path / "count").read_text() == "x\n"


async def test_a_detached_command_outlives_its_connection_and_keeps_its_output(
    sshd: Sshd, tmp_path: Path
) -> None:
    seen: list[bytes] = []
    async with linked(sshd, tmp_path) as link:
        await Detached(link, "long-1", settings(tmp_path)).launch(
            ["sh", "-c", "echo before; sleep 1; echo after; exit 7"]
        )
        sshd.kill_sessions()
    async with linked(sshd, tmp_path) as link:
        job = Detached(link, "long-1", settings(tmp_path))
        await job.follow(lambda data, err: seen.append(data))
        finding = (await job.look()).finding()
    assert b"".join(seen) == b"before\nafter\n"
    assert (finding.outcome, finding.status) == (Outcome.FAILED, 7)


async def test_a_reboot_in_between_is_unknown_with_the_boot_id_as_evidence(
    sshd: Sshd, tmp_path: Path
) -> None:
    mark = unique()
    async with linked(sshd, tmp_path) as link:
        job = Detached(link, "boot-1", settings(tmp_path))
        await job.launch(["sleep", mark])
        folder = sshd.folder / "home/.local/state/ondeck/jobs/boot-1"
        real = (folder / "boot_id").read_text()
        (folder / "boot_id").write_text("00000000-0000-0000-0000-000000000000\n")
        look = await job.look()
        assert look.stage is Stage.REBOOTED
        assert look.finding().outcome is Outcome.UNKNOWN
        assert not look.finding().still_running
        (folder / "boot_id").write_text(real)
        assert (await job.stop(grace=1)).stage is Stage.ENDED
        assert await gone(mark)


async def test_a_killed_runner_is_unknown_not_success(sshd: Sshd, tmp_path: Path) -> None:
    import signal

    mark = unique()
    async with linked(sshd, tmp_path) as link:
        job = Detached(link, "runner-1", settings(tmp_path))
        await job.launch(["sleep", mark])
        text = (sshd.folder / "home/.local/state/ondeck/jobs/runner-1/pid").read_text()
        command, _, runner, _ = (int(word) for word in text.split())
        os.killpg(os.getpgid(runner), signal.SIGKILL)
        assert (await job.look()).stage is Stage.RUNNING
        os.kill(command, signal.SIGKILL)
        for _ in range(100):
            if (await job.look()).stage is Stage.GONE:
                break
        assert (await job.look()).finding().outcome is Outcome.UNKNOWN


async def test_an_attempt_that_never_came_cannot_start_late(sshd: Sshd, tmp_path: Path) -> None:
    async with linked(sshd, tmp_path) as link:
        job = Detached(link, "never-1", settings(tmp_path))
        assert (await job.look(take=True)).finding().outcome is Outcome.NOT_STARTED
        with pytest.raises(Refused):
            await job.launch(["true"])


async def test_a_channel_that_ends_without_a_status_is_unknown(tmp_path: Path, sshd: Sshd) -> None:
    def vanish(process: asyncssh.SSHServerProcess[bytes]) -> None:
        process.stdout.write(b"half")
        process.close()

    key = asyncssh.read_private_key(sshd.folder / "host_ed25519")
    server = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_host_keys=[key],
        authorized_client_keys=str(sshd.folder / "authorized_keys"),
        process_factory=vanish,
        encoding=None,
    )
    port = server.sockets[0].getsockname()[1]
    host = sshd.host(address="127.0.0.1", port=port)
    path = known(tmp_path, f"[127.0.0.1]:{port} {sshd.key()}")
    async with reaching(sshd.inventory(host, known_hosts=path), tmp_path, 1.0) as reach:
        link = await reach.connect(host)
        with pytest.raises(LinkLost):
            await link.run(["true"])
    server.close()


async def test_a_daemon_that_keeps_our_pipes_does_not_hold_a_command_for_ever(
    sshd: Sshd, tmp_path: Path
) -> None:
    mark = unique()
    async with linked(sshd, tmp_path, 1.0) as link:
        done = await link.run(["sh", "-c", f"echo up; sleep {mark} & exit 0"], timeout=50)
        assert (done.status, done.stdout) == (0, b"up\n")
        quiet(["sh", "-c", f"kill $(pgrep -f 'sleep {mark}')"], check=False)
