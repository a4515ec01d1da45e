"""The full screen and bad days on real machines: what a person sees there is what the machine itself says."""

from __future__ import annotations

import re

import pytest

from lab.real.systemd_host import RealHost
from tests.lab.real_site import ONDECK, Site
from tests.terminal import Terminal

pytestmark = pytest.mark.lab


def opened(site: Site, *argv: str) -> Terminal:
    return Terminal([ONDECK, *argv], columns=120, rows=40, env={**site.environment, "TERM": "xterm-256color"})


def test_units_on_the_screen_are_what_systemd_says(deployed: Site) -> None:
    one = deployed.hosts[0]
    one.write("/etc/systemd/system/broken.service", "[Service]\nType=oneshot\nExecStart=/bin/false\n")
    one.run("systemctl", "daemon-reload")
    one.run("systemctl", "start", "broken.service", check=False)
    try:
        with opened(deployed) as terminal:
            terminal.wait_for("FAILING", 30)
            terminal.type(":", f"units {one.name}", "enter")
            screen = terminal.wait_for(re.compile(r"broken.*failed|failed.*broken"), 30)
            greeter = next(line for line in screen.splitlines() if "greeter" in line)
            assert "active runni" in greeter
            assert screen.index("broken") < screen.index("greeter"), "failed ones come first"
            terminal.type("q", "q", "q", delay=0.3)
    finally:
        one.run("systemctl", "reset-failed", "broken.service")


def test_a_shell_is_the_hosts_own_and_its_opening_and_end_are_on_record(deployed: Site) -> None:
    one = deployed.hosts[0]
    with opened(deployed, "shell", one.name, "--reason", "to look") as terminal:
        terminal.wait_for("[y/N]", 20)
        terminal.type("y", "enter")
        terminal.wait_for(re.compile(r"\$ *$", re.MULTILINE), 30)
        terminal.type("cat /etc/hostname; exit 3", "enter")
        terminal.wait_for(re.compile(rf"^{one.name}$", re.MULTILINE), 20)
        assert terminal.wait(20) == 1
    audit = deployed.run("audit", "export").out
    assert "to look" in audit
    assert "closed, status 3" in audit


def full(host: RealHost, place: str) -> None:
    """A small disk of its own at a place on the host, filled to the last byte."""
    host.run("runuser", "-u", host.user, "--", "mkdir", "-p", place)
    host.run("mount", "-t", "tmpfs", "-o", f"size=64k,mode=700,uid={uid(host)}", "tmpfs", place)
    host.run("sh", "-c", f"cat /dev/zero > {place}/ballast", check=False)


def uid(host: RealHost) -> str:
    return host.run("id", "-u", host.user).stdout.strip()


def test_on_a_full_disk_a_change_does_not_begin_and_a_read_still_works(deployed: Site) -> None:
    one = deployed.hosts[0]
    home = one.run("sh", "-c", f"getent passwd {one.user} | cut -d: -f6").stdout.strip()
    place = f"{home}/.local/state"
    full(one, place)
    try:
        done = deployed.run(
            "exec", "-l", f"name={one.name}", "-y", "--", "touch", "/tmp/on-a-full-disk", code=None
        )
        assert done.code in (1, 6), done
        assert "space" in done.err
        row = deployed.job()["targets"][one.name]
        assert row["outcome"] in ("not_started", "failed"), row
        assert one.run("test", "-e", "/tmp/on-a-full-disk", check=False).returncode == 1
        read = deployed.run("exec", "-l", f"name={one.name}", "--", "cat", "/etc/hostname")
        assert one.name in read.out
    finally:
        one.run("umount", place)
    deployed.run("exec", "-l", f"name={one.name}", "-y", "--", "true")
