"""known_hosts: every way to name a host, and same, unknown, changed and revoked told apart."""

from __future__ import annotations

import base64
import hmac
from pathlib import Path

import asyncssh
import pytest

from ondeck.errors import StateBroken
from providers.ssh.connect import host_key_algorithms
from providers.ssh.hostkeys import HostKeys, Recorded, Verdict


def key() -> asyncssh.SSHKey:
    return asyncssh.generate_private_key("ssh-ed25519").convert_to_public()


def public(one: asyncssh.SSHKey) -> str:
    return one.export_public_key("openssh").decode().strip()


def hosts(folder: Path, *lines: str, second: str = "") -> HostKeys:
    (folder / "first").write_text("\n".join(lines) + "\n")
    (folder / "second").write_text(second)
    return HostKeys([str(folder / "first"), str(folder / "second"), str(folder / "absent")])


def hashed(name: str) -> str:
    salt = b"0123456789abcdefghij"
    digest = hmac.digest(salt, name.encode(), "sha1")
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


@pytest.mark.parametrize(
    ("pattern", "address", "port"),
    [
        ("web-1", "web-1", 22),
        ("WEB-1", "web-1", 22),
        ("a,web-1,b", "web-1", 22),
        ("[web-1]:2222", "web-1", 2222),
        ("web-1", "web-1", 2222),
        ("web-*", "web-1", 22),
        ("*,!db-*", "web-1", 22),
        ("[web-?]:2222", "web-1", 2222),
        (hashed("web-1"), "web-1", 22),
        (hashed("[web-1]:2222"), "web-1", 2222),
    ],
)
def test_every_way_to_name_a_host_is_found(tmp_path: Path, pattern: str, address: str, port: int) -> None:
    one = key()
    recorded = hosts(tmp_path, f"{pattern} {public(one)}").recorded(address, port)
    assert recorded.judge(one) is Verdict.SAME
    assert recorded.judge(key()) is Verdict.CHANGED


@pytest.mark.parametrize(
    "pattern", ["web-2", "[web-1]:2222", "*,!web-1", "web-1.example.net", hashed("web-2")]
)
def test_a_line_for_another_host_says_nothing(tmp_path: Path, pattern: str) -> None:
    one = key()
    assert hosts(tmp_path, f"{pattern} {public(one)}").recorded("web-1", 22).judge(one) is Verdict.UNKNOWN


def test_the_inventory_s_file_decides_and_the_user_s_fills_in(tmp_path: Path) -> None:
    ours, theirs = key(), key()
    both = hosts(
        tmp_path, f"web-1 {public(ours)}", second=f"web-1 {public(theirs)}\nweb-2 {public(theirs)}\n"
    )
    assert both.recorded("web-1", 22).judge(theirs) is Verdict.CHANGED
    assert both.recorded("web-2", 22).judge(theirs) is Verdict.SAME


def test_a_revoked_key_counts_from_any_file(tmp_path: Path) -> None:
    one = key()
    both = hosts(tmp_path, f"web-1 {public(one)}", second=f"@revoked * {public(one)}\n")
    assert both.recorded("web-1", 22).judge(one) is Verdict.REVOKED


def test_an_authority_speaks_for_certificates_not_for_bare_keys(tmp_path: Path) -> None:
    authority = key()
    recorded = hosts(tmp_path, f"@cert-authority *.example.net {public(authority)}").recorded(
        "a.example.net", 22
    )
    assert recorded.judge_authority(authority) is Verdict.SAME
    assert recorded.judge(authority) is Verdict.UNKNOWN
    assert host_key_algorithms(recorded)[0].endswith("-cert-v01@openssh.com")


def test_recorded_kinds_are_asked_for_first_and_certificates_only_with_an_authority() -> None:
    rsa = asyncssh.generate_private_key("ssh-rsa", key_size=2048).convert_to_public()
    asked = host_key_algorithms(Recorded(keys=(rsa,)))
    assert asked[0].startswith("rsa-sha2-")
    assert "ssh-ed25519" in asked
    assert not any("cert" in name for name in asked)


@pytest.mark.parametrize(
    "line",
    ["", "# web-1", "web-1", "web-1 ssh-ed25519", "web-1 ssh-ed25519 AAAA", "|1|x|y ssh-ed25519 AAAA", "@x"],
)
def test_lines_that_say_nothing_are_passed_over(tmp_path: Path, line: str) -> None:
    one = key()
    found = hosts(tmp_path, line, f"web-1 {public(one)}").recorded("web-1", 22)
    assert found.judge(one) is Verdict.SAME


def test_a_file_that_cannot_be_read_is_an_error_not_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(StateBroken):
        HostKeys([str(tmp_path / "folder")]).recorded("web-1", 22)
