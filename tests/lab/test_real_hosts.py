"""The whole road on real machines: OpenSSH, sudo, systemd and journald, through `ondeck` itself."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.real.systemd_host import RealHost
from tests.lab.real_site import PORT, Site

pytestmark = pytest.mark.lab


def _serves(host: RealHost) -> str:
    return host.run("curl", "-s", f"http://{host.address}:{PORT}/").stdout


def _eventually(process: subprocess.Popen[str], wanted: str, seconds: float = 30.0) -> str:
    """What a following command printed until a word came."""
    assert process.stdout is not None
    until, seen = time.monotonic() + seconds, ""
    while wanted not in seen:
        left = until - time.monotonic()
        assert left > 0, f"{wanted!r} never came: {seen[-2000:]}"
        ready, _, _ = select.select([process.stdout], [], [], left)
        if ready:
            more = os.read(process.stdout.fileno(), 65536).decode(errors="replace")
            assert more, f"it ended without {wanted!r}: {seen}"
            seen += more
    return seen


@contextmanager
def _following(site: Site, *argv: str) -> Iterator[subprocess.Popen[str]]:
    process = site.start("logs", "-f", *argv)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        finally:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()


def test_a_live_check_is_green_after_trust(trusted: Site) -> None:
    assert all(
        host.address in (trusted.folder / "inventory/known_hosts").read_text() for host in trusted.hosts
    )
    trusted.run("check", "--live")


def test_a_read_runs_unasked_and_a_change_wants_a_yes(trusted: Site) -> None:
    read = trusted.run("exec", "-l", "env=prod", "--", "hostname")
    for host in trusted.hosts:
        assert host.name in read.out
    trusted.run("exec", "-l", "env=prod", "--", "touch", "/tmp/by-exec", code=4)
    assert trusted.hosts[0].run("test", "-e", "/tmp/by-exec", check=False).returncode == 1
    trusted.run("exec", "-l", "env=prod", "-y", "--", "touch", "/tmp/by-exec")
    for host in trusted.hosts:
        assert host.run("stat", "-c", "%U", "/tmp/by-exec").stdout.strip() == host.user


def test_become_is_another_user_by_the_real_sudoers(trusted: Site) -> None:
    trusted.run("exec", "-l", "env=prod", "-y", "--become", "shop", "--", "touch", "/tmp/by-shop")
    for host in trusted.hosts:
        assert host.run("stat", "-c", "%U", "/tmp/by-shop").stdout.strip() == "shop"


def test_a_user_that_sudoers_refuses_changes_nothing(trusted: Site) -> None:
    done = trusted.run(
        "exec", "-l", "env=prod", "-y", "--become", "vault", "--", "touch", "/tmp/by-vault", code=None
    )
    assert done.code not in (0, 5), done
    assert "sudo" in done.err
    for host in trusted.hosts:
        assert host.run("test", "-e", "/tmp/by-vault", check=False).returncode == 1


def test_an_exit_status_of_a_host_is_that_of_its_command(trusted: Site) -> None:
    done = trusted.run("exec", "-l", "env=prod", "-y", "--", "sh", "-c", "exit 9", code=None)
    assert done.code in (1, 3), done
    assert [row["status"] for row in trusted.job()["targets"].values()] == [9, 9]


def test_a_put_shows_its_diff_and_its_undo_brings_the_old_file_back(trusted: Site, tmp_path: Path) -> None:
    one = trusted.hosts[0]
    one.write("/etc/banner", "old words\n", 0o640)
    new = tmp_path / "banner"
    new.write_text("new words\n")
    place = f"{one.name}:/etc/banner"
    plan = trusted.run("put", str(new), place, "--become", "root", "--plan")
    assert "-old words" in plan.err + plan.out
    assert "+new words" in plan.err + plan.out
    trusted.run("put", str(new), place, "--become", "root", "-y")
    job = trusted.newest()
    assert one.run("cat", "/etc/banner").stdout == "new words\n"
    assert one.run("stat", "-c", "%a %U", "/etc/banner").stdout.split() == ["640", "root"]
    trusted.run("put", "-", place, "--become", "root", "--undo", job, "-y")
    assert one.run("cat", "/etc/banner").stdout == "old words\n"
    assert one.run("stat", "-c", "%a %U", "/etc/banner").stdout.split() == ["640", "root"]


def test_a_followed_file_goes_on_over_its_rotation(trusted: Site) -> None:
    one = trusted.hosts[0]
    one.write("/var/log/greeter.log", "line before\n")
    with _following(trusted, one.name, "--source", "/var/log/greeter.log") as process:
        _eventually(process, "line before")
        one.run("sh", "-c", "echo last of the old >> /var/log/greeter.log")
        one.run("mv", "/var/log/greeter.log", "/var/log/greeter.log.1")
        one.run("sh", "-c", "echo still to the old >> /var/log/greeter.log.1")
        one.write("/var/log/greeter.log", "first of the new\n")
        seen = _eventually(process, "first of the new")
    assert seen.count("last of the old") == 1
    assert seen.count("still to the old") == 1
    assert seen.index("last of the old") < seen.index("first of the new")


def test_a_journal_is_read_and_followed_by_unit_and_whole(deployed: Site) -> None:
    one = deployed.hosts[0]
    read = deployed.run("logs", "greeter@prod", "--source", "app", "--since", "10m")
    for host in deployed.hosts:
        assert any(host.name in row and "greeter 1.0 serves" in row for row in read.out.splitlines())
    one.run("sh", "-c", "logger -t lab word before; journalctl --sync")
    with _following(deployed, one.name, "--source", "unit:*") as process:
        _eventually(process, "word before")
        one.run("logger", "-t", "lab", "-p", "user.err", "smoke in room 9")
        assert "ERR" in _eventually(process, "smoke in room 9")


def test_a_journal_that_may_not_be_read_is_lost_not_empty(deployed: Site) -> None:
    one = deployed.hosts[0]
    one.run("useradd", "--create-home", "--shell", "/bin/sh", "plain", check=False)
    path = deployed.folder / "inventory/ondeck.yml"
    text = path.read_text()
    path.write_text(text.replace(f"user: {one.user}, become: sudo", "user: plain"))
    try:
        done = deployed.run("logs", one.name, "--source", "unit:greeter.service", "--since", "1h", code=None)
    finally:
        path.write_text(text)
    assert done.code == 6
    assert "LOST" in done.err
    assert "permission" in done.err or "may read" in done.err


def test_top_has_the_figures_of_every_host(trusted: Site) -> None:
    rows = trusted.run("top", "-l", "env=prod", "-o", "json").data
    assert {row["host"] for row in rows} == {host.name for host in trusted.hosts}
    for row in rows:
        assert 0 <= row["cpu"] <= 100
        assert 0 < row["mem"] < 100
        assert 0 < row["disk"] < 100
        assert row["load1"] >= 0
        assert row["up"]


def test_changes_name_restarted_units_and_installed_packages(deployed: Site) -> None:
    one = deployed.hosts[0]
    one.run("systemctl", "restart", "greeter.service")
    now = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
    one.write("/var/log/dpkg.log", f"{now} install htop:amd64 <none> 3.2.2-2\n")
    one.run("journalctl", "--sync")
    rows = deployed.run("changes", "-l", f"name={one.name}", "--since", "20m", "-o", "json").data
    found = {(row["kind"], row["subject"], row["text"]) for row in rows}
    assert ("restart", "greeter", "restarted") in found
    assert ("package", "htop", "installed 3.2.2-2") in found


def test_a_release_that_dies_after_two_seconds_goes_back_by_itself(deployed: Site) -> None:
    deployed.run("deploy", "greeter@prod", "2.0", "-y", "--reason", "good")
    assert [_serves(host) for host in deployed.hosts] == ["2.0", "2.0"]
    done = deployed.run("deploy", "greeter@prod", "3.0", "-y", "--reason", "bad", code=4)
    assert "PAUSED" in done.err
    assert [_serves(host) for host in deployed.hosts] == ["2.0", "2.0"]
    job = deployed.newest()
    deployed.run("cancel", job)
    deployed.run("attach", job, code=None)
    rows = deployed.job(job)["targets"]
    assert sorted(row["outcome"] for row in rows.values()) == ["failed", "not_started"]
    failed = next(row for row in rows.values() if row["outcome"] == "failed")
    assert "restarted by systemd" in failed["evidence"]
    assert "went back to 2.0, healthy" in failed["evidence"]


def test_rollback_goes_to_the_release_before(deployed: Site) -> None:
    deployed.run("deploy", "greeter@prod", "1.0", "-y", "--reason", "from 1")
    deployed.run("deploy", "greeter@prod", "2.0", "-y", "--reason", "to 2")
    deployed.run("rollback", "greeter@prod", "-y", "--reason", "back")
    assert [_serves(host) for host in deployed.hosts] == ["1.0", "1.0"]


def test_drain_and_undrain_run_on_the_host(deployed: Site) -> None:
    one, other = deployed.hosts
    deployed.run("drain", "greeter@prod", "-l", f"name={one.name}", "-y", "--reason", "look inside")
    assert one.run("test", "-e", "/tmp/drained", check=False).returncode == 0
    assert other.run("test", "-e", "/tmp/drained", check=False).returncode == 1
    deployed.run("undrain", "greeter@prod", "-l", f"name={one.name}", "-y", "--reason", "done")
    assert one.run("test", "-e", "/tmp/drained", check=False).returncode == 1
