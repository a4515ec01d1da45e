"""The real hosts are what they promise: whole machines, reached over SSH, gone when they are stopped."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from lab.real.systemd_host import RealHost, boot

pytestmark = pytest.mark.lab
Hosts = tuple[RealHost, RealHost]


def _ssh(host: RealHost, command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            "ssh",
            "-F",
            "none",
            "-i",
            str(host.identity),
            "-o",
            f"UserKnownHostsFile={host.known_hosts}",
            "-o",
            "BatchMode=yes",
            "-p",
            str(host.port),
            f"{host.user}@{host.address}",
            command,
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_each_host_is_a_machine_of_its_own(real_hosts: Hosts) -> None:
    for host in real_hosts:
        said = _ssh(host, "hostname; cat /proc/1/comm; systemctl is-active ssh systemd-journald")
        assert said.stdout.split() == [host.name, "systemd", "active", "active"], said.stderr


def test_a_file_on_one_host_is_not_on_the_other(real_hosts: Hosts) -> None:
    one, other = real_hosts
    assert _ssh(one, "sudo touch /etc/only-here").returncode == 0
    assert _ssh(other, "test -e /etc/only-here").returncode == 1


def test_a_unit_of_ours_starts_and_its_words_are_in_the_journal(real_hosts: Hosts) -> None:
    host = real_hosts[0]
    host.write(
        "/etc/systemd/system/evening.service",
        "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/echo good evening\n",
    )
    assert _ssh(host, "sudo systemctl daemon-reload && sudo systemctl start evening").returncode == 0
    assert _ssh(host, "systemctl is-active evening").stdout.strip() == "active"
    lines = _ssh(host, "sudo journalctl --sync; sudo journalctl -u evening -o json").stdout.splitlines()
    assert "good evening" in [json.loads(line)["MESSAGE"] for line in lines]


def test_a_stopped_host_leaves_nothing(real_hosts: Hosts) -> None:
    host = boot("deb-3")
    assert Path(f"/proc/{host.pid}").exists()
    host.stop()
    assert not Path(f"/proc/{host.pid}").exists()
    assert not host.folder.exists()
    assert host.folder.name not in Path("/proc/self/mountinfo").read_text()
