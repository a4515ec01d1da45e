"""What runs unasked: an entry is what it says, and nothing that only begins like it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ondeck.inventory import checking
from ondeck.inventory.findings import Severity
from ondeck.inventory.loader import load
from ondeck.inventory.model import Environment
from ondeck.inventory.reads import is_read, too_wide
from ondeck.registry import Registry

LISTED = ("uptime", "cat /etc/os-release", "df *", "systemctl status *", "sudo ss -tlnp", "sudo -u app id *")
ENV = Environment(name="prod", read_commands=tuple(tuple(line.split()) for line in LISTED))


@pytest.mark.parametrize(
    ("line", "become", "read"),
    [
        ("uptime", "", True),
        ("uptime -p", "", False),
        ("cat /etc/os-release", "", True),
        ("cat /etc/os-release /etc/shadow", "", False),
        ("cat", "", False),
        ("df", "", True),
        ("df -h /srv", "", True),
        ("dfx", "", False),
        ("systemctl status", "", True),
        ("systemctl status checkout", "", True),
        ("systemctl restart checkout", "", False),
        ("systemctl", "", False),
        ("uptime", "root", False),
        ("df -h", "root", False),
        ("cat /etc/os-release", "app", False),
        ("ss -tlnp", "root", True),
        ("ss -tlnp", "", False),
        ("ss -tlnp -K", "root", False),
        ("ss -tlnp", "app", False),
        ("id -u", "app", True),
        ("id -u", "root", False),
        ("", "", False),
    ],
)
def test_an_entry_covers_exactly_its_words_and_more_only_where_it_says_so(
    line: str, become: str, read: bool
) -> None:
    assert is_read(ENV, tuple(line.split()), become) is read


def test_nothing_is_a_read_where_nothing_is_listed() -> None:
    assert not is_read(None, ("uptime",))
    assert not is_read(Environment(name="prod"), ("uptime",))
    assert not is_read(Environment(name="prod", read_commands=(("*",), ())), ("uptime",))


@pytest.mark.parametrize(
    "line",
    ["sh", "sh *", "env", "/usr/bin/env *", "sudo", "sudo *", "sudo sh -c *", "cat *", "find *", "sudo -u app *",
     "*", "sudo cat *", "systemctl *", "xargs", "python3 *"],
)  # fmt: skip
def test_an_entry_that_lets_through_more_than_reads_is_told(line: str) -> None:
    assert too_wide(tuple(line.split()))


@pytest.mark.parametrize(
    "line", ["uptime", "df *", "cat /etc/os-release", "systemctl status *", "sudo ss -tlnp"]
)
def test_an_entry_that_only_reads_is_left_alone(line: str) -> None:
    assert not too_wide(tuple(line.split()))


def test_check_warns_of_an_entry_that_is_too_wide(tmp_path: Path) -> None:
    (tmp_path / "ondeck.yml").write_text(
        "ondeck: 1\nenvironments:\n  lab: {protection: none, read_commands: [df *, cat *, sh]}\n"
    )
    found = [f for f in checking.check(load(tmp_path), Registry().serves()) if "read_commands" in f.where]
    assert [(f.where, f.message.partition(":")[0]) for f in found] == [
        ("environments.lab.read_commands", "'cat *' is no read"),
        ("environments.lab.read_commands", "'sh' is no read"),
    ]
    assert all(f.severity is Severity.WARNING for f in found)


def test_the_sample_lists_reads_only(checkout: Path) -> None:
    sample = load(checkout / "sample-inventory")
    assert [e for env in sample.environments.values() for e in env.read_commands if too_wide(e)] == []
