"""The embedded hosts behave as hosts over SSH do, and leave nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.embedded.demo import Demo, start_demo
from lab.embedded.names import HOSTS, Way
from ondeck.errors import Missing
from tests.terminal import Terminal


@pytest.fixture(scope="module")
def hosts() -> Iterator[Demo]:
    with start_demo() as running:
        yield running


def ssh(
    demo: Demo, host: str, command: str, *options: str, data: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["ssh", "-F", str(demo.base / "ssh_config"), "-o", "BatchMode=yes", *options, host, command],
        input=data,
        capture_output=True,
        timeout=30,
        check=False,
    )


def eventually(demo: Demo, host: str, command: str, wanted: bytes) -> bytes:
    """Some things take a moment; never how long."""
    for _ in range(100):
        said = ssh(demo, host, command).stdout
        if wanted in said:
            return said
        time.sleep(0.05)
    return said


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_every_host_answers_with_exit_status_and_both_streams(hosts: Demo) -> None:
    for host in HOSTS:
        done = ssh(hosts, host.name, "printf out; printf err >&2; exit 3")
        assert (done.returncode, done.stdout, done.stderr) == (3, b"out", b"err")


def test_bytes_pass_unchanged_both_ways(hosts: Demo) -> None:
    data = bytes(range(256)) * 4096
    assert ssh(hosts, "web-1", "cat", data=data).stdout == data


def test_the_environment_of_the_client_stays_outside(hosts: Demo) -> None:
    done = ssh(hosts, "web-1", 'echo "[$LC_ONDECK]"', "-o", "SetEnv=LC_ONDECK=secret")
    assert done.stdout == b"[]\n"


def test_a_command_without_a_terminal_outlives_its_channel(hosts: Demo) -> None:
    running = subprocess.Popen(
        ["ssh", "-F", str(hosts.base / "ssh_config"), "web-1", "echo $$ > pid; exec sleep 300 </dev/null"],
        stdin=subprocess.DEVNULL,
    )
    eventually(hosts, "web-1", "test -s pid && echo there", b"there")
    running.kill()
    running.wait()
    assert ssh(hosts, "web-1", "kill -0 $(cat pid)").returncode == 0
    assert ssh(hosts, "web-1", "kill $(cat pid)").returncode == 0


def test_a_terminal_hangs_up_with_its_channel(hosts: Demo) -> None:
    with Terminal(["ssh", "-F", str(hosts.base / "ssh_config"), "-tt", "web-1"]) as terminal:
        terminal.wait_for("ops@")
        terminal.type("stty size; echo $$ > shell; echo rea''dy", "enter")
        assert "24 80" in terminal.wait_for("ready\n")
        terminal.close()
    gone = eventually(hosts, "web-1", "kill -0 $(cat shell) 2>/dev/null || echo gone", b"gone")
    assert b"gone" in gone


def test_hosts_are_told_apart_by_files(hosts: Demo) -> None:
    assert ssh(hosts, "web-1", "touch only-here").returncode == 0
    assert ssh(hosts, "web-2", "test -e only-here").returncode == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is sure to have namespaces")
def test_hosts_have_names_and_processes_of_their_own(hosts: Demo) -> None:
    for name in ("web-1", "db-1"):
        assert ssh(hosts, name, "hostname").stdout.decode().strip() == name
    assert b"balancer" not in ssh(hosts, "web-1", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '").stdout
    assert ssh(hosts, "web-1", "touch /usr/bin/mine").returncode != 0


def test_the_night_begins_with_a_sick_release(hosts: Demo) -> None:
    assert ssh(hosts, "web-1", "readlink /srv/checkout/current").stdout == b"releases/2.15.0\n"
    asked = "python3 -c \"import urllib.request as u; u.urlopen('http://{}:8080/healthz')\" 2>&1 | tail -n1"
    said = eventually(hosts, "web-1", asked.format(hosts.hosts["web-1"]), b"503")
    assert b"503" in said


def test_a_switched_release_is_served_after_the_restart(hosts: Demo) -> None:
    done = ssh(
        hosts, "web-3", "ln -sfn releases/2.14.0 /srv/checkout/current && /srv/checkout/current/bin/restart"
    )
    assert done.returncode == 0, done.stderr
    asked = f"python3 -c \"import urllib.request as u; print(u.urlopen('http://{hosts.hosts['web-3']}:8080/version').read())\""
    assert b"2.14.0" in ssh(hosts, "web-3", asked).stdout


def test_a_killed_ssh_server_comes_back_and_the_host_went_on(hosts: Demo) -> None:
    assert (
        ssh(
            hosts, "db-1", "echo $$ > mark; setsid sleep 300 </dev/null >/dev/null 2>&1 & echo $! > job"
        ).returncode
        == 0
    )
    os.kill(hosts.server("db-1"), signal.SIGKILL)
    assert b"up" in eventually(hosts, "db-1", "kill -0 $(cat job) && echo up", b"up")


@pytest.mark.parametrize("way", list(Way))
def test_every_way_ends_with_all_that_it_started(way: Way, tmp_path: Path) -> None:
    base = tmp_path / "demo"
    try:
        with start_demo(base, way=way) as running:
            keepers = list(running.keepers.values())
            assert ssh(running, "web-2", "ls /srv/checkout/releases").stdout.split() == [b"2.14.0", b"2.15.0"]
            ssh(running, "web-2", "setsid sleep 300 </dev/null >/dev/null 2>&1 &")
            server = running.server("web-2")
    except Missing as error:
        if way is Way.FOLDERS or os.geteuid() == 0:
            raise
        pytest.skip(f"no {way} here: {error}")
    assert not base.exists()
    assert not [pid for pid in [*keepers, server] if alive(pid)]


def test_a_killed_demo_takes_its_hosts_along(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from lab.embedded.demo import start\n"
        f"demo = start(Path({str(tmp_path / 'demo')!r}))\n"
        "print(*demo.keepers.values(), flush=True); time.sleep(300)"
    )
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    keepers = [int(word) for word in child.stdout.readline().split()]
    child.kill()
    child.wait()
    child.stdout.close()
    for _ in range(200):
        if not any(alive(pid) for pid in keepers) and not (tmp_path / "demo").exists():
            break
        time.sleep(0.05)
    assert not [pid for pid in keepers if alive(pid)]
    assert not (tmp_path / "demo").exists()


def test_two_demos_stand_beside_each_other(hosts: Demo) -> None:
    with start_demo() as other:
        assert set(other.hosts.values()).isdisjoint(hosts.hosts.values())
        assert ssh(other, "stg-1", "true").returncode == 0
